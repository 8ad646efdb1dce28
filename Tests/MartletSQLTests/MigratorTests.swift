import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

@Suite struct MigratorTests {
    private static let first = Migration(1, "first", ["CREATE TABLE one (id BIGINT PRIMARY KEY)"])
    private static let second = Migration(
        2, "second",
        ["ALTER TABLE one ADD COLUMN name TEXT", "INSERT INTO one (id, name) VALUES (1, 'made by second')"])
    private static let broken = Migration(
        3, "broken", ["INSERT INTO one (id) VALUES (2)", "INSERT INTO nowhere VALUES (1)"])

    private func ids(_ database: some Database) async throws(Fault) -> Int64? {
        try await database.read { connection throws(Fault) in try connection.integer("SELECT count(*) FROM one") }
    }

    @Test(arguments: Engine.all)
    func `Steps are applied once, in order, and noted`(engine: Engine) async throws {
        try await engine.run { database throws in
            let now = Instant(milliseconds: 77)
            #expect(try await Migrator([Self.first]).migrate(database, now: now) == ["first"])
            #expect(try await Migrator([Self.first, Self.second]).migrate(database, now: now) == ["second"])
            #expect(try await Migrator([Self.first, Self.second]).migrate(database, now: now) == [])
            #expect(try await ids(database) == 1)
            let rows = try await database.read { connection throws(Fault) in
                try connection.rows("SELECT number, name, applied_at FROM schema_migrations ORDER BY number")
            }
            #expect(try rows.map { try $0.integer("number") } == [1, 2])
            #expect(try rows.map { try $0.instant("applied_at") } == [now, now])
        }
    }

    @Test(arguments: Engine.all)
    func `A step that fails leaves the schema as it was`(engine: Engine) async throws {
        try await engine.run { database throws in
            try await Migrator([Self.first]).migrate(database, now: .distantPast)
            let thrown = await fault {
                try await Migrator([Self.first, Self.second, Self.broken]).migrate(database, now: .distantPast)
            }
            #expect(thrown?.isOurs == true)
            #expect(try await ids(database) == 0)
            #expect(try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast) == ["second"])
        }
    }

