import MartletCore

/// One numbered step of the schema. Steps are never changed once released; a change is a new step.
///
/// A cluster's nodes are upgraded one after another, so that older programs work on the newer schema for a while. A step
/// that they can live with (a new table, a column with a default) has no floor: it expands. What they can't live with goes
/// in a later release, once no program needs the old form: that step contracts, and has a floor.
package struct Migration: Sendable {
    package let number: Int64
    package let name: String
    package let statements: [SQL]
    /// The number of the newest step that a program must know to work with the schema from here on; nil where the step
    /// changes nothing of that.
    package let floor: Int64?

    package init(_ number: Int64, _ name: String, floor: Int64? = nil, _ statements: [SQL]) {
        self.number = number
        self.name = name
        self.floor = floor
        self.statements = statements
    }
}

/// Brings a database to the schema of this program.
package struct Migrator: Sendable {
    /// What a step's statement may take, and the wait for another node's migration: a step may rewrite a table.
    private static let limit = Duration.seconds(1800)

    private let migrations: [Migration]

    /// `migrations` in ascending order of their numbers.
    package init(_ migrations: [Migration]) { self.migrations = migrations }

    /// Applies what is missing, in one transaction, which is the lock: programs that start together take turns. Returns
    /// the names of the steps applied. Throws `unavailable` where the database needs a newer program. A database that a
    /// newer program has only expanded is left as it is.
    @discardableResult
    package func migrate(_ database: some Database, now: Instant) async throws(Fault) -> [String] {
        let migrations = migrations
        return try await database.alter(within: Self.limit) { connection throws(Fault) in
            for table in Self.tables { try connection.run(table) }
            try Self.refuseNewer(try Self.floor(connection), than: migrations)
            let applied = try connection.integer("SELECT max(number) FROM schema_migrations") ?? 0
            var names: [String] = []
            for migration in migrations where migration.number > applied {
                try Self.apply(migration, connection, now)
                names.append(migration.name)
            }
            return names
        }
    }

    private static let tables: [SQL] = [
        "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)",
        // One row; none stands for 0.
        "CREATE TABLE IF NOT EXISTS schema_floor (id SMALLINT PRIMARY KEY CHECK (id = 1), number BIGINT NOT NULL)",
    ]

    private static func apply(_ migration: Migration, _ connection: any SQLConnection, _ now: Instant) throws(Fault) {
        for statement in migration.statements { try connection.run(statement) }
        try connection.run(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (\(migration.number), \(migration.name), \(now))"
        )
        guard let floor = migration.floor else { return }
        try connection.run(
            """
            INSERT INTO schema_floor (id, number) VALUES (1, \(floor))
            ON CONFLICT (id) DO UPDATE SET number = excluded.number WHERE schema_floor.number < excluded.number
            """)
    }

    private static func floor(_ connection: any SQLConnection) throws(Fault) -> Int64 {
        try connection.integer("SELECT number FROM schema_floor") ?? 0
    }

    private static func refuseNewer(_ floor: Int64, than migrations: [Migration]) throws(Fault) {
        let known = migrations.last?.number ?? 0
        guard floor <= known else {
            throw Fault(
                .unavailable,
                "the database needs a program that knows schema \(floor), this one knows \(known): upgrade this martlet"
            )
        }
    }
}
