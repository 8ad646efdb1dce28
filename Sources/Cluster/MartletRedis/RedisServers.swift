import Logging
import MartletCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server of the bus as this node sees it.
package struct RedisServerState: Sendable, Equatable {
    /// The URL without its password.
    package let server: String
    /// Nil while it is there; otherwise since when it is away.
    package let awaySince: Instant?
}

/// The Redis servers of a cluster, with this node's connections to each. All adapters of a node share one. Keys and topics
/// are spread over the servers; one that is away for two seconds loses its own to the others until it is back.
package final class RedisServers: Sendable {
    /// A connection's purpose.
    enum Purpose: Int, CaseIterable { case commands, publish, subscribe }

    struct Server: Sendable {
        let url: RedisURL
        /// By purpose.
        let links: [RedisLink]

        subscript(_ purpose: Purpose) -> RedisLink { links[purpose.rawValue] }
    }

    private struct Health {
        /// By purpose: since when it is not connected.
        var down: [NIODeadline?]
        var downSince: Instant?
        var wasUp: [Bool]
        var isPresent = true
        /// When it was last told to be away. Kept while it is back, since a server that comes and goes must not fill the
        /// log.
        var reportedAt: NIODeadline?
        /// That it is back is to be told.
        var isReported = false
        var failure: RedisFailure?
    }

    private struct State {
        var health: [Health]
        var watch: RepeatedTask?
        var onMove: [@Sendable () -> Void] = []
        var onUp: [@Sendable (Int) -> Void] = []
        var onVanished: [@Sendable () -> Void] = []
        var tasks: [Task<Void, Never>] = []
    }

    /// How long a server may be away before its keys belong to others.
    package static let patience: TimeAmount = .seconds(2)

    let prefix: String
    let bounds: RedisLink.Bounds
    let servers: [Server]
    let group: any EventLoopGroup
    let logger: Logger
    let metrics: RedisMetrics
    private let rendezvous: Rendezvous
    private let state: Mutex<State>

    /// `urls`: one or more; servers that stand alone, not members of a Redis Cluster. `prefix`: what all keys and channels
    /// begin with, so that several clusters may share a server. Throws `invalidField` for an empty list, for a server
    /// named twice, and for authorities that can't be read.
    package convenience init(
        urls: [RedisURL], prefix: String = "martlet:", group: any EventLoopGroup, logger: Logger,
        metrics: MetricRegistry
    ) throws(Fault) {
        try self.init(
            urls: urls, prefix: prefix, group: group, logger: logger, metrics: metrics, bounds: RedisLink.Bounds())
    }

    /// `bounds`: of each connection.
    init(
        urls: [RedisURL], prefix: String = "martlet:", group: any EventLoopGroup, logger: Logger,
        metrics: MetricRegistry, bounds: RedisLink.Bounds
    ) throws(Fault) {
        guard !urls.isEmpty, urls.count <= 64 else { throw .invalid("bus", "needs 1 to 64 servers") }
        guard Set(urls.map(\.identity)).count == urls.count else { throw .invalid("bus", "names a server twice") }
        guard !prefix.isEmpty, prefix.utf8.count <= 64, prefix.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalid("bus.prefix", "needs 1 to 64 printable characters without spaces")
        }
        self.prefix = prefix
        self.bounds = bounds
        self.group = group
        self.logger = logger
        self.metrics = RedisMetrics(metrics)
        rendezvous = Rendezvous(urls.map(\.identity))
        let now = NIODeadline.now()
        let health = Health(
            down: Purpose.allCases.map { $0 == .commands ? now : nil }, downSince: nil,
            wasUp: Purpose.allCases.map { _ in false })
        let state = Mutex(State(health: urls.map { _ in health }))
        let reports = Reports()
        var servers: [Server] = []
        for (index, url) in urls.enumerated() {
            let tls = try Self.context(url)
            servers.append(
                Server(
                    url: url,
                    links: Purpose.allCases.map { purpose in
                        RedisLink(
                            url, name: "martlet-\(purpose)", loop: group.next(), tls: tls, prefix: prefix,
                            bounds: bounds
                        ) { failure in
                            reports.owner?.changed(index, purpose, failure)
                        }
                    }))
        }
        let made = servers
        self.servers = made
        self.state = state
        reports.set(self)
        metrics.reading("martlet_bus_queue", "Commands to the bus that wait or have no reply") {
            made.reduce(0) { $0 + $1.links.reduce(0) { $0 + $1.depth } }
        }
    }

    /// Breaks the circle between the servers and what their links report to.
    private final class Reports: Sendable {
        private struct Weak { weak var servers: RedisServers? }
        private let box = Mutex(Weak())
        var owner: RedisServers? { box.withLock { $0.servers } }
        func set(_ servers: RedisServers) { box.withLock { $0.servers = servers } }
    }

    private static func context(_ url: RedisURL) throws(Fault) -> NIOSSLContext? {
        guard url.isSecure else { return nil }
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv12
            if let file = url.authorities { configuration.trustRoots = .file(file) }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw .invalid("bus", "the authorities of \(url) can't be read")
        }
    }

    /// Connects, with the adapters that were made before. Returns at once.
    package func start() {
        for (index, server) in servers.enumerated() {
            for purpose in Purpose.allCases where purpose == .commands || server[purpose].isObserved {
                state.withLock { $0.health[index].down[purpose.rawValue] = .now() }
                server[purpose].start()
            }
        }
        let task = servers[0][.commands].loop.scheduleRepeatedTask(
            initialDelay: .milliseconds(200), delay: .milliseconds(200)
        ) { [weak self] _ in self?.watch() }
        state.withLock { $0.watch = task }
    }

    /// Closes all connections and ends the adapters' work.
    package func shutdown() async {
        let (watch, tasks) = state.withLock { state in
            defer {
                state.watch = nil
                state.tasks = []
                state.onMove = []
                state.onUp = []
                state.onVanished = []
            }
            return (state.watch, state.tasks)
        }
        watch?.cancel()
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        await withDiscardingTaskGroup { group in
            for server in servers {
                for link in server.links {
                    group.addTask {
                        if link === server[.publish] { await link.flush() }
                        await link.stop()
                    }
                }
            }
        }
    }

    /// Does an adapter's work again and again, until `shutdown` or until nobody has the adapter any more.
    func keepDoing<Adapter: AnyObject & Sendable>(
        every pause: Duration, with adapter: Adapter, _ work: @escaping @Sendable (Adapter) async -> Void
    ) {
        let task = Task { [weak adapter] in
            while !Task.isCancelled {
                // Nobody is kept for the pause.
                if let adapter { await work(adapter) } else { return }
                try? await Task.sleep(for: pause)
            }
        }
        state.withLock { $0.tasks.append(task) }
    }

    /// Called, on any thread, after keys moved between servers.
    func onMove(_ call: @escaping @Sendable () -> Void) { state.withLock { $0.onMove.append(call) } }

    /// Called, on its loop, once a server may be asked, for the first time or again; with its index.
    func onUp(_ call: @escaping @Sendable (Int) -> Void) { state.withLock { $0.onUp.append(call) } }

    /// Called, on any thread, after a node vanished without having left.
    func onVanished(_ call: @escaping @Sendable () -> Void) { state.withLock { $0.onVanished.append(call) } }

    func nodeVanished() { for call in state.withLock({ $0.onVanished }) { call() } }

    /// How each server is, for the readiness page.
    package var status: [RedisServerState] {
        let away = state.withLock { state in state.health.map(\.downSince) }
        return zip(servers, away).map { RedisServerState(server: $0.url.description, awaySince: $1) }
    }

    /// The index of the server that a key or topic belongs to now.
    func owner(of key: String) -> Int {
        guard servers.count > 1 else { return 0 }
        return rendezvous.owner(of: key, present: present)
    }

    func owners(of keys: some Sequence<String>) -> [Int] {
        let present = present
        return keys.map { rendezvous.owner(of: $0, present: present) }
    }

    /// True where every connection is up.
    package var areUp: Bool { state.withLock { $0.health.allSatisfy { $0.down.allSatisfy { $0 == nil } } } }

    /// By server: true unless it is away for longer than the patience.
    package var present: [Bool] { state.withLock { state in state.health.map(\.isPresent) } }

    /// Asks the server with this index, and waits at most so long.
    func ask(
        _ server: Int, _ command: RedisCommand, within time: TimeAmount = .seconds(1)
    ) async throws(Fault) -> RESPValue {
        let result = await withCheckedContinuation { continuation in
            servers[server][.commands].send(command.bytes, within: time) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

extension RedisServers {
    private func changed(_ index: Int, _ purpose: Purpose, _ failure: RedisFailure?) {
        let now = NIODeadline.now()
        let (line, isBack) = state.withLock { state -> (RedisFailure??, Bool) in
            var health = state.health[index]
            defer { state.health[index] = health }
            guard let failure else {
                if health.wasUp[purpose.rawValue] { metrics.reconnects.add() }
                health.wasUp[purpose.rawValue] = true
                health.down[purpose.rawValue] = nil
                guard health.down.allSatisfy({ $0 == nil }) else { return (nil, false) }
                let wasReported = health.isReported
                health.downSince = nil
                health.isReported = false
                return (wasReported ? .some(nil) : nil, true)
            }
            if health.down[purpose.rawValue] == nil { health.down[purpose.rawValue] = now }
            if health.downSince == nil { health.downSince = Self.wallClock }
            health.failure = failure
            // One line when it goes, and one each half minute while it stays away.
            if let last = health.reportedAt, now - last < .seconds(30) { return (nil, false) }
            health.reportedAt = now
            health.isReported = true
            return (.some(failure), false)
        }
        let metadata: Logger.Metadata = ["server": "\(servers[index].url)"]
        switch line {
        case .none: break
        case .some(.none): logger.notice("The bus is back", metadata: metadata)
        case .some(.some(let failure)):
            logger.warning("The bus is away", metadata: metadata.merging(["why": "\(failure.message)"]) { $1 })
        }
        if isBack { watch() }
        if purpose == .commands, failure == nil { for call in state.withLock({ $0.onUp }) { call(index) } }
    }

    static var wallClock: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Takes keys from servers that are away for too long, and gives them back.
    private func watch() {
        let now = NIODeadline.now()
        let calls = state.withLock { state -> [@Sendable () -> Void] in
            var isChanged = false
            for index in state.health.indices {
                let isPresent = state.health[index].down.allSatisfy { since in
                    since.map { now - $0 < Self.patience } ?? true
                }
                // Back only once all of its connections are.
                let isWhole = state.health[index].down.allSatisfy { $0 == nil }
                guard isPresent != state.health[index].isPresent, !isPresent || isWhole else { continue }
                state.health[index].isPresent = isPresent
                isChanged = true
            }
            return isChanged ? state.onMove : []
        }
        for call in calls { call() }
    }

    /// Tries each server once, before `start`. Throws `unavailable` with one clear line where one can be reached but not
    /// used, and where none can be reached; the others are only logged.
    package func check() async throws(Fault) {
        var lines: [String] = []
        for server in servers {
            let link = server[.commands]
            guard let failure = await RedisTrial.failure(server.url, link.loop, link.tls, prefix) else { continue }
            let line = "Redis at \(server.url.identity) \(failure.message)"
            if failure.isLasting { throw Fault(.unavailable, line) }
            logger.warning("A server of the bus is away", metadata: ["why": "\(line)"])
            lines.append(line)
        }
        if lines.count == servers.count { throw Fault(.unavailable, lines.joined(separator: "; ")) }
    }
}

/// One try to connect.
private final class RedisTrial: RedisConnectionOwner {
    private let outcome = Mutex<CheckedContinuation<RedisFailure?, Never>?>(nil)

    /// Nil where the server can be used.
    static func failure(
        _ url: RedisURL, _ loop: any EventLoop, _ tls: NIOSSLContext?, _ prefix: String
    ) async -> RedisFailure? {
        let trial = RedisTrial()
        return await withCheckedContinuation { continuation in
            trial.outcome.withLock { $0 = continuation }
            let opened = RedisLink.open(url, name: "martlet-check", loop: loop, tls: tls, prefix: prefix, owner: trial)
            opened.whenFailure { error in
                trial.end(.unreachable(RedisLink.reason(error)))
            }
        }
    }

    private func end(_ failure: RedisFailure?) {
        let continuation = outcome.withLock { outcome in
            defer { outcome = nil }
            return outcome
        }
        continuation?.resume(returning: failure)
    }

    func connectionIsReady(_ handler: RedisConnectionHandler) {
        end(nil)
        handler.close(.closed)
    }

    func connectionEnded(_ handler: RedisConnectionHandler, _ failure: RedisFailure, unanswered: Int) { end(failure) }
    func connectionPushed(_ handler: RedisConnectionHandler, _ elements: [RESPValue]) {}
    func connectionRead(_ handler: RedisConnectionHandler, unanswered: (commands: Int, bytes: Int)) {}
    func connectionRefused(_ handler: RedisConnectionHandler, _ error: String) {}
}