    @Test(arguments: Engine.all)
    func `A schema that was only expanded goes with an older program`(engine: Engine) async throws {
        try await engine.run { database throws in
            try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast)
            #expect(try await Migrator([Self.first]).migrate(database, now: .distantPast) == [])
        }
    }

    @Test(arguments: Engine.all)
    func `A program below the schema's floor is refused in words for the operator`(engine: Engine) async throws {
        let contracting = Migration(3, "contracting", floor: 2, ["ALTER TABLE one DROP COLUMN name"])
        try await engine.run { database throws in
            try await Migrator([Self.first, Self.second, contracting]).migrate(database, now: .distantPast)
            #expect(try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast) == [])
            let thrown = await fault { try await Migrator([Self.first]).migrate(database, now: .distantPast) }
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message.contains("knows schema 2, this one knows 1") == true)
        }
    }

    @Test(arguments: Engine.all) func `A floor is never lowered`(engine: Engine) async throws {
        let steps = [Self.first, Migration(2, "high", floor: 2, []), Migration(3, "low", floor: 1, [])]
        try await engine.run { database throws in
            try await Migrator(steps).migrate(database, now: .distantPast)
            let thrown = await fault { try await Migrator([Self.first]).migrate(database, now: .distantPast) }
            #expect(thrown?.reason == .unavailable)
        }
    }

    @Test func `A database from before there was a floor goes on`() async throws {
        let database = try SQLiteDatabase(.memory)
        defer { database.close() }
        try await Migrator([Self.first]).migrate(database, now: .distantPast)
        try await database.write { connection throws(Fault) in _ = try connection.run("DROP TABLE schema_floor") }
        #expect(try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast) == ["second"])
    }

    @Test func `Nodes that start together on one PostgreSQL take turns`() async throws {
        let server = try await PostgresServer.shared
        let url = try await server.database()
        let steps = Migration.all(log: [])
        let applied = try await withThrowingTaskGroup { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    let database = try PostgresDatabase(url)
                    defer { database.close() }
                    return try await Migrator(steps).migrate(database, now: .distantPast)
                }
            }
            return try await tasks.reduce(into: [[String]]()) { $0.append($1) }
        }
        await server.remove(url)
        #expect(applied.sorted { $0.count < $1.count } == [[], [], [], steps.map(\.name)])
    }

    /// Runs `body` while another connection reads a table, as a backup does, until it calls what it is given.
    private func withReader(
        _ settings: PostgresDatabase.Settings, _ lines: LogLines,
        _ body: (PostgresDatabase, _ end: () throws -> Void) async throws -> Void
    ) async throws {
        let server = try await PostgresServer.shared
        let url = try await server.database()
        let database = try PostgresDatabase(url, settings, logger: lines.logger)
        try await Migrator([Self.first]).migrate(database, now: .distantPast)
        let reader = try PostgresConnection(url, statementTimeout: .seconds(60), name: "backup")
        _ = try reader.execute(PostgresStatement(text: "BEGIN", isKept: false))
        _ = try reader.execute("LOCK TABLE one IN ACCESS SHARE MODE")
        try await body(database) { _ = try reader.execute(PostgresStatement(text: "COMMIT", isKept: false)) }
        reader.close()
        database.close()
        await server.remove(url)
    }

    @Test(.timeLimit(.minutes(1)))
    func `A step that waits for a backup lets others write meanwhile, and is done behind it`() async throws {
        let lines = LogLines()
        try await withReader(PostgresDatabase.Settings(), lines) { database, end throws in
            // Awaited below.
            let migration = Task {
                try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast)
            }
            while lines.warnings.isEmpty { await Task.yield() }
            for id in Int64(10)..<30 {
                try await database.write { connection throws(Fault) in
                    _ = try connection.run("INSERT INTO one (id) VALUES (\(id))")
                }
            }
            #expect(lines.warnings.first?.contains("end backups and long queries") == true)
            try end()
            #expect(try await migration.value == ["second"])
            #expect(try await ids(database) == 21)
        }
    }

    /// Rows where one waits for its turn to change the schema, and the one whose turn it is has been at rest for a while
    /// and keeps nobody from the table.
    private static let atRest: PostgresStatement = """
        SELECT 1 AS one FROM pg_locks holder JOIN pg_stat_activity a ON a.pid = holder.pid
        JOIN pg_locks other ON other.locktype = 'advisory' AND other.database = holder.database
            AND other.classid = holder.classid AND other.objid = holder.objid AND NOT other.granted
        JOIN pg_database d ON d.oid = holder.database AND d.datname = current_database()
        WHERE holder.locktype = 'advisory' AND holder.granted AND a.state = 'idle in transaction'
            AND clock_timestamp() - a.state_change > interval '0.3 s'
            AND NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'one'::regclass AND mode = 'AccessExclusiveLock')
        """

    @Test(.timeLimit(.minutes(1)))
    func `Of nodes that wait for a backup, none asks for the tables while another rests`() async throws {
        try await withReader(PostgresDatabase.Settings(), LogLines()) { database, end throws in
            let steps = [Self.first, Self.second]
            let nodes = try (0..<2).map { _ in try PostgresDatabase(database.url, logger: LogLines().logger) }
            // Awaited below.
            let migrations = nodes.map { node in Task { try await Migrator(steps).migrate(node, now: .distantPast) } }
            let observer = try PostgresConnection(database.url, statementTimeout: .seconds(60), name: "observer")
            while try !Task.isCancelled && observer.execute(Self.atRest).rows.isEmpty { await Task.yield() }
            observer.close()
            try end()
            var applied: [String] = []
            for migration in migrations { applied += try await migration.value }
            #expect(applied == ["second"])
            for node in nodes { node.close() }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `A step that never gets its locks fails in words for the operator, and leaves all as it was`() async throws {
        var settings = PostgresDatabase.Settings()
        settings.migrationPatience = .zero
        try await withReader(settings, LogLines()) { database, end throws in
            let thrown = await fault {
                try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast)
            }
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message.contains("end backups and long queries") == true)
            try end()
            #expect(try await Migrator([Self.first, Self.second]).migrate(database, now: .distantPast) == ["second"])
        }
    }

    @Test func `Programs that start together on one file take turns`() async throws {
        try await withFolder { folder throws in
            let path = folder + "/test.sqlite"
            let applied = try await withThrowingTaskGroup { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        let database = try SQLiteDatabase(.file(path))
                        defer { database.close() }
                        return try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(
                            database, now: .distantPast)
                    }
                }
                return try await tasks.reduce(into: [[String]]()) { $0.append($1) }
            }
            #expect(applied.count { !$0.isEmpty } == 1)
            #expect(applied.first { !$0.isEmpty } == Migration.all(log: Migration.sqliteLog).map(\.name))
        }
    }

    @Test func `The steps of this program have ascending numbers`() {
        let numbers = Migration.all(log: Migration.sqliteLog).map(\.number)
        #expect(numbers == numbers.sorted())
        #expect(Set(numbers).count == numbers.count)
    }
}
