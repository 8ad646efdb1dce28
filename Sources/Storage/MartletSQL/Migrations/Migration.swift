import MartletCore

/// One numbered step of the schema. Steps are never changed once released; a change is a new step.
package struct Migration: Sendable {
    package let number: Int64
    package let name: String
    package let statements: [SQL]

    package init(_ number: Int64, _ name: String, _ statements: [SQL]) {
        self.number = number
        self.name = name
        self.statements = statements
    }
}

/// Brings a database to the schema of this program.
package struct Migrator: Sendable {
    private let migrations: [Migration]

    /// `migrations` in ascending order of their numbers.
    package init(_ migrations: [Migration]) { self.migrations = migrations }

    /// Applies what is missing, in one transaction, which is the lock: two programs that start together take turns.
    /// Returns the names of the steps applied. Throws `unavailable` where the database was made by a newer program.
    @discardableResult
    package func migrate(_ database: some Database, now: Instant) async throws(Fault) -> [String] {
        let migrations = migrations
        return try await database.write { connection throws(Fault) in
            try connection.run(
                "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
            )
            let applied = try Self.newest(connection)
            try Self.refuseNewer(applied, than: migrations)
            var names: [String] = []
            for migration in migrations where migration.number > applied {
                for statement in migration.statements { try connection.run(statement) }
                try connection.run(
                    "INSERT INTO schema_migrations (number, name, applied_at) VALUES (\(migration.number), \(migration.name), \(now))"
                )
                names.append(migration.name)
            }
            return names
        }
    }

    private static func newest(_ connection: any SQLConnection) throws(Fault) -> Int64 {
        try connection.integer("SELECT max(number) FROM schema_migrations") ?? 0
    }

    private static func refuseNewer(_ applied: Int64, than migrations: [Migration]) throws(Fault) {
        let known = migrations.last?.number ?? 0
        guard applied <= known else {
            throw Fault(
                .unavailable,
                "the database has schema \(applied), this program knows \(known): it was made by a newer martlet; upgrade this one"
            )
        }
    }
}
