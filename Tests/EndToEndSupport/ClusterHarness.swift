import Foundation
import MartletTestServices
import Synchronization

/// A whole cluster on this machine: PostgreSQL, Redis behind a proxy that can spoil the bus, several nodes, and nginx in
/// front of them. Everything ends with the last reference or with the test run.
package final class ClusterHarness: Sendable {
    package struct Options: Sendable {
        package var nodes = 3
        /// A synchronous standby, and a durable primary of its own for this cluster; otherwise the process's server has one
        /// more database.
        package var hasStandby = false
        /// nginx in front, with the shipped site.
        package var hasFront = false
        /// What is set at all nodes, beside what they need.
        package var environment: [String: String] = [:]
        /// Of what the bus loses, repeats and reorders.
        package var seed: UInt64 = 1

        package init(
            nodes: Int = 3, hasStandby: Bool = false, hasFront: Bool = false, environment: [String: String] = [:],
            seed: UInt64 = 1
        ) {
            self.seed = seed
            self.nodes = nodes
            self.hasStandby = hasStandby
            self.hasFront = hasFront
            self.environment = environment
        }
    }

    package let database: ClusterDatabase
    package let redis: RedisServer
    package let bus: BusProxy
    package let nodes: [ServerProcess]
    package let front: NginxServer?
    /// What all nodes are given, for commands and for nodes that a test starts by itself. Holds passwords.
    package let environment: [String: String]

    private init(
        _ database: ClusterDatabase, _ redis: RedisServer, _ bus: BusProxy, _ nodes: [ServerProcess],
        _ front: NginxServer?, _ environment: [String: String]
    ) {
        self.database = database
        self.redis = redis
        self.bus = bus
        self.nodes = nodes
        self.front = front
        self.environment = environment
    }

    /// Starts all parts; returns once every node is ready.
    package static func start(_ options: Options = Options()) async throws -> ClusterHarness {
        async let starting = ClusterDatabase.start(hasStandby: options.hasStandby)
        let redis = try await RedisServer()
        let bus = try await BusProxy(to: redis.port, seed: options.seed)
        let database = try await starting
        let environment = environment(database, redis, bus).merging(options.environment) { $1 }
        let nodes = try await (0..<options.nodes).asyncMap { number in
            try await ServerProcess.start(arguments: ["--node", name(number)], environment: environment)
        }
        let front =
            options.hasFront ? try await NginxServer(site: shippedSite, nodes: nodes.map(\.port)) : nil
        let harness = ClusterHarness(database, redis, bus, nodes, front, environment)
        ClusterRecords.current.withLock { $0 = harness.parts }
        return harness
    }

    /// The name of a node, counted from 0.
    package static func name(_ number: Int) -> String { "node\(number + 1)" }

    /// Through nginx where there is one, else of the first node.
    package var port: Int { front?.port ?? nodes[0].port }

    /// Asks one node.
    package func rest(_ node: Int = 0) -> RestClient { RestClient(port: nodes[node].port) }

    /// Asks all nodes to leave, and waits.
    package func stop() async {
        await withTaskGroup(of: Void.self) { tasks in
            for node in nodes where node.status == nil { tasks.addTask { await node.stop() } }
        }
        front?.stop()
        await bus.stop()
    }

    /// Kills Redis with all that it knows, or starts it again, empty.
    package func killRedis() async { await redis.kill() }
    package func startRedis() async throws { try await redis.start() }

    /// `martlet verify` on the database that has survived.
    package func verify() async throws -> (status: Int32, output: String, error: String) {
        try await ServerProcess.run(["verify", "--json"], environment: environment)
    }

    /// From now on the bus loses, repeats and reorders, and now and then breaks off in the middle of a word.
    package func spoilBus() { bus.set(BusProxy.Faults(drop: 0.05, double: 0.05, delay: 0.1, cut: 0.001)) }

    /// From now on the bus loses everything, and nobody is told.
    package func silenceBus() { bus.set(BusProxy.Faults(drop: 1)) }

    /// From now on the bus is honest.
    package func mendBus() { bus.set(BusProxy.Faults()) }

    private static func environment(
        _ database: ClusterDatabase, _ redis: RedisServer, _ bus: BusProxy
    ) -> [String: String] {
        [
            "MARTLET_DATABASE": database.url,
            "MARTLET_BUS": redis.url.replacing(":\(redis.port)", with: ":\(bus.port)"),
            "MARTLET_SECRETS_TOKEN_KEY": key, "MARTLET_BUS_COMPARE": "2", "MARTLET_API_TRUSTED_PROXIES": "127.0.0.1",
            "MARTLET_ACCOUNTS_ACCESS_TOKEN_LIFETIME": "86400",
        ]
    }

    /// 32 random bytes in base64.
    private static let key = Data((0..<32).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()

    private static let shippedSite = shippedSite("martlet.conf")

    /// The path of one of nginx's files that are shipped.
    package static func shippedSite(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "deploy/nginx/\(name)").path
    }

    /// Each part's name and what it logged last.
    private var parts: [ClusterRecords.Part] {
        nodes.enumerated().map { number, node in
            ClusterRecords.Part(name: Self.name(number)) { [weak node] in node?.log ?? "" }
        } + [
            ClusterRecords.Part(name: "PostgreSQL") { [weak database] in database?.lastWords ?? "" },
            ClusterRecords.Part(name: "nginx") { [weak front] in front?.log ?? "" },
        ]
    }
}

extension Sequence where Self: Sendable, Element: Sendable {
    /// Turns all elements at once, and keeps their order.
    package func asyncMap<Value: Sendable>(
        _ turn: @escaping @Sendable (Element) async throws -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: (Int, Value).self) { tasks in
            for (index, element) in enumerated() { tasks.addTask { (index, try await turn(element)) } }
            var values: [(Int, Value)] = []
            for try await value in tasks { values.append(value) }
            return values.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

/// What the parts of the newest cluster said, for the one who reads of a failure.
package enum ClusterRecords {
    struct Part: Sendable {
        let name: String
        let log: @Sendable () -> String
    }

    static let current = Mutex<[Part]>([])

    /// Prints the last lines of each part, once for each cluster.
    static func show(_ count: Int = 60) {
        let parts = current.withLock { current in
            defer { current = [] }
            return current
        }
        for part in parts {
            let lines = part.log().split(separator: "\n").suffix(count)
            print("--- \(part.name)\n" + lines.map { "    \($0)\n" }.joined())
        }
    }
}
