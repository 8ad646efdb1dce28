import MartletBus
import MartletCore
import MartletSQL

/// The SQL of sign-ins: families of refresh tokens, the tokens (hashed), and what has ended. Every method is one
/// transaction; the static ones are parts of one.
struct TokenStore: Sendable {
    let database: any Database

    /// A new refresh token's hash and how long it is good for.
    struct NewToken: Sendable {
        let hash: String
        let expiresAt: Instant
    }

    /// What came of a refresh.
    enum RefreshOutcome: Sendable {
        case refreshed(Account, DeviceKind, family: Int64)
        /// Not ours, expired, or of a sign-in that has ended.
        case refused
        case banned(Account)
        /// Used before: somebody has a copy. The family has ended.
        case reused(UserID, ended: [Revocation])
    }

    // MARK: Signing in

    /// Begins a family with its first token; beyond `maximum` live ones the user's oldest end.
    static func begin(
        _ connection: any SQLConnection, user: UserID, device: DeviceKind, token: NewToken, maximum: Int, now: Instant
    ) throws(Fault) -> (family: Int64, ended: [Revocation]) {
        let family = try connection.next(.family)
        try connection.run(
            """
            INSERT INTO token_families (id, user_id, device, created_at)
            VALUES (\(family), \(user), \(device.rawValue), \(now))
            """)
        try add(connection, token, family: family, now: now)
        let live = try liveFamilies(connection, of: user)
        let oldest = live.dropLast(min(live.count, max(1, maximum)))
        return (family, try end(connection, Array(oldest), of: user, .signedOut, now: now))
    }

    func begin(
        user: UserID, device: DeviceKind, token: NewToken, maximum: Int, now: Instant
    ) async throws(Fault) -> (family: Int64, ended: [Revocation]) {
        try await database.write { connection throws(Fault) in
            try Self.begin(connection, user: user, device: device, token: token, maximum: maximum, now: now)
        }
    }

    private static func add(
        _ connection: any SQLConnection, _ token: NewToken, family: Int64, now: Instant
    ) throws(Fault) {
        try connection.run(
            """
            INSERT INTO refresh_tokens (hash, family, created_at, expires_at)
            VALUES (\(token.hash), \(family), \(now), \(token.expiresAt))
            """)
    }

    /// Live families, oldest first.
    private static func liveFamilies(_ connection: any SQLConnection, of user: UserID) throws(Fault) -> [Int64] {
        let rows = try connection.rows(
            "SELECT id FROM token_families WHERE user_id = \(user) AND revoked_at IS NULL ORDER BY id")
        return try rows.map { row throws(Fault) in try row.integer("id") }
    }

    // MARK: Refreshing

    /// Exchanges a token for `next`, or ends the family where the token was used before.
    func refresh(hash: String, next: NewToken, now: Instant) async throws(Fault) -> RefreshOutcome {
        try await database.write { connection throws(Fault) in
            guard
                let row = try connection.row(
                    """
                    SELECT t.family, t.expires_at, t.used_at, f.user_id, f.device, f.revoked_at
                    FROM refresh_tokens t JOIN token_families f ON f.id = t.family WHERE t.hash = \(hash)
                    """)
            else { return .refused }
            let (family, user) = (try row.integer("family"), try row.user("user_id"))
            let isLive = try row.optionalInteger("revoked_at") == nil
            if try row.optionalInteger("used_at") != nil {
                return .reused(
                    user, ended: try Self.end(connection, isLive ? [family] : [], of: user, .signedOut, now: now))
            }
            guard let account = try AccountStore.account(connection, .id(user), app: nil) else { return .refused }
            if account.bannedUntil > now { return .banned(account) }
            guard isLive, try row.instant("expires_at") > now else { return .refused }
            let isFirstUse =
                try connection.run(
                    "UPDATE refresh_tokens SET used_at = \(now) WHERE hash = \(hash) AND used_at IS NULL") == 1
            // Two refreshes with one token at the same time: the second is a reuse as well.
            guard isFirstUse else {
                return .reused(user, ended: try Self.end(connection, [family], of: user, .signedOut, now: now))
            }
            try Self.add(connection, next, family: family, now: now)
            return .refreshed(account, try row.choice("device", of: DeviceKind.self), family: family)
        }
    }

    /// Replaces the tokens of a live family by `token`; false where the family has ended.
    static func replaceTokens(
        _ connection: any SQLConnection, of family: Int64, user: UserID, by token: NewToken, now: Instant
    ) throws(Fault) -> Bool {
        let live = try connection.integer(
            "SELECT id FROM token_families WHERE id = \(family) AND user_id = \(user) AND revoked_at IS NULL")
        guard live != nil else { return false }
        try connection.run("UPDATE refresh_tokens SET used_at = \(now) WHERE family = \(family) AND used_at IS NULL")
        try add(connection, token, family: family, now: now)
        return true
    }

    // MARK: Ending

    /// Ends one sign-in; nothing where it had ended already.
    func end(family: Int64, of user: UserID, _ reason: RevocationReason, now: Instant) async throws(Fault)
        -> [Revocation]
    {
        try await database.write { connection throws(Fault) in
            let live = try Self.liveFamilies(connection, of: user).filter { $0 == family }
            return try Self.end(connection, live, of: user, reason, now: now)
        }
    }

