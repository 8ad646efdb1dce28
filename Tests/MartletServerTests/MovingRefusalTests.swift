import Foundation
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletServer

/// A move that is ended and goes on, what keeps it from beginning, and what its comparison finds.
@Suite struct MovingRefusalTests {
    private func failure(_ house: MovingHouse) async -> OperatorFailure? {
        await #expect(throws: OperatorFailure.self) { try await house.move() }
    }

    /// Leaves a move unfinished behind some batches.
    private func begin(_ house: MovingHouse, batches: Int = 8) async throws {
        let moving = try house.moving()
        let stopped = await #expect(throws: OperatorFailure.self) {
            try await moving.run(.stopping(after: batches))
        }
        #expect(stopped?.status == .failed)
    }

    // MARK: Going on

    @Test func `A move that is stopped at every point comes to the same end`() async throws {
        let house = try await MovingHouse()
        let moving = try house.moving()
        var runs = 0
        var report: MovingReport?
        while report == nil, runs < 100 {
            runs += 1
            // Each time a little further: what was done stays done.
            report = try? await moving.run(.stopping(after: runs < 30 ? 2 : 1000))
        }
        #expect(runs > 5)
        #expect(report?.isResumed == true)
        #expect(report?.isSound == true)
        let events = try await house.integer("SELECT count(*) FROM log_events")
        #expect(report?.rows.first { $0.table == "log_events" }?.count == events)
    }

    @Test func `What is moved is not done again`() async throws {
        let house = try await MovingHouse()
        try await house.move()
        let again = try await house.move()
        #expect(again.wasFinished)
        #expect(again.moved == 0)
    }

    @Test func `No node serves from a database in the middle of a move`() async throws {
        let house = try await MovingHouse()
        try await begin(house)
        let fault = await #expect(throws: Fault.self) { try await open(house) }
        #expect(fault?.reason == .unavailable)
        try await house.move()
        try await open(house)
    }

    /// Opens the store as a node does at its start.
    private func open(_ house: MovingHouse) async throws {
        var configuration = house.configuration
        configuration.store = .postgres(house.server.urlText(house.target))
        let store = try await Store(configuration, logger: .quiet)
        defer { store.close() }
        _ = try await store.migrate(now: house.clock.now)
    }

    // MARK: Refusing

    @Test func `A database with tables of something else is left alone`() async throws {
        let house = try await MovingHouse(isFilled: false)
        _ = try await house.onSQLite { _, _ in }
        try await house.execute("CREATE TABLE invoices (id BIGINT)")
        #expect(await failure(house)?.status == .cannotCreate)
        let tables = try await house.execute("SELECT 1 AS one FROM pg_tables WHERE tablename = 'users'")
        #expect(tables.isEmpty)
    }

    @Test func `A database with rows is left alone`() async throws {
        let house = try await MovingHouse()
        try await house.migrateTarget()
        try await house.execute("INSERT INTO counters (name, value) VALUES ('user', 1)")
        let failure = await failure(house)
        #expect(failure?.status == .cannotCreate)
        #expect(failure?.message.contains("counters") == true)
    }

    @Test func `Another store can't go on with a move`() async throws {
        let house = try await MovingHouse()
        try await begin(house)
        try await house.change("UPDATE schema_migrations SET applied_at = applied_at + 1")
        #expect(await failure(house)?.status == .cannotCreate)
    }

    @Test func `A store that was used in between can't go on with its move`() async throws {
        let house = try await MovingHouse()
        try await begin(house)
        let draft = house.draft("in between", clientId: "between")
        _ = try await house.onSQLite { log, _ in try await log.append(draft) }
        let failure = await failure(house)
        #expect(failure?.status == .cannotCreate)
        #expect(failure?.message.contains("changed") == true)
    }

    @Test func `A running server keeps its store`() async throws {
        let house = try await MovingHouse(isFilled: false)
        _ = try await house.onSQLite { _, _ in }
        let lock = try DataFolder(existing: house.configuration.dataFolder).lock()
        #expect(await failure(house)?.status == .unavailable)
        withExtendedLifetime(lock) {}
    }

    @Test func `Nodes on the other side are to be stopped first`() async throws {
        let house = try await MovingHouse(isFilled: false)
        _ = try await house.onSQLite { _, _ in }
        try await house.migrateTarget()
        let refused = try await house.onPostgres { log, _ in
            _ = try await log.bounds([MovingHouse.pair])
            return await self.failure(house)
        }
        #expect(refused?.status == .unavailable)
        #expect(refused?.message.contains("nodes") == true)
    }

    @Test func `Names of the URL's own hide no node, and do not make one of the mover`() async throws {
        let house = try await MovingHouse()
        try await house.migrateTarget()
        let named = house.server.urlText(house.target) + "?application_name=theirs"
        let moving = try Moving(house.configuration, from: "sqlite:" + house.path, to: named)
        let node = try PostgresDatabase(try PostgresURL(named))
        let refused = await #expect(throws: OperatorFailure.self) {
            _ = try await node.read { connection throws(Fault) in try connection.integer("SELECT 1") }
            _ = try await moving.run(.patient)
        }
        #expect(refused?.message.contains("nodes") == true)
        node.close()
        #expect(try await moving.run(.patient).isSound)
    }

    @Test func `Two moves into one database do not mix`() async throws {
        let house = try await MovingHouse()
        let (url, identity) = (try house.server.url(house.target), try await identity(house))
        try await house.migrateTarget()
        let first = try MovingTarget(url)
        try first.begin(identity)
        first.close()
        try await house.change("UPDATE schema_migrations SET applied_at = applied_at + 1")
        let other = try await self.identity(house)
        let second = try MovingTarget(url)
        defer { second.close() }
        let fault = #expect(throws: Fault.self) { try second.begin(other) }
        #expect(fault?.reason == .unavailable)
    }

    private func identity(_ house: MovingHouse) async throws -> MovingIdentity {
        let source = try await MovingSource(house.path, folders: [house.configuration.dataFolder])
        defer { source.close() }
        return source.identity
    }

    @Test func `A table that nobody knows is not left behind`() async throws {
        let house = try await MovingHouse()
        try await house.change("CREATE TABLE surprises (id INTEGER PRIMARY KEY)")
        let failure = await failure(house)
        #expect(failure?.status == .unavailable)
        #expect(failure?.message.contains("surprises") == true)
    }

    @Test func `A newer schema is not moved`() async throws {
        let house = try await MovingHouse()
        try await house.change("INSERT INTO schema_migrations (number, name, applied_at) VALUES (900, 'later', 0)")
        #expect(await failure(house)?.status == .unavailable)
    }

    @Test func `What is not there can't be moved`() async throws {
        let house = try await MovingHouse(isFilled: false)
        #expect(await failure(house)?.status == .noInput)
    }

    @Test func `A wrong password is one line`() async throws {
        let house = try await MovingHouse()
        let url = "postgres://martlet:wrong@127.0.0.1:\(house.server.port)/\(house.target)"
        let moving = try Moving(house.configuration, from: nil, to: url)
        let failure = await #expect(throws: OperatorFailure.self) { try await moving.run(.patient) }
        #expect(failure?.status == .unavailable)
        #expect(failure?.message.contains("password") == true)
    }

    @Test(arguments: [("postgres://127.0.0.1/a", "postgres://127.0.0.1/b"), ("sqlite:a.db", "sqlite:b.db")])
    func `A move goes from SQLite to PostgreSQL`(from: String, to: String) throws {
        let failure = #expect(throws: OperatorFailure.self) { try Moving(ServerConfiguration(), from: from, to: to) }
        #expect(failure?.status == .usage)
    }

    // MARK: Comparing

    @Test(arguments: [
        ("UPDATE log_events SET body = '\\x7b7d' WHERE client_id = 'the-last'", "d:1:2"),
        ("UPDATE log_events SET client_id = 'x' WHERE client_id = 'm4'", "d:1:2"),
        ("DELETE FROM log_events WHERE client_id = 'm6'", "d:1:2"),
        ("UPDATE log_events SET conversation = 900000 WHERE client_id = 'm4'", "d:1:2"),
        ("UPDATE users SET nickname = 'Alicia' WHERE id = 1", "users"),
        ("DELETE FROM participants WHERE user_id = 2", "participants"),
        ("UPDATE log_retries SET digest = digest + 1 WHERE client_id = 'the-last'", "log_retries"),
        ("UPDATE log_amendments SET body = NULL WHERE kind = 34", "log_amendments"),
        ("UPDATE log_conversations SET first_seq = 1 WHERE name = 'd:1:2'", "log_conversations"),
    ])
    func `A change on one side is found`(change: String, place: String) async throws {
        let house = try await MovingHouse()
        try await house.move()
        try await house.execute(change)
        let source = try await MovingSource(house.path, folders: [house.configuration.dataFolder])
        defer { source.close() }
        let differences = try await house.moving().compare(source, .patient, isSound: false)
        #expect(differences.contains { $0.hasPrefix(place + ":") })
    }
}
