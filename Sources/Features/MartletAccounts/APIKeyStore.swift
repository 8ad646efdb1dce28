import MartletCore
import MartletSQL

/// The SQL of API keys. Every method is one transaction.
struct APIKeyStore: Sendable {
    let database: any Database

    private static let columns: SQL = "id, name, app, created_at, revoked_at"

    /// Throws `limit_reached` where `maximum` keys are good already.
    func create(
        hash: String, name: String, app: AppID?, maximum: Int, now: Instant
    ) async throws(Fault) -> APIKey {
        try await database.write { connection throws(Fault) in
            let id = try connection.next(.apiKey)
            let good = try connection.integer("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL") ?? 0
            guard good < maximum else { throw Fault(.limitReached, "there are \(maximum) keys; revoke some first") }
            try connection.run(
                """
                INSERT INTO api_keys (id, hash, name, app, created_at)
                VALUES (\(id), \(hash), \(name), \(app?.value), \(now))
                """)
            return APIKey(id: id, name: name, app: app, createdAt: now, revokedAt: nil)
        }
    }

    func find(hash: String) async throws(Fault) -> APIKey? {
        try await database.read { connection throws(Fault) in
            try connection.rows("SELECT \(Self.columns) FROM api_keys WHERE hash = \(hash)").first.map(Self.key)
        }
    }

    func list(after: Int64, limit: Int) async throws(Fault) -> [APIKey] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                "SELECT \(Self.columns) FROM api_keys WHERE id > \(after) ORDER BY id LIMIT \(limit)"
            ).map(Self.key)
        }
    }

    /// Returns the key as it is then, or nil where there is none. The time of the first call stays.
    func revoke(_ id: Int64, now: Instant) async throws(Fault) -> APIKey? {
        try await database.write { connection throws(Fault) in
            try connection.rows(
                """
                UPDATE api_keys SET revoked_at = COALESCE(revoked_at, \(now)) WHERE id = \(id)
                RETURNING \(Self.columns)
                """
            ).first.map(Self.key)
        }
    }

    private static func key(_ row: SQLRow) throws(Fault) -> APIKey {
        APIKey(
            id: try row.integer("id"), name: try row.text("name"),
            app: try row.optionalInteger("app").map { AppID(unchecked: $0) }, createdAt: try row.instant("created_at"),
            revokedAt: try row.optionalInteger("revoked_at").map { Instant(milliseconds: $0) })
    }
}
