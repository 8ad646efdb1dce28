import MartletCore
import MartletSQL
import MartletTestServices
import Testing

/// A connection to a new, empty database.
func withConnection(
    timeout: Duration = .seconds(20), _ body: (PostgresConnection) throws -> Void
) async throws {
    let server = try await PostgresServer.shared
    let url = try await server.database()
    let connection = try PostgresConnection(url, statementTimeout: timeout, name: "test")
    do {
        try body(connection)
        connection.close()
        await server.remove(url)
    } catch {
        connection.close()
        await server.remove(url)
        throw error
    }
}

/// The failure that `work` throws.
func failure<Value>(_ work: () throws(PostgresFailure) -> Value) -> PostgresFailure? {
    do throws(PostgresFailure) {
        _ = try work()
        return nil
    } catch {
        return error
    }
}

@Suite struct PostgresConnectionTests {
    @Test func `Values of every type come back as the port's`() async throws {
        try await withConnection { connection throws in
            let row = try connection.execute(
                """
                SELECT 1::int2 AS small, 2::int4 AS medium, 3::int8 AS large, true AS yes, 'a'::varchar AS varchar, 'b'::name AS name,
                sum(x) AS sum, 12345678901234567::numeric AS big, -10000::numeric AS negative, 0::numeric AS zero, 0.25::numeric AS quarter,
                0.5::float4 AS half, '\\x0001'::bytea AS bytes, NULL AS nothing FROM (VALUES (3::int8), (4)) AS t (x)
                """
            ).rows.first
            let found = try #require(row)
            let numbers: [String: Int64] = [
                "small": 1, "medium": 2, "large": 3, "yes": 1, "sum": 7, "big": 12_345_678_901_234_567,
                "negative": -10_000,
                "zero": 0,
            ]
            for (name, value) in numbers { #expect(try found.integer(name) == value, "\(name)") }
            #expect(try found.text("varchar") == "a")
            #expect(try found.text("name") == "b")
            #expect(try found.value("quarter") == .real(0.25))
            #expect(try found.value("half") == .real(0.5))
            #expect(try found.optionalBlob("bytes") == [0, 1])
            #expect(try found.value("nothing") == .null)
        }
    }

    @Test func `Arrays are bound whole, with nulls and empty ones`() async throws {
        try await withConnection { connection throws in
            let rows = try connection.execute(
                PostgresStatement(
                    text: "SELECT a, b, c, d, e, f FROM unnest($1, $2, $3, $4, $5, $6) AS t (a, b, c, d, e, f)",
                    [
                        .integers([.max, -1]), .optionalIntegers([nil, 5]), .smallIntegers([7, -7]),
                        .mediumIntegers([1, 2]),
                        .texts(["ä", nil]), .blobs([nil, []]),
                    ])
            ).rows
            #expect(try rows.map { try $0.value("a") } == [.integer(.max), .integer(-1)])
            #expect(try rows.map { try $0.value("b") } == [.null, .integer(5)])
            #expect(try rows.map { try $0.value("c") } == [.integer(7), .integer(-7)])
            #expect(try rows.map { try $0.value("d") } == [.integer(1), .integer(2)])
            #expect(try rows.map { try $0.value("e") } == [.text("ä"), .null])
            #expect(try rows.map { try $0.value("f") } == [.null, .blob([])])
            let none = try connection.execute(
                PostgresStatement(text: "SELECT x FROM unnest($1) AS t (x)", [.integers([])]))
            #expect(none.rows.isEmpty)
        }
    }

    @Test func `Integers and nulls fit narrow columns`() async throws {
        try await withConnection { connection throws in
            _ = try connection.execute("CREATE TABLE flags (id BIGINT PRIMARY KEY, flag SMALLINT, name TEXT)")
            let nothing: Int64? = nil
            let noName: String? = nil
            let inserted = try connection.execute(
                PostgresStatement("INSERT INTO flags VALUES (\(1), \(true), \("x")), (\(2), \(nothing), \(noName))"))
            #expect(inserted.changed == 2)
            let found = try connection.execute(
                PostgresStatement("SELECT id FROM flags WHERE flag = \(true) AND id IN (\(list: [1, 2])) LIMIT \(5)"))
            #expect(try found.rows.map { try $0.integer("id") } == [1])
            let updated = try connection.execute(
                PostgresStatement(
                    "UPDATE flags SET flag = coalesce(\(nothing), flag), name = \(noName) WHERE id = \(1)"))
            #expect(updated.changed == 1)
            #expect(try connection.execute("SELECT flag FROM flags WHERE id = 1").rows.first?.integer("flag") == 1)
        }
    }

    @Test func `A pipeline is one transaction`() async throws {
        try await withConnection { connection throws in
            _ = try connection.execute("CREATE TABLE things (id BIGINT PRIMARY KEY)")
            let thrown = failure { () throws(PostgresFailure) in
                try connection.pipeline([
                    "INSERT INTO things VALUES (1)", "INSERT INTO things VALUES (1)", "INSERT INTO things VALUES (2)",
                ])
            }
            #expect(thrown?.kind == .refused)
            #expect(thrown?.sqlState == "23505")
            #expect(connection.isUsable)
            let results = try connection.pipeline(["INSERT INTO things VALUES (3)", "SELECT id FROM things"])
            #expect(results.map(\.changed) == [1, 1])
            #expect(try results[1].rows.map { try $0.integer("id") } == [3])
        }
    }

    @Test func `Statements whose results nobody reads are done`() async throws {
        try await withConnection { connection throws in
            _ = try connection.execute("CREATE TABLE things (id BIGINT PRIMARY KEY)")
            for id in Int64(1)...10 {
                try connection.sendOnly([PostgresStatement(text: "INSERT INTO things VALUES ($1)", [.integer(id)])])
            }
            try connection.sendOnly(["INSERT INTO things VALUES (1)"])
            #expect(try connection.execute("SELECT count(*) AS count FROM things").rows.first?.integer("count") == 10)
        }
    }

    @Test func `A large pipeline goes through a small socket`() async throws {
        try await withConnection { connection throws in
            let bytes = [UInt8](repeating: 7, count: 1 << 20)
            let statements = (0..<20).map { _ in
                PostgresStatement(text: "SELECT $1 AS back", [.blob(bytes)])
            }
            let results = try connection.pipeline(statements)
            let isSame = results.allSatisfy { (try? $0.rows.first?.optionalBlob("back")) == bytes }
            #expect(results.count == 20)
            #expect(isSame)
        }
    }

    @Test func `Prepared statements are bounded, and what is let go is prepared anew`() async throws {
        try await withConnection { connection throws in
            for round in 0..<2 {
                for number in 0..<300 {
                    let row = try connection.execute(PostgresStatement(text: "SELECT \(number) AS n")).rows.first
                    #expect(try row?.integer("n") == Int64(number), "\(round)")
                }
            }
            let kept = try connection.execute("SELECT count(*) AS count FROM pg_prepared_statements")
            #expect(try kept.rows.first?.integer("count") == 256)
        }
    }

    @Test func `A statement that can't be prepared is tried anew the next time`() async throws {
        try await withConnection { connection throws in
            let statement: PostgresStatement = "SELECT id FROM later"
            #expect(failure { () throws(PostgresFailure) in try connection.execute(statement) }?.sqlState == "42P01")
            _ = try connection.execute("CREATE TABLE later (id BIGINT)")
            #expect(try connection.execute(statement).rows.isEmpty)
        }
    }

    @Test func `A statement whose table was altered costs the connection, not an unknown outcome`() async throws {
        try await withConnection { connection throws in
            _ = try connection.execute("CREATE TABLE things (id BIGINT)")
            _ = try connection.execute("SELECT * FROM things")
            _ = try connection.execute("ALTER TABLE things ADD COLUMN name TEXT")
            let thrown = failure { () throws(PostgresFailure) in try connection.execute("SELECT * FROM things") }
            #expect(thrown?.kind == .lost(isOutcomeUnknown: false))
            #expect(!connection.isUsable)
        }
    }

    @Test func `A statement past its time is ended by the server, and the connection stays`() async throws {
        try await withConnection(timeout: .milliseconds(300)) { connection throws in
            let thrown = failure { () throws(PostgresFailure) in try connection.execute("SELECT pg_sleep(20)") }
            #expect(thrown?.kind == .refused)
            #expect(thrown?.fault.reason == .unavailable)
            #expect(try connection.execute("SELECT 1 AS one").rows.first?.integer("one") == 1)
        }
    }

    @Test func `Text with U+0000 is refused`() async throws {
        try await withConnection { connection throws in
            let thrown = failure { () throws(PostgresFailure) in
                try connection.execute(PostgresStatement(text: "SELECT $1 AS text", [.text("a\0b")]))
            }
            #expect(thrown?.sqlState == "22021")
        }
    }

    @Test func `A connection that the server ended before anything was sent has a known outcome`() async throws {
        let server = try await PostgresServer.shared
        let connection = try PostgresConnection(server.url(), statementTimeout: .seconds(5), name: "to be ended")
        defer { connection.close() }
        let id = try connection.execute("SELECT pg_backend_pid() AS id").rows.first?.integer("id") ?? 0
        try await server.execute("SELECT pg_terminate_backend(\(id), 10000)")
        let thrown = failure { () throws(PostgresFailure) in try connection.execute("SELECT 1 AS one") }
        #expect(thrown?.kind == .lost(isOutcomeUnknown: false))
        #expect(!connection.isUsable)
    }
}
