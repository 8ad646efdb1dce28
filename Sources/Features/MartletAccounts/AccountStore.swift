import MartletCore
import MartletSQL

/// The SQL of accounts. Every method is one transaction; the static ones are parts of one.
struct AccountStore: Sendable {
    let database: any Database

    /// What a new account begins with.
    struct NewAccount: Sendable {
        let app: AppID
        /// Nil for guests without a name of their own, who are named after their number.
        let username: String?
        var passwordHash: String?
        var nickname = ""
        var email = ""
        var phone = ""
        let role: Role

        /// What no other account of the app may have.
        fileprivate func key(_ id: UserID) -> String {
            guard let username else { return AccountRules.guestKey(id) }
            return role == .guest ? AccountRules.namedGuestKey(username) : AccountRules.usernameKey(username)
        }

        /// Whether `account` is the one that this would make.
        fileprivate func makes(_ account: Account) -> Bool {
            guard let username, account.app == app, account.role != .guest, role != .guest else { return false }
            return AccountRules.usernameKey(account.username) == AccountRules.usernameKey(username)
        }
    }

    // MARK: Reading

    private static let columns: SQL = """
        id, app, username, nickname, avatar, bio, email, phone, role, strangers, banned_until, created_at
        """

    /// `app` nil: of whatever app. Guests are found by number, or as `named`.
    static func account(
        _ connection: any SQLConnection, _ reference: AccountReference, app: AppID?
    ) throws(Fault) -> Account? {
        let condition: SQL =
            switch reference {
            case .id(let id): "id = \(id)"
            case .username(let name): "username_key = \(AccountRules.usernameKey(name)) AND role <> 'guest'"
            }
        let rows = try connection.rows("SELECT \(columns) FROM users WHERE \(condition)\(inApp(app))")
        return try rows.first.map(account)
    }

    private static func inApp(_ app: AppID?) -> SQL { app.map { " AND app = \($0)" } ?? "" }

    func account(_ reference: AccountReference, app: AppID?) async throws(Fault) -> Account? {
        try await database.read { connection throws(Fault) in try Self.account(connection, reference, app: app) }
    }

    func accounts(_ ids: [UserID]) async throws(Fault) -> [Account] {
        try await database.read { connection throws(Fault) in
            try connection.rows("SELECT \(Self.columns) FROM users WHERE id IN (\(list: ids))").map(Self.account)
        }
    }

