import Foundation
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletServer

/// What a move from SQLite to PostgreSQL brings along.
@Suite struct MovingTests {
    @Test func `Every table of SQLite is moved or left on purpose`() async throws {
        let database = try SQLiteDatabase(.memory)
        defer { database.close() }
        try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: .distantPast)
        let names = try await database.read { connection throws(Fault) in try MovingPlan.names(connection) }
        #expect(names == MovingPlan.known)
    }

    @Test func `Every column is moved`() async throws {
        let database = try SQLiteDatabase(.memory)
        defer { database.close() }
        try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: .distantPast)
        let missing = try await database.read { connection throws(Fault) in
            var missing: [String] = []
            for table in try MovingPlan.tables(of: connection) {
                let moved = Set(table.columns.map(\.name))
                for row in try connection.rows("SELECT name FROM pragma_table_info(\(table.name))") {
                    let name = try row.text("name")
                    if !moved.contains(name) { missing.append("\(table.name).\(name)") }
                }
            }
            return missing
        }
        #expect(missing == [])
    }

    @Test func `Everything arrives, and both sides are the same`() async throws {
        let house = try await MovingHouse()
        let report = try await house.move()
        #expect(report.problems == [])
        #expect(report.differences == [])
        #expect(!report.isResumed)
        // A table without a row would prove nothing.
        #expect(report.rows.filter { $0.count == 0 }.map(\.table) == [])
        #expect(report.moved == report.rows.reduce(0) { $0 + $1.count })
    }

    @Test func `A conversation reads as it did`() async throws {
        let house = try await MovingHouse()
        try await house.move()
        let before = try await house.onSQLite { log, _ in
            try await log.read(MovingHouse.pair, 1...100, limit: 100, newest: false)
        }
        let after = try await house.onPostgres { log, _ in
            try await log.read(MovingHouse.pair, 1...100, limit: 100, newest: false)
        }
        #expect(before.bounds == after.bounds)
        #expect(before.bounds.first == 2)
        #expect(before.events.map(Self.words) == after.events.map(Self.words))
        #expect(before.amendments.map(Self.words) == after.amendments.map(Self.words))
        #expect(after.events.contains { $0.body == nil })
        #expect(!after.amendments.isEmpty)
    }

    @Test func `A retry gets the answer that it would have got`() async throws {
        let house = try await MovingHouse()
        let draft = house.draft("once", clientId: MovingHouse.retried)
        let stored = try await house.integer(
            "SELECT ordinal FROM log_events WHERE client_id = '\(MovingHouse.retried)'")
        try await house.move()
        // The record is of the older generation, and nearly a day old.
        house.clock.advance(.seconds(-3 * 3600))
        let receipt = try await house.onPostgres { log, _ in try await log.append(draft) }
        #expect(receipt.isRepeat)
        #expect(receipt.ordinal == stored)
    }

    @Test func `A retry with another payload is refused as before`() async throws {
        let house = try await MovingHouse()
        try await house.move()
        let draft = house.draft("something else", clientId: "the-last")
        let fault = await #expect(throws: Fault.self) {
            try await house.onPostgres { log, _ in try await log.append(draft) }
        }
        #expect(fault?.reason == .clientIdReused)
    }

    @Test func `New events follow the moved ones`() async throws {
        let house = try await MovingHouse()
        let last = try await house.onSQLite { log, _ in try await log.bounds([MovingHouse.pair])[MovingHouse.pair] }
        let ordinal = try await house.integer("SELECT max(ordinal) FROM log_events") ?? 0
        try await house.move()
        let draft = house.draft("new", clientId: "new")
        let other = house.draft("new", clientId: "new", in: .room(AppID(unchecked: 1), "new"))
        let (receipt, opening) = try await house.onPostgres { log, _ in
            (try await log.append(draft), try await log.append(other))
        }
        #expect(receipt.seq == (last?.last ?? 0) + 1)
        #expect(receipt.ordinal > ordinal)
        #expect(opening.seq == 1)
    }

    @Test func `New accounts get new numbers`() async throws {
        let house = try await MovingHouse()
        let newest = try await house.integer("SELECT max(id) FROM users") ?? 0
        try await house.move()
        let next = try await house.onPostgres { _, database in
            try await database.write { connection throws(Fault) in try connection.next(.user) }
        }
        #expect(next > newest)
    }

    @Test func `Events of other times lie in their own partitions`() async throws {
        let house = try await MovingHouse()
        try await house.move()
        let parts = try await house.execute("SELECT DISTINCT part FROM log_events")
        #expect(parts.count > 1)
    }

    @Test func `An empty store moves too`() async throws {
        let house = try await MovingHouse(isFilled: false)
        _ = try await house.onSQLite { _, _ in }
        let report = try await house.move()
        #expect(report.isSound)
        #expect(report.moved == 0)
    }

    private static func words(_ event: Event) -> String {
        let body = event.body.map { String(decoding: $0, as: UTF8.self) } ?? "erased"
        return "\(event.seq) \(event.ordinal) \(event.sender.value) \(event.kind) \(event.time.milliseconds) "
            + "\(event.clientId) \(body)"
    }

    private static func words(_ amendment: Amendment) -> String {
        let body = amendment.body.map { String(decoding: $0, as: UTF8.self) } ?? "erased"
        return "\(amendment.target) \(amendment.seq) \(amendment.kind) \(amendment.sender.value) "
            + "\(amendment.time.milliseconds) \(body)"
    }
}
