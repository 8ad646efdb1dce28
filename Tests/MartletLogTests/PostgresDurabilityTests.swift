import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletLog

/// Servers whose settings make less of a commit than the contract does.
@Suite struct PostgresDurabilityTests {
    @Test(arguments: [
        ("on", false, false), ("on", true, false), ("remote_apply", true, false), ("remote_write", true, false),
        ("local", false, false), ("local", true, true), ("off", false, true), ("off", true, true),
    ])
    func `Commits that are lost with less than the settings promise`(
        commits: String, hasStandbys: Bool, isLoss: Bool
    ) {
        let loss = PostgresDurability.loss(commits: commits, hasStandbys: hasStandbys)
        #expect((loss != nil) == isLoss)
    }

    @Test func `Commits that do not wait for the disk are warned of once for each change, over all connections`()
        async throws
    {
        let store = PostgresStore()
        let url = try await store.url
        let database = try PostgresDatabase(url, logger: quiet)
        let lines = LogLines()
        try await set("off", database)
        let log = try await PostgresEventLog(database, clock: ManualClock(), logger: lines.logger) { _ in }
        try await sendToAll(log)
        try await reconnect(log, database)
        func warnings() -> [String] { lines.warnings.filter { $0.contains("synchronous_commit=off") } }
        #expect(warnings().count == 1)
        #expect(warnings().first?.contains("set synchronous_commit = on") == true)
        try await set("on", database)
        try await reconnect(log, database)
        #expect(warnings().count == 1)
        try await set("off", database)
        try await reconnect(log, database)
        #expect(warnings().count == 2)
        log.close()
        await store.remove()
    }

    private func set(_ value: String, _ database: PostgresDatabase) async throws {
        let name = database.url.description.split(separator: "/").last ?? ""
        try await database.alter { connection throws(Fault) in
            _ = try connection.run(SQL(stringLiteral: "ALTER DATABASE \(name) SET synchronous_commit = \(value)"))
        }
    }

    /// Ends the appenders' connections, and returns once each has another one.
    private func reconnect(_ log: PostgresEventLog, _ database: PostgresDatabase) async throws {
        try await database.write { connection throws(Fault) in
            _ = try connection.rows(
                """
                SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'martlet-log-%'
                """)
        }
        try await sendToAll(log)
    }

    /// Sends to so many conversations that each appender has some.
    private func sendToAll(_ log: PostgresEventLog) async throws {
        for id in Int64(1)...32 {
            while await reason({ try await log.append(message("one", in: group(id))) }) != nil {}
        }
    }
}
