import MartletBus
import MartletCore
import MartletSQL

/// What an operator does with accounts, over the store alone: the command line works beside a running server. Whatever
/// ends sign-ins is written to the table of revocations, from where it reaches live sessions within a second or two.
package struct AccountAdministration: Sendable {
    let database: any Database
    let hasher: PasswordHasher
    let clock: any TimeSource
    private var store: AccountStore { AccountStore(database: database) }

    package init(database: any Database, hasher: PasswordHasher, clock: any TimeSource) {
        self.database = database
        self.hasher = hasher
        self.clock = clock
    }

    /// Makes an account. Throws `invalid_field` or `username_taken`.
    @discardableResult
    package func create(
        username: String, password: String, nickname: String? = nil, role: Role = .user, app: AppID
    ) async throws(Fault) -> Account {
        let name = try AccountRules.username(username)
        let nickname = try nickname.map(AccountRules.nickname) ?? ""
        let hash = try await hasher.hash(try AccountRules.password(password))
        return try await store.create(
            .init(app: app, username: name, passwordHash: hash, nickname: nickname, role: role), now: clock.now)
    }

    /// Nil where there is no such account in the app.
    package func find(username: String, app: AppID) async throws(Fault) -> Account? {
        try await store.account(.username(username), app: app)
    }

    /// Accounts by ascending number, behind `after`; of every app where `app` is nil.
    package func list(app: AppID? = nil, after: UserID? = nil, limit: Int = 100) async throws(Fault) -> [Account] {
        try await store.list(app: app, after: after, limit: limit)
    }

    /// Sets a password without the old one; every sign-in of the account ends.
    package func setPassword(_ user: UserID, to password: String) async throws(Fault) {
        let hash = try await hasher.hash(try AccountRules.password(password))
        _ = try await changing(user) { (connection, account, now) throws(Fault) in
            try AccountStore.setPassword(connection, account.id, hash: hash)
            return try TokenStore.endAll(connection, of: account.id, .passwordChanged, now: now)
        }
    }

    /// Sets the role. Taking one away ends every sign-in, since access tokens carry the role.
    package func setRole(_ user: UserID, to role: Role) async throws(Fault) {
        _ = try await changing(user) { (connection, account, now) throws(Fault) in
            guard account.role != .guest, role != .guest else { throw .invalid("role", "guests stay guests") }
            try AccountStore.setRole(connection, account.id, role)
            guard account.role == .admin, role != .admin else { return [] }
            return try Self.endEverything(connection, of: account.id, .signedOut, now: now)
        }
    }

    /// Bans an account until a time, or without an end; its sign-ins end.
    package func ban(_ user: UserID, until: Instant? = nil) async throws(Fault) {
        _ = try await ban(user, app: nil, until: until ?? .distantFuture)
    }

    /// Lifts a ban.
    package func unban(_ user: UserID) async throws(Fault) { try await unban(user, app: nil) }

    func ban(_ user: UserID, app: AppID?, until: Instant) async throws(Fault) -> [Revocation] {
        try await changing(user, app: app) { (connection, account, now) throws(Fault) in
            try AccountRules.requireBan(of: account, until: until, now: now)
            try AccountStore.setBan(connection, account.id, until: until)
            return try Self.endEverything(connection, of: account.id, .banned, now: now)
        }
    }

    func unban(_ user: UserID, app: AppID?) async throws(Fault) {
        _ = try await changing(user, app: app) { (connection, account, _) throws(Fault) in
            try AccountStore.setBan(connection, account.id, until: .distantPast)
            return []
        }
    }

    /// Ends all sign-ins, what belongs to none (guests' sessions, operators' tokens), and every live session.
    private static func endEverything(
        _ connection: any SQLConnection, of user: UserID, _ reason: RevocationReason, now: Instant
    ) throws(Fault) -> [Revocation] {
        try TokenStore.endFamilies(connection, of: user, reason, now: now)
            + [try TokenStore.record(connection, user: user, family: 0, reason, now: now)]
    }

    /// One transaction over an account that exists; throws `unknown_user` otherwise. Returns what it ended.
    private func changing(
        _ user: UserID, app: AppID? = nil,
        _ change: @escaping @Sendable (any SQLConnection, Account, Instant) throws(Fault) -> [Revocation]
    ) async throws(Fault) -> [Revocation] {
        let clock = clock
        return try await database.write { connection throws(Fault) in
            guard let account = try AccountStore.account(connection, .id(user), app: app) else { throw .unknownUser }
            return try change(connection, account, clock.now)
        }
    }
}

extension Fault {
    static let unknownUser = Fault(.unknownUser, "there is no such user")
}