    /// Ends all live sign-ins of a user but one, and what belongs to none.
    static func endAll(
        _ connection: any SQLConnection, of user: UserID, except: Int64 = 0, _ reason: RevocationReason, now: Instant
    ) throws(Fault) -> [Revocation] {
        try endFamilies(connection, of: user, except: except, reason, now: now)
            + [try record(connection, user: user, family: Revocation.withoutFamily, reason, now: now)]
    }

    /// Ends all live sign-ins of a user but one.
    static func endFamilies(
        _ connection: any SQLConnection, of user: UserID, except: Int64 = 0, _ reason: RevocationReason, now: Instant
    ) throws(Fault) -> [Revocation] {
        let live = try liveFamilies(connection, of: user).filter { $0 != except }
        return try end(connection, live, of: user, reason, now: now)
    }

    func endAll(of user: UserID, except: Int64 = 0, _ reason: RevocationReason, now: Instant) async throws(Fault)
        -> [Revocation]
    {
        try await database.write { connection throws(Fault) in
            try Self.endAll(connection, of: user, except: except, reason, now: now)
        }
    }

    private static func end(
        _ connection: any SQLConnection, _ families: [Int64], of user: UserID, _ reason: RevocationReason, now: Instant
    ) throws(Fault) -> [Revocation] {
        var ended: [Revocation] = []
        for family in families {
            try connection.run("UPDATE token_families SET revoked_at = \(now) WHERE id = \(family)")
            ended.append(try record(connection, user: user, family: family, reason, now: now))
        }
        return ended
    }

    /// Writes down for other processes that a sign-in ended, or what else a revocation's `family` may mean.
    static func record(
        _ connection: any SQLConnection, user: UserID, family: Int64, _ reason: RevocationReason, now: Instant
    ) throws(Fault) -> Revocation {
        let id = try connection.next(.revocation)
        try connection.run(
            """
            INSERT INTO revocations (id, user_id, family, reason, at)
            VALUES (\(id), \(user), \(family), \(reason.rawValue), \(now))
            """)
        return Revocation(id: id, user: user, family: family, reason: reason.rawValue, at: now)
    }

    /// The number to ask `hasEnded` with, later.
    func newestRevocation() async throws(Fault) -> Int64 {
        try await database.read { connection throws(Fault) in
            try connection.integer("SELECT max(id) FROM revocations") ?? 0
        }
    }

    /// Whether what belongs to no sign-in of a user has ended since a revocation.
    func hasEnded(_ user: UserID, since revocation: Int64) async throws(Fault) -> Bool {
        try await database.read { connection throws(Fault) in
            try connection.integer(
                "SELECT id FROM revocations WHERE id > \(revocation) AND user_id = \(user) AND family <= 0 LIMIT 1")
                != nil
        }
    }

    // MARK: Watching

    /// What ended since a time, and the newest row's number, in one look.
    func revocations(since time: Instant) async throws(Fault) -> (recent: [Revocation], last: Int64) {
        try await database.read { connection throws(Fault) in
            let last = try connection.integer("SELECT max(id) FROM revocations") ?? 0
            let rows = try connection.rows(
                """
                SELECT id, user_id, family, reason, at FROM revocations
                WHERE at >= \(time) AND id <= \(last) ORDER BY id
                """
            )
            return (try rows.map(Self.revocation), last)
        }
    }

    /// Rows behind one, oldest first; at most a thousand at a time.
    func revocations(after id: Int64) async throws(Fault) -> [Revocation] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                "SELECT id, user_id, family, reason, at FROM revocations WHERE id > \(id) ORDER BY id LIMIT 1000"
            ).map(Self.revocation)
        }
    }

    private static func revocation(_ row: SQLRow) throws(Fault) -> Revocation {
        Revocation(
            id: try row.integer("id"), user: try row.user("user_id"), family: try row.integer("family"),
            reason: try row.text("reason"), at: try row.instant("at"))
    }

    // MARK: Cleaning

    /// Removes tokens that have expired, sign-ins that have none left and old revocations; at most a thousand of each,
    /// so that writers wait little. Returns how many tokens and revocations went. The newest revocation stays: watchers
    /// count on from it.
    func removeExpired(now: Instant, revocationsBefore: Instant) async throws(Fault) -> Int {
        try await database.write { connection throws(Fault) in
            let gone = try connection.rows(
                """
                DELETE FROM refresh_tokens
                WHERE hash IN (SELECT hash FROM refresh_tokens WHERE expires_at <= \(now) LIMIT 1000) RETURNING family
                """)
            let families = Set(try gone.map { row throws(Fault) in try row.integer("family") })
            try connection.run(
                """
                DELETE FROM token_families WHERE id IN (\(list: Array(families)))
                AND NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family = token_families.id)
                """)
            let old = try connection.run(
                """
                DELETE FROM revocations WHERE id IN (
                    SELECT id FROM revocations WHERE at < \(revocationsBefore)
                    AND id < (SELECT max(id) FROM revocations) LIMIT 1000)
                """)
            return gone.count + old
        }
    }
}
