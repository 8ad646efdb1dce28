import Logging
import MartletBus
import MartletCore
import MartletTestServices
import NIOCore
import NIOPosix
import Synchronization

@testable import MartletRedis

/// Waits until `condition` is true, and says whether it became so. Long, because it only ends early.
func eventually(for time: Duration = .seconds(20), _ condition: @Sendable () async -> Bool) async -> Bool {
    let end = ContinuousClock.now + time
    while ContinuousClock.now < end {
        if await condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return await condition()
}

/// What a node's sessions would have seen.
final class Seen: BrokerReceiver {
    struct State {
        var events: [Event] = []
        var batches = 0
        var signals: [Signal] = []
        var missed: [ConversationID] = []
    }

    let state = Mutex(State())

    var seqs: [Int64] { state.withLock { $0.events.map(\.seq) } }
    func conversations(at seq: Int64) -> Set<ConversationID> {
        state.withLock { state in Set(state.events.filter { $0.seq == seq }.map(\.conversation)) }
    }
    var signals: [Signal] { state.withLock { $0.signals } }
    var missed: [ConversationID] { state.withLock { $0.missed } }

    func receive(_ events: [Event]) {
        state.withLock {
            $0.events += events
            $0.batches += 1
        }
    }

    func receive(_ signal: Signal, done: (@Sendable () -> Void)?) {
        state.withLock { $0.signals.append(signal) }
        done?()
    }

    func missed(_ topics: [ConversationID]) { state.withLock { $0.missed += topics } }
}

/// One node's adapters, on servers of the test's.
struct RedisNode {
    let incarnation: String
    let servers: RedisServers
    let broker: RedisBroker
    let seen = Seen()
    let registry = MetricRegistry()

    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    static func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    /// `queue`: bytes that a connection keeps for its server. `confirmTime`: of topics. With `isHeard`
    /// false nothing is attached to the broker.
    init(
        _ urls: [String], _ name: String = "n", queue: Int = RedisLink.Bounds().bytes,
        confirmTime: TimeAmount = .seconds(10), isHeard: Bool = true
    ) throws {
        var bounds = RedisLink.Bounds()
        bounds.bytes = queue
        incarnation = "\(name)-\(UInt64.random(in: .min ... .max))"
        servers = try RedisServers(
            urls: urls.map { try RedisURL($0) }, group: Self.group, logger: Self.quiet(), metrics: registry,
            bounds: bounds)
        broker = RedisBroker(servers, incarnation: incarnation, confirmTime: confirmTime)
        if isHeard { broker.attach(seen) }
    }

    /// Starts, and waits until all servers are there.
    func start() async -> Bool {
        servers.start()
        return await eventually { servers.areUp }
    }

    /// This node's presence, in a cluster of its own. Before `start`.
    func presence() -> RedisPresence {
        RedisPresence(servers, directory: KnownNodes([incarnation]), incarnation: incarnation)
    }

    /// Arguments of a redis-server that can't save: no file can be made in that folder, by root neither.
    static let unsaving = ["--save", "3600", "1", "--dir", "/dev/fd"]

    /// Lets a server of `unsaving` notice it, and says whether it did. From then on it refuses whatever writes, and PING.
    func failSaving() async -> Bool {
        _ = try? await servers.ask(0, RedisCommand("BGSAVE"))
        return await eventually {
            do throws(Fault) {
                _ = try await servers.ask(0, RedisCommand("PING"))
                return false
            } catch {
                return error.redisError?.hasPrefix("MISCONF") == true
            }
        }
    }

    /// A counter that the server has for a command, whoever sent it: `calls`, `rejected_calls`.
    func count(_ counter: String, of command: String) async -> Int {
        let reply = try? await servers.ask(0, RedisCommand("INFO", "commandstats"))
        let line = (reply?.text ?? "").split(separator: "\r\n").first { $0.hasPrefix("cmdstat_\(command):") }
        let fields = line?.split(separator: ":").last?.split(separator: ",") ?? []
        return fields.first { $0.hasPrefix("\(counter)=") }.flatMap { Int($0.dropFirst(counter.count + 1)) } ?? 0
    }

    func metric(_ name: String) -> Int {
        let line = registry.render().split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Int($0.split(separator: " ")[1]) } ?? -1
    }
}

func event(_ conversation: ConversationID, _ seq: Int64, bytes: Int = 2) -> Event {
    Event(
        conversation: conversation, seq: seq, ordinal: seq * 10, sender: UserID(unchecked: 7), senderName: "sev\u{e9}n",
        kind: .text, clientId: "c\(seq)", time: Instant(milliseconds: 1_700_000_000_000 + seq),
        body: Array(repeating: UInt8(ascii: "x"), count: bytes), origin: SessionID(UInt64(seq) << 32))
}
