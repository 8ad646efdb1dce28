// MartletServer: from a configuration to running services. The only module that names adapters. Start here: `Server.init` builds the node from
// the inside out (store, log, bus, features, edges), `run` starts its services and stops them in order.
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
import MartletWire
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// One node: everything in one process, on SQLite.
package final class Server: Sendable {
    package let metrics = MetricRegistry()
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let log: SQLiteEventLog
    private let features: Features
    private let watcher: RevocationWatcher
    private let gateway: Gateway
    private let loops: MultiThreadedEventLoopGroup
    /// The port that was taken, once it was.
    private let port = Gauge()

    /// Opens the store, brings it to this program's schema and builds the node. Throws a fault with one clear line.
    package init(_ configuration: ServerConfiguration, secrets: Secrets, logger: Logger) async throws(Fault) {
        self.configuration = configuration
        self.logger = logger
        let clock = SystemTime()
        let database = try SQLiteDatabase(.file(configuration.databasePath))
        let migrated = try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
        if !migrated.isEmpty {
            logger.info("schema brought up to date", metadata: ["steps": "\(migrated.joined(separator: " "))"])
        }

        let broker = LocalBroker()
        let presence = LocalPresence()
        let limiter = LocalRateLimiter(isOn: configuration.isRateLimited)
        log = try await SQLiteEventLog(database, clock: clock, metrics: LogMetrics(metrics)) { broker.publish($0) }

        let revocations = Revocations()
        watcher = RevocationWatcher(
            database: database, revocations: revocations, broker: broker, clock: clock,
            lifetime: configuration.accessTokenLifetime,
            logger: logger)
        try await watcher.load()
        let tokens = try await AccessTokens(
            .init(keys: secrets.signingKeys, lifetime: configuration.accessTokenLifetime), revocations: revocations,
            clock: clock)
        let ports = Ports(
            database: database, log: log, broker: broker, presence: presence, limiter: limiter, clock: clock,
            logger: logger)
        features = Features(ports, configuration, tokens, revocations)

        loops = MultiThreadedEventLoopGroup(numberOfThreads: configuration.gateway.loops)
        let port = port
        let departure = Departure()
        let router = features.router(
            ports, configuration, metrics, secrets: secrets,
            authenticator: features.authenticator(tokens, revocations), departure: departure
        ) {
            configuration.gatewayAddress(port: port.value)
        }
        gateway = Gateway(
            configuration.gateway,
            features.gatewayServices(
                ports, presence, tokens, revocations, http: HummingbirdEdge(router: router, logger: logger),
                departure: departure),
            GatewayMetrics(metrics), logger, group: loops)
        broker.attach(gateway)
        registerReadings(database)
    }

    private func registerReadings(_ database: SQLiteDatabase) {
        let (log, gateway) = (log, gateway)
        metrics.reading("martlet_log_queue_depth", "Sends that wait for the log's writer") { log.queueDepth }
        metrics.reading("martlet_database_queue_depth", "Transactions that wait for the database's writer") {
            database.queueDepth
        }
        metrics.reading("martlet_sends_at_work", "Sends that the log has not answered") { gateway.sendsAtWork }
    }

    /// Runs until SIGTERM or SIGINT; returns once everything that was accepted is stored. `onListening` gets the port.
    package func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
        let taken = port
        let server = GatewayServer(gateway, group: loops) { port in
            taken.set(port)
            onListening(port)
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: BackgroundService(watcher.run)),
                    .init(
                        service: HousekeepingService(
                            log: log, accounts: features.accounts, configuration: configuration.retention,
                            clock: SystemTime(),
                            logger: logger)),
                    .init(service: server),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch {
            close()
            throw error
        }
        close()
        try? await loops.shutdownGracefully()
        logger.info("stopped: everything accepted is stored")
    }

    private func close() { log.close() }

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
