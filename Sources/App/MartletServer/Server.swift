// MartletServer: from a configuration to running services. The only module that names adapters. Start here: `Server.init` builds the node from
// the inside out (store, log, bus, features, edges), `run` starts its services and stops them in order.
import Foundation
import Logging
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletLog
import MartletMessaging
import MartletSQL
import MartletSocial
import MartletWeb
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// One node: the services of its roles in one process, on its store and its bus.
package final class Server: Sendable {
    package let metrics = MetricRegistry()
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let log: OpenedLog
    private let cluster: Cluster
    private let features: Features
    private let watcher: RevocationWatcher
    private let gateway: Gateway
    private let loops: MultiThreadedEventLoopGroup
    private let node: Node

    /// Opens the store, brings it to this program's schema and builds the node. Throws a fault with one clear line.
    package init(_ configuration: ServerConfiguration, secrets: Secrets, logger: Logger) async throws(Fault) {
        self.configuration = configuration
        self.logger = logger
        let clock = SystemTime()
        let store = try await Store(configuration, logger: logger)
        let migrated = try await store.migrate(now: clock.now)
        if !migrated.isEmpty {
            logger.info("schema brought up to date", metadata: ["steps": "\(migrated.joined(separator: " "))"])
        }

        loops = MultiThreadedEventLoopGroup(numberOfThreads: configuration.gateway.loops)
        let node = Node(configuration)
        self.node = node
        let cluster = try await Cluster.open(
            configuration, incarnation: node.incarnation, group: loops, metrics: metrics, logger: logger)
        self.cluster = cluster
        log = try await store.log(clock: clock, metrics: LogMetrics(metrics)) { cluster.broker.publish($0) }

        let revocations = Revocations()
        watcher = RevocationWatcher(
            database: store.database, revocations: revocations, broker: cluster.broker, clock: clock,
            lifetime: configuration.accessTokenLifetime,
            logger: logger)
        try await watcher.load()
        let tokens = try await AccessTokens(
            .init(keys: secrets.signingKeys, lifetime: configuration.accessTokenLifetime), revocations: revocations,
            clock: clock)
        let ports = Ports(
            database: store.database, log: log.log, broker: cluster.broker, presence: cluster.presence,
            limiter: cluster.limiter, clock: clock, logger: logger)
        features = Features(ports, configuration, tokens, revocations)

        let (departure, gatewayMetrics) = (Departure(), GatewayMetrics(metrics))
        let (choice, reference) = (GatewayChoice(directory: cluster.directory), GatewayReference())
        let authenticator = features.authenticator(tokens, revocations, clock)
        let router = features.router(
            ports, configuration, metrics, secrets: secrets, authenticator: authenticator, departure: departure,
            goWebSocket: features.goWebSocket(configuration.dialects.goWebSocket, ports, authenticator, reference),
            bus: cluster.check(behind: gatewayMetrics.behind)
        ) { () throws(Fault) in try choice.pick() }
        gateway = Gateway(
            configuration.gateway,
            features.gatewayServices(
                ports, cluster.presenceWriter, tokens, revocations, configuration.dialects,
                http: HummingbirdEdge(router: router, logger: logger), departure: departure),
            gatewayMetrics, logger, group: loops)
        cluster.attach(gateway)
        reference.set(gateway)
        registerReadings(store)
    }

    private func registerReadings(_ store: Store) {
        let (log, gateway, directory) = (log, gateway, cluster.directory)
        metrics.reading("martlet_log_queue_depth", "Sends that wait for the log's writer") { log.queueDepth() }
        metrics.reading("martlet_database_queue_depth", "Transactions that wait for the database") {
            store.queueDepth()
        }
        metrics.reading("martlet_sends_at_work", "Sends that the log has not answered") { gateway.sendsAtWork }
        metrics.reading("martlet_nodes", "Nodes in the directory, this one included") { directory.nodes().count }
        metrics.reading("martlet_cluster_sessions", "Signed-in sessions of all nodes in the directory") {
            directory.nodes().reduce(0) { $0 + $1.sessions }
        }
    }

    /// Runs until SIGTERM or SIGINT; returns once everything that was accepted is stored. `onListening` gets the ports.
    package func run(onListening: @escaping @Sendable (OpenPorts) -> Void) async throws {
        let (node, gateway, directory) = (node, gateway, cluster.directory)
        let server = GatewayServer(gateway, group: loops) { ports in
            node.port.set(ports.port)
            await directory.announce(node.record(gateway))
            onListening(ports)
        }
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) } + [
                    .init(service: NodeService(directory: directory) { node.record(gateway) }),
                    .init(service: server),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        // Before its first session: what a node says that nobody knows is believed only for a moment.
        await directory.announce(node.record(gateway))
        do {
            try await group.run()
        } catch {
            await close()
            throw error
        }
        await close()
        try? await loops.shutdownGracefully()
        logger.info("stopped: everything accepted is stored")
    }

    /// What runs beside the port, by role.
    private var services: [any Service] {
        let (gateway, period) = (gateway, configuration.cluster.comparePeriod)
        var services: [any Service] = [BackgroundService(watcher.run)]
        if cluster.broker.isLossy {
            services.append(BackgroundService { await gateway.watchTopics(every: period) })
        }
        if configuration.cluster.roles.contains(.worker) {
            services.append(
                HousekeepingService(
                    log: log.log, accounts: features.accounts, postings: features.postings,
                    configuration: configuration.retention,
                    leases: cluster.leases, clock: SystemTime(), logger: logger))
        }
        return services
    }

    private func close() async {
        let log = log
        // It blocks: not on a thread that others wait for.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                log.close()
                continuation.resume()
            }
        }
        await cluster.close()
    }

    /// For `--demo`.
    package var demo: DemoData { features.demo }
}

/// A loop that ends when the server stops.
private struct BackgroundService: Service {
    private let work: @Sendable () async throws -> Void

    init(_ work: @escaping @Sendable () async throws -> Void) { self.work = work }

    func run() async throws {
        try await cancelWhenGracefulShutdown { [work] in
            do {
                try await work()
            } catch is CancellationError {
                // The server stops.
            }
        }
    }
}