    /// Whom a name means where guests have names: the account whose username it is or looks like, else the guest who
    /// came in with exactly this name.
    func named(_ name: String, app: AppID) async throws(Fault) -> Account? {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                """
                SELECT \(Self.columns) FROM users WHERE app = \(app) AND (
                    username_key = \(AccountRules.lookAlikeKey(name)) AND role <> 'guest'
                    OR username_key = \(AccountRules.namedGuestKey(name)))
                ORDER BY CASE role WHEN 'guest' THEN 1 ELSE 0 END LIMIT 1
                """
            ).first.map(Self.account)
        }
    }

    /// By ascending number.
    func list(app: AppID?, after: UserID?, limit: Int) async throws(Fault) -> [Account] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                """
                SELECT \(Self.columns) FROM users WHERE id > \(after?.value ?? 0)\(Self.inApp(app))
                ORDER BY id LIMIT \(limit)
                """
            ).map(Self.account)
        }
    }

    /// The account that a password is tried for, with the password's hash.
    func withPassword(
        _ reference: AccountReference, app: AppID
    ) async throws(Fault) -> (account: Account, passwordHash: String?)? {
        try await database.read { connection throws(Fault) in
            guard let account = try Self.account(connection, reference, app: app),
                let row = try connection.row("SELECT password FROM users WHERE id = \(account.id)")
            else { return nil }
            return (account, try row.optionalText("password"))
        }
    }

    private static func account(_ row: SQLRow) throws(Fault) -> Account {
        Account(
            id: try row.user("id"), app: AppID(unchecked: try row.integer("app")), username: try row.text("username"),
            nickname: try row.text("nickname"), avatar: try row.text("avatar"), bio: try row.text("bio"),
            email: try row.text("email"), phone: try row.text("phone"), role: try row.choice("role", of: Role.self),
            strangersMayWrite: try row.flag("strangers"), bannedUntil: try row.instant("banned_until"),
            createdAt: try row.instant("created_at"))
    }

    // MARK: Writing

    /// Throws `username_taken` where the app has that name already, in whatever case.
    static func create(
        _ connection: any SQLConnection, _ new: NewAccount, now: Instant
    ) throws(Fault) -> Account {
        let id = UserID(unchecked: try connection.next(.user))
        guard let account = try insert(connection, new, id, now) else { throw taken }
        return account
    }

    /// As above, with a number that was given elsewhere; the numbers of later accounts are behind it. The caller holds the
    /// counter of users (`SQLConnection.raise`), so that nobody takes a number or a name meanwhile.
    ///
    /// Throws `username_taken` where this very account is there, `invalid_field` (`id`) where the number is another's, of
    /// whatever app, or the name has another number.
    static func create(
        _ connection: any SQLConnection, _ new: NewAccount, number: UserID, now: Instant
    ) throws(Fault) -> Account {
        if let holder = try account(connection, .id(number), app: nil) {
            throw new.makes(holder) ? taken : .invalid("id", "another user has this number")
        }
        guard let account = try insert(connection, new, number, now) else {
            throw .invalid("id", "a user of this name is there already, with another number")
        }
        try connection.raise(.user, to: number.value)
        return account
    }

    /// Nil where the app has the name already.
    private static func insert(
        _ connection: any SQLConnection, _ new: NewAccount, _ id: UserID, _ now: Instant
    ) throws(Fault) -> Account? {
        let username = new.username ?? "guest-\(id.value)"
        return try connection.rows(
            """
            INSERT INTO users (id, app, username, username_key, password, nickname, email, phone, role, created_at)
            VALUES (
                \(id), \(new.app), \(username), \(new.key(id)), \(new.passwordHash), \(new.nickname), \(new.email),
                \(new.phone), \(new.role.rawValue), \(now))
            ON CONFLICT (app, username_key) DO NOTHING RETURNING \(columns)
            """
        ).first.map(account)
    }

    static let taken = Fault(.usernameTaken, "this username is taken", field: "username")

    func create(_ new: NewAccount, now: Instant) async throws(Fault) -> Account {
        try await database.write { connection throws(Fault) in try Self.create(connection, new, now: now) }
    }

    /// Returns the account as it is then, or nil where there is none.
    static func update(
        _ connection: any SQLConnection, _ id: UserID, _ change: ProfileChange
    ) throws(Fault) -> Account? {
        try connection.rows(
            """
            UPDATE users SET
                nickname = COALESCE(\(change.nickname), nickname), avatar = COALESCE(\(change.avatar), avatar),
                bio = COALESCE(\(change.bio), bio), email = COALESCE(\(change.email), email),
                phone = COALESCE(\(change.phone), phone),
                strangers = COALESCE(\(change.strangersMayWrite), strangers)
            WHERE id = \(id) RETURNING \(columns)
            """
        ).first.map(account)
    }

    static func setPassword(_ connection: any SQLConnection, _ id: UserID, hash: String) throws(Fault) {
        try connection.run("UPDATE users SET password = \(hash) WHERE id = \(id)")
    }

    /// Stores the same password in today's form, unless it was changed meanwhile.
    func replacePasswordHash(_ id: UserID, from old: String, to new: String) async throws(Fault) {
        _ = try await database.write { connection throws(Fault) in
            try connection.run("UPDATE users SET password = \(new) WHERE id = \(id) AND password = \(old)")
        }
    }

    static func setBan(_ connection: any SQLConnection, _ id: UserID, until: Instant) throws(Fault) {
        try connection.run("UPDATE users SET banned_until = \(until) WHERE id = \(id)")
    }

    static func setRole(_ connection: any SQLConnection, _ id: UserID, _ role: Role) throws(Fault) {
        try connection.run("UPDATE users SET role = \(role.rawValue) WHERE id = \(id)")
    }
}
