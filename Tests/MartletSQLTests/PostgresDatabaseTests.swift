import Foundation
import MartletCore
import MartletSQL
import MartletTestServices
import Synchronization
import Testing

/// What only PostgreSQL does: transactions that meet.
@Suite struct PostgresDatabaseTests {
    /// A database with one row, and a connection beside it, which a body can use to get in its own way.
    private func withRival(
        _ settings: PostgresDatabase.Settings = PostgresDatabase.Settings(),
        _ body: (PostgresDatabase, Rival) async throws -> Void
    ) async throws {
        try await withPostgres(settings) { database throws in
            try await makeTable(database)
            try await database.add(1, "0")
            let rival = try Rival(database.url)
            defer { rival.close() }
            try await body(database, rival)
        }
    }

    /// Reads the row, runs `meanwhile`, and counts the row up.
    private static func countUp(
        _ connection: any SQLConnection, meanwhile: () throws(Fault) -> Void = {}
    ) throws(Fault) {
        let value = try connection.row("SELECT name FROM things WHERE id = 1")?.text("name") ?? ""
        try meanwhile()
        try connection.run("UPDATE things SET name = \(String((Int(value) ?? 0) + 1)) WHERE id = 1")
    }

    private func value(_ database: PostgresDatabase) async throws -> String? {
        try await database.read { connection throws(Fault) in
            try connection.row("SELECT name FROM things WHERE id = 1")?.text("name")
        }
    }

    @Test func `A body that another transaction got in the way of runs again`() async throws {
        try await withRival { database, rival throws in
            let runs = Counter()
            try await database.write { connection throws(Fault) in
                try Self.countUp(connection) { () throws(Fault) in
                    if runs.next() == 1 { try rival.run("UPDATE things SET name = '10' WHERE id = 1") }
                }
            }
            #expect(runs.value == 2)
            #expect(try await value(database) == "11")
        }
    }

    @Test func `A conflict that the body swallowed is one all the same`() async throws {
        try await withRival { database, rival throws in
            let runs = Counter()
            try await database.write { connection throws(Fault) in
                do throws(Fault) {
                    try Self.countUp(connection) { () throws(Fault) in
                        if runs.next() == 1 { try rival.run("UPDATE things SET name = '10' WHERE id = 1") }
                    }
                } catch {}
            }
            #expect(runs.value == 2)
            #expect(try await value(database) == "11")
        }
    }

