import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// What this node could not publish, until the others were told.
struct BusLosses {
    /// By server.
    private var owed: [Bool]
    private var told: NIODeadline?

    init(servers: Int) { owed = Array(repeating: false, count: servers) }

    mutating func lost(_ server: Int) { owed[server] = true }

    /// True where the others have to be told now: a server that lost something is back, or its topics are elsewhere. At
    /// most once a second.
    mutating func isDue(now: NIODeadline, isOver: (Int) -> Bool) -> Bool {
        let over = owed.indices.filter { owed[$0] && isOver($0) }
        guard !over.isEmpty else { return false }
        if let told, now - told < .milliseconds(900) { return false }
        told = now
        for index in over { owed[index] = false }
        return true
    }
}

extension RedisBroker {
    /// Frames for a server were not taken, or it may not have had them.
    func lost(_ server: Int, _ frames: Int, _ weight: BusWeight = .logged) {
        servers.metrics.dropped.add(frames)
        if weight == .logged { losses.withLock { $0.lost(server) } }
    }

    /// Tells the others to ask the log, if they have to be told.
    func tellLosses() {
        let present = servers.present
        let up = servers.servers.indices.filter { servers.servers[$0][.publish].isUp }
        guard !up.isEmpty else { return }
        let isDue = losses.withLock { losses in
            losses.isDue(now: .now()) { !present[$0] || up.contains($0) }
        }
        guard isDue else { return }
        // Not everybody may hear the same servers as this node: through each, and heard once.
        let number = numbers.wrappingAdd(1, ordering: .relaxed).oldValue
        let frame = BusFrame.signal(.missed, number: number, sender: sender)
        var frames = frames()
        for server in up { frames.addToEverybody(frame, through: server) }
        post(frames, .logged)
    }
}

/// Hears of the connection that publishes to one server.
final class BusPublishing: RedisLinkObserver {
    private let broker: RedisBroker
    private let server: Int

    init(_ broker: RedisBroker, _ server: Int) {
        self.broker = broker
        self.server = server
    }

    func linkIsUp() { broker.tellLosses() }
    func linkIsDown(unanswered: Int) { if unanswered > 0 { broker.lost(server, unanswered) } }
    func linkPushed(_ elements: [RESPValue]) {}
    func linkRead() {}
    func linkRefused(_ error: String) { broker.lost(server, 1) }
}
