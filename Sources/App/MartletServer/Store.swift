import Logging
import MartletCore
import MartletLog
import MartletSQL

/// The database of a configuration, open, whatever its engine is.
package struct Store: Sendable {
    package let database: any Database
    /// Transactions that wait.
    let queueDepth: @Sendable () -> Int
    private let engine: Engine
    private let logger: Logger

    private enum Engine: Sendable {
        case sqlite(SQLiteDatabase)
        case postgres(PostgresDatabase)
    }

    /// Throws a fault with one clear line where it can't be opened.
    package init(_ configuration: ServerConfiguration, logger: Logger) async throws(Fault) {
        switch configuration.store {
        case .sqlite(let path):
            let opened = try SQLiteDatabase(.file(path))
            engine = .sqlite(opened)
            database = opened
            queueDepth = { opened.queueDepth }
        case .postgres(let url):
            var settings = PostgresDatabase.Settings()
            settings.connections = configuration.cluster.databaseConnections
            settings.statementTimeout = configuration.cluster.databaseTimeout
            settings.name = "martlet " + configuration.node
            let opened = try PostgresDatabase(try PostgresURL(url), settings, logger: logger)
            engine = .postgres(opened)
            database = opened
            queueDepth = { opened.queueDepth }
        }
        self.logger = logger
    }

    /// Brings it to this program's schema. Returns the names of the steps that were missing. Throws where a move into it is
    /// not finished.
    package func migrate(now: Instant) async throws(Fault) -> [String] {
        switch engine {
        case .sqlite(let database):
            return try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: now)
        case .postgres(let database):
            let steps = try await Migrator(Migration.all(log: Migration.postgresLog)).migrate(database, now: now)
            // Half of a store would hand out numbers that are yet to come.
            try await database.read { connection throws(Fault) in try MovingState.requireWhole(connection) }
            return steps
        }
    }

    /// Opens the log on it. Closing the log finishes what was taken, and closes the store.
    func log(
        clock: any TimeSource, metrics: LogMetrics, onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws(Fault) -> OpenedLog {
        switch engine {
        case .sqlite(let database):
            let log = try await SQLiteEventLog(database, clock: clock, metrics: metrics, onCommit: onCommit)
            return OpenedLog(log: log, queueDepth: { log.queueDepth }, close: { log.close() })
        case .postgres(let database):
            let log = try await PostgresEventLog(
                database, clock: clock, metrics: metrics, logger: logger, onCommit: onCommit)
            return OpenedLog(log: log, queueDepth: { log.queueDepth }, close: { log.close() })
        }
    }

    /// Proves the log's contract on it.
    package func verify() async throws(Fault) -> VerificationReport {
        switch engine {
        case .sqlite(let database): try await Verifier(database: database, log: .sqlite).run()
        case .postgres(let database): try await Verifier(database: database, log: .postgres).run()
        }
    }

    /// Lets go of it, where no log was opened.
    package func close() {
        switch engine {
        case .sqlite(let database): database.close()
        case .postgres(let database): database.close()
        }
    }
}

/// A log, open on a store.
struct OpenedLog: Sendable {
    let log: any EventLog
    /// Sends that wait for a writer.
    let queueDepth: @Sendable () -> Int
    /// Blocks until what was taken is stored.
    let close: @Sendable () -> Void
}
