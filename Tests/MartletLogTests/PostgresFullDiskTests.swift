import MartletCore
import MartletLog
import MartletSQL
import Testing

/// A server that finds no room for a row.
@Suite(.timeLimit(.minutes(1))) struct PostgresFullDiskTests {
    private static let words = "the database's disk is full"

    /// Makes each insert into a table fail as one does that finds no room, until `makeRoom`.
    private func fillDisk(_ table: String, _ fixture: LogFixture) async throws {
        try await fixture.database.alter { connection throws(Fault) in
            try connection.run(
                """
                CREATE FUNCTION find_no_room() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$
                """)
            try connection.run(
                SQL(
                    stringLiteral: """
                        CREATE TRIGGER full_disk BEFORE INSERT ON \(table) FOR EACH ROW EXECUTE FUNCTION find_no_room()
                        """))
        }
    }

    private func makeRoom(_ fixture: LogFixture) async throws {
        try await fixture.database.alter { connection throws(Fault) in
            _ = try connection.run("DROP FUNCTION find_no_room CASCADE")
        }
    }

    private func refusedForRoom(_ work: () async throws -> Void) async {
        do {
            try await work()
            Issue.record("found room")
        } catch let fault as Fault {
            #expect(fault.reason == .unavailable)
            #expect(fault.message == Self.words)
            #expect(fault.retryAfter != nil)
            #expect(fault.cause?.contains("53100") == true)
        } catch {
            Issue.record(error)
        }
    }

    /// What the log holds, as text: events, retry records, numbers.
    private func held(_ fixture: LogFixture) async throws -> String {
        try await fixture.database.read { connection throws(Fault) in
            try connection.row(
                """
                SELECT (SELECT count(*) FROM log_events) || ' ' || (SELECT count(*) FROM log_retries) || ' '
                || (SELECT count(*) FROM log_amendments) || ' ' || (SELECT sum(last_seq) FROM log_conversations) AS held
                """)?.text("held") ?? ""
        }
    }

    @Test func `A send is refused in clear words, and stored under the next number once there is room`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            try await fillDisk("log_events", fixture)
            let before = try await held(fixture)
            for _ in 0..<3 { await refusedForRoom { _ = try await fixture.log.append(message("two", id: "k")) } }
            let lane = CollectingLane()
            fixture.log.submit(lane.requests((1...20).map { message("many", in: group($0)) }))
            await lane.wait(20)
            #expect(lane.faults.map(\.message) == Array(repeating: Self.words, count: 20))
            #expect(try await held(fixture) == before)
            // Who reads is served.
            #expect(try await fixture.seqs(direct) == [1])
            try await makeRoom(fixture)
            let receipt = try await fixture.log.append(message("two", id: "k"))
            #expect((receipt.seq, receipt.isRepeat) == (2, false))
            #expect(try await fixture.committed.map(\.seq) == [1, 2])
        }
    }

    @Test(arguments: ["log_events", "log_retries", "log_amendments"])
    func `An amendment is refused in clear words, whole`(table: String) async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            try await fillDisk(table, fixture)
            let before = try await held(fixture)
            await refusedForRoom { _ = try await fixture.log.append(amendment(.recall, of: 1, id: "k")) }
            #expect(try await held(fixture) == before)
            #expect(try await fixture.all(direct).events.map(\.body) == [body("one")])
            try await makeRoom(fixture)
            let receipt = try await fixture.log.append(amendment(.recall, of: 1, id: "k"))
            #expect((receipt.seq, receipt.isRepeat) == (2, false))
        }
    }

    @Test(arguments: ["log_events", "log_retries", "things"])
    func `A transaction is refused in clear words, whole`(table: String) async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            try await fixture.database.alter { connection throws(Fault) in
                _ = try connection.run("CREATE TABLE things (id BIGINT PRIMARY KEY)")
            }
            _ = try await fixture.log.append(message("one", in: group(1)))
            try await fillDisk(table, fixture)
            let before = try await held(fixture)
            let transact = { () async throws in
                try await fixture.log.transact(on: group(1)) { connection, drafts throws(Fault) in
                    try connection.run("INSERT INTO things (id) VALUES (1)")
                    drafts = [message("two", in: group(1), id: "k")]
                }
            }
            await refusedForRoom(transact)
            #expect(try await held(fixture) == before)
            try await makeRoom(fixture)
            try await transact()
            #expect(try await fixture.seqs(group(1)) == [1, 2])
        }
    }

    @Test func `A write of a feature is refused in clear words, whole`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            try await fixture.database.alter { connection throws(Fault) in
                try connection.run("CREATE TABLE things (id BIGINT PRIMARY KEY)")
                try connection.run("CREATE TABLE others (id BIGINT PRIMARY KEY)")
            }
            try await fillDisk("things", fixture)
            let write = { () async throws in
                try await fixture.database.write { connection throws(Fault) in
                    try connection.run("INSERT INTO others (id) VALUES (1)")
                    try connection.run("INSERT INTO things (id) VALUES (1)")
                }
            }
            await refusedForRoom(write)
            let others = try await fixture.database.read { connection throws(Fault) in
                try connection.integer("SELECT count(*) FROM others")
            }
            #expect(others == 0)
            try await makeRoom(fixture)
            try await write()
        }
    }
}