    @Test func `A body that is always in somebody's way is told so, in bounded time`() async throws {
        try await withRival { database, rival throws in
            let runs = Counter()
            let thrown = await fault {
                try await database.write { connection throws(Fault) in
                    try Self.countUp(connection) { () throws(Fault) in
                        try rival.run("UPDATE things SET name = '\(runs.next())' WHERE id = 1")
                    }
                }
            }
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.retryAfter != nil)
            #expect(runs.value > 2 && runs.value <= 20)
        }
    }

    @Test func `The third try holds the locks that it asked for, and gives them back`() async throws {
        try await withRival { database, rival throws in
            let runs = Counter()
            let held = Mutex<[Int64]>([])
            try await database.write(lockingOnRetry: { [9, 5, 9] }) { connection throws(Fault) in
                try Self.countUp(connection) { () throws(Fault) in
                    if runs.next() < 3 { return try rival.run("UPDATE things SET name = '10' WHERE id = 1") }
                    let locks = try rival.locks()
                    held.withLock { $0 = locks }
                }
            }
            #expect(runs.value == 3)
            #expect(held.withLock { $0 } == [5, 9, 4_294_967_295])
            #expect(try await value(database) == "11")
            // The locks are given back in the same stream as the next job of that connection.
            for _ in 0..<16 {
                try await database.write { connection throws(Fault) in _ = try connection.rows("SELECT 1") }
            }
            #expect(try rival.locks() == [])
        }
    }

    @Test func `The locks are given back behind a body that throws`() async throws {
        var settings = PostgresDatabase.Settings()
        settings.connections = 1
        try await withRival(settings) { database, rival throws in
            let runs = Counter()
            let thrown = await fault {
                try await database.write(lockingOnRetry: { [5] }) { connection throws(Fault) in
                    try Self.countUp(connection) { () throws(Fault) in
                        if runs.next() == 3 { throw Fault(.blocked, "no") }
                        try rival.run("UPDATE things SET name = '10' WHERE id = 1")
                    }
                }
            }
            #expect(thrown?.reason == .blocked)
            try await database.write { connection throws(Fault) in _ = try connection.rows("SELECT 1") }
            #expect(try rival.locks() == [])
        }
    }

    @Test func `A read sees one moment`() async throws {
        try await withRival { database, rival throws in
            let counts = try await database.read { connection throws(Fault) in
                let before = try connection.integer("SELECT count(*) FROM things")
                try rival.run("INSERT INTO things VALUES (2, 'x')")
                return [before, try connection.integer("SELECT count(*) FROM things")]
            }
            #expect(counts == [1, 1])
            #expect(try await database.ids() == [1, 2])
        }
    }

    @Test func `A write whose connection broke before its commit runs again`() async throws {
        try await withRival { database, rival throws in
            let runs = Counter()
            try await database.write { connection throws(Fault) in
                let own = try connection.integer("SELECT pg_backend_pid()") ?? 0
                try Self.countUp(connection) { () throws(Fault) in
                    if runs.next() == 1 { try rival.run("SELECT pg_terminate_backend(\(own), 10000)") }
                }
            }
            #expect(runs.value == 2)
            #expect(try await value(database) == "1")
        }
    }

    @Test func `A write whose connection broke at its commit is not run again`() async throws {
        try await withRival { database, rival throws in
            try rival.run(
                """
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$
                """)
            try rival.run(
                """
                CREATE CONSTRAINT TRIGGER die AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION die()
                """)
            let runs = Counter()
            let thrown = await fault {
                try await database.write { connection throws(Fault) in
                    _ = runs.next()
                    try connection.run("INSERT INTO things VALUES (2, 'x')")
                }
            }
            #expect(thrown?.reason == .unavailable)
            #expect(runs.value == 1)
            #expect(try await database.ids() == [1])
        }
    }

    // MARK: Bounds

    @Test func `Past its capacity the queue refuses, and says when to come back`() async throws {
        var settings = PostgresDatabase.Settings()
        settings.connections = 1
        settings.capacity = 3
        try await withPostgres(settings) { database throws in
            let gate = Gate()
            async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
            await gate.someoneWaits()
            let waiting = (0..<3).map { _ in Task { await fault { try await database.write { _ throws(Fault) in } } } }
            while database.queueDepth < 3 { await Task.yield() }
            let thrown = await fault { try await database.write { _ throws(Fault) in } }
            #expect(thrown?.reason == .overloaded)
            #expect(thrown?.retryAfter != nil)
            gate.open()
            await held
            for task in waiting {
                let thrown = await task.value
                #expect(thrown == nil)
            }
        }
    }

    @Test func `Who waits too long for a thread is told so while it is still busy`() async throws {
        var settings = PostgresDatabase.Settings()
        settings.connections = 1
        settings.patience = .milliseconds(200)
        try await withPostgres(settings) { database throws in
            let gate = Gate()
            async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
            await gate.someoneWaits()
            let thrown = await fault { try await database.write { _ throws(Fault) in } }
            gate.open()
            await held
            #expect(thrown?.reason == .overloaded)
        }
    }

    @Test func `Closing finishes what was taken and refuses the rest`() async throws {
        var settings = PostgresDatabase.Settings()
        settings.connections = 1
        try await withPostgres(settings) { database throws in
            try await makeTable(database)
            let gate = Gate()
            async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
            await gate.someoneWaits()
            async let added: Void = database.add(1)
            while database.queueDepth < 1 { await Task.yield() }
            let closing = Task.detached { database.close() }
            gate.open()
            await held
            try await added
            await closing.value
            let thrown = await fault { try await database.add(2) }
            #expect(thrown?.reason == .shuttingDown)
            #expect(database.connections == 0)
            let again = try PostgresDatabase(database.url)
            #expect(try await again.ids() == [1])
            again.close()
        }
    }
}

/// Another program on the same database, used from inside of bodies.
private final class Rival: @unchecked Sendable {
    private let lock = NSLock()
    private let connection: PostgresConnection

    init(_ url: PostgresURL) throws {
        connection = try PostgresConnection(url, statementTimeout: .seconds(20), name: "rival")
    }

    func close() { lock.withLock { connection.close() } }

    func run(_ text: String) throws(Fault) { _ = try rows(text) }

    /// The objects that are locked in Martlet's space, ascending.
    func locks() throws(Fault) -> [Int64] {
        var objects: [Int64] = []
        let rows = try rows(
            """
            SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = \(PostgresLock.space)
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY objid
            """)
        for row in rows { objects.append(try row.integer("objid")) }
        return objects
    }

    private func rows(_ text: String) throws(Fault) -> [SQLRow] {
        lock.lock()
        defer { lock.unlock() }
        do throws(PostgresFailure) {
            return try connection.execute(PostgresStatement(text: text, isKept: false)).rows
        } catch {
            throw error.fault
        }
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
