import Logging
import MartletCore
import MartletLog
import MartletSQL
import Testing

/// What a feature's stores run on in tests: a database of either engine, with the schema of the program, and its event log.
package enum StoreEngine: String, Sendable, CaseIterable {
    case sqlite = "SQLite"
    case postgres = "PostgreSQL"

    /// The engine of the test that runs; see the trait `everyEngine`.
    @TaskLocal package static var current = StoreEngine.sqlite

    /// A new, empty store on the current engine. It is closed with its last reference.
    package static func open(clock: any TimeSource) async throws -> Store {
        switch current {
        case .sqlite: try await openSQLite(clock)
        case .postgres: try await openPostgres(clock)
        }
    }

    private static func openSQLite(_ clock: any TimeSource) async throws -> Store {
        let database = try SQLiteDatabase(.memory)
        try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
        let log = try await SQLiteEventLog(database, clock: clock) { _ in }
        return Store(database: database, log: log) { log.close() }
    }

    private static func openPostgres(_ clock: any TimeSource) async throws -> Store {
        let server = try await PostgresServer.shared
        let url = try await server.database(copyOf: try await migrated.name)
        var settings = PostgresDatabase.Settings()
        settings.connections = 3
        settings.patience = .seconds(60)
        let database = try PostgresDatabase(url, settings)
        let log = try await PostgresEventLog(database, clock: clock, appenders: 1, logger: Logger(label: "test")) { _ in
        }
        return Store(database: database, log: log) {
            log.close()
            database.close()
            // Not awaited by anybody: the server is gone with the process anyway.
            Task { await server.remove(url) }
        }
    }

    private static let migrated = MigratedTemplate()
}

/// A database with its log.
package final class Store: Sendable {
    package let database: any Database
    package let log: any EventLog
    private let close: @Sendable () -> Void

    init(database: any Database, log: any EventLog, close: @escaping @Sendable () -> Void) {
        self.database = database
        self.log = log
        self.close = close
    }

    deinit { close() }
}

/// A database of the shared server with the program's schema, made once, to be copied for each test.
private actor MigratedTemplate {
    private var making: Task<String, any Error>?

    var name: String {
        get async throws {
            // Awaited right below, by each that asks.
            let task = making ?? Task { try await Self.make() }
            making = task
            return try await task.value
        }
    }

    private static func make() async throws -> String {
        let url = try await PostgresServer.shared.database()
        let database = try PostgresDatabase(url)
        try await Migrator(Migration.all(log: Migration.postgresLog)).migrate(database, now: .distantPast)
        database.close()
        return url.database
    }
}

/// Runs each test of a suite twice: on SQLite, and on PostgreSQL. An issue says on which.
package struct EveryEngineTrait: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        for engine in StoreEngine.allCases {
            let naming = IssueHandlingTrait.compactMapIssues { issue in
                var issue = issue
                issue.comments.append("on \(engine.rawValue)")
                return issue
            }
            try await StoreEngine.$current.withValue(engine) {
                try await naming.provideScope(for: test, testCase: testCase) {
                    // Recorded here, where the engine is known, and so that the other one has its turn.
                    do { try await function() } catch { Issue.record(error, sourceLocation: test.sourceLocation) }
                }
            }
        }
    }
}

extension Trait where Self == EveryEngineTrait {
    package static var everyEngine: Self { EveryEngineTrait() }
}
