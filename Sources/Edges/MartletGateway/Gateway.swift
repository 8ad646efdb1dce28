import Logging
import MartletBus
import MartletCore
import MartletWire
import NIOCore
import Synchronization

/// What the loops of a node share. The broker delivers here; Gateway+Topics.swift brings its events to the loops.
package final class Gateway: BrokerReceiver, Sendable {
    let configuration: GatewayConfiguration
    let services: GatewayServices
    let metrics: GatewayMetrics
    let logger: Logger
    let interest = InterestTable()
    let httpWork = HTTPWork()
    let pool = CommandPool(limit: GatewayConfiguration.commandsInAll)
    /// Sets this process's sessions apart from those of another one.
    private let sessionPrefix: UInt64
    private let sessionCount = Atomic<UInt64>(0)
    let connections: ConnectionCounts
    let loops: [GatewayLoop]
    let topics: Mutex<Topics>
    /// True where a bus brings other nodes' events, and may lose some.
    let isLossy: Bool
    /// Where WebSocket is spoken here.
    let upgradePaths: [String]

    // Gateway+Following.swift
    let suspects = Mutex(Suspects())
    let sweepSignals: AsyncStream<Void>
    let sweepSignal: AsyncStream<Void>.Continuation
    /// When quiet conversations were last forgotten, by the steady clock.
    let forgotten = Atomic<UInt64>(0)

    package init(
        _ configuration: GatewayConfiguration, _ services: GatewayServices, _ metrics: GatewayMetrics, _ logger: Logger,
        group: some EventLoopGroup
    ) {
        self.configuration = configuration
        self.services = services
        self.metrics = metrics
        self.logger = logger
        precondition((1...GatewayConfiguration.dialects).contains(services.dialects.count))
        isLossy = services.broker.isLossy
        upgradePaths = configuration.takesSessions ? services.dialects.compactMap(\.path) : []
        topics = Mutex(Topics(sequencer: TopicSequencer(isLossy: services.broker.isLossy)))
        (sweepSignals, sweepSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        connections = ConnectionCounts(
            limit: configuration.isRateLimited ? configuration.connectionsPerAddress : nil,
            proxies: configuration.trustedProxies)
        sessionPrefix = UInt64.random(in: 1..<(1 << 24)) << 40
        loops = group.makeIterator().prefix(InterestTable.maximumLoops).enumerated().map {
            GatewayLoop($0.offset, $0.element)
        }
        for loop in loops { loop.attach(self) }
    }

    func loop(of channel: any Channel) -> GatewayLoop? { loops.first { $0.eventLoop === channel.eventLoop } }

    func loop(_ index: Int) -> GatewayLoop { loops[index] }

    /// The dialect that is spoken at a path.
    func dialect(at path: String) -> Int? { services.dialects.firstIndex { $0.path == path } }

    func nextSession() -> SessionID {
        SessionID(sessionPrefix | sessionCount.wrappingAdd(1, ordering: .relaxed).newValue)
    }

    /// Sessions are told to go: what can wait is left to the node that they go to.
    var isStopping: Bool { services.departure.isUnderWay }

    /// Live sessions.
    package var sessions: Int { metrics.sessions.value }
    /// The node takes nobody new.
    package var isLeaving: Bool { services.departure.hasBegun }

    // MARK: Signals

    package func receive(_ signal: Signal, done: (@Sendable () -> Void)?) {
        if case .missed = signal {
            missed(interest.topics())
            done?()
            return
        }
        let countdown = Countdown(loops.count, done)
        for loop in loops { loop.receive(signal) { countdown.arrive() } }
    }

    /// Runs `action` once everybody arrived.
    private final class Countdown: Sendable {
        private let left: Atomic<Int>
        private let action: (@Sendable () -> Void)?

        init(_ count: Int, _ action: (@Sendable () -> Void)?) {
            left = Atomic(count)
            self.action = action
        }

        func arrive() { if left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { action?() } }
    }

    // MARK: Leaving

    /// Tells every session to go elsewhere within `delay`, and those that come in later, too.
    func announceLeaving(_ delay: Duration) {
        services.departure.tellSessions(goneBy: .now + delay)
        for loop in loops { loop.announceLeaving(delay) }
    }

    /// Closes every session with 1001.
    func closeSessions() { for loop in loops { loop.closeAll(.goingAway) } }

    /// True once what clients have received is written down.
    func hasSaved() async -> Bool {
        for loop in loops {
            let hasSaved = try? await loop.eventLoop.submit {
                loop.saveReceived()
                return loop.hasSaved
            }.get()
            if hasSaved == false { return false }
        }
        return true
    }

    /// Sends that the log has not answered yet.
    package var sendsAtWork: Int { loops.reduce(0) { $0 + $1.sendsAtWork } }
}
