// MartletAccounts: who there is and who may sign in. Accounts.swift and its extensions are the use cases,
// AccountRules.swift the decisions, AccountStore.swift and TokenStore.swift the SQL. It may import Core, Storage, the
// bus's ports and cryptography. Start here.
import Crypto
import Foundation
import Logging
import MartletBus
import MartletCore
import MartletLog
import MartletSQL

/// Accounts and their sign-ins: what clients do. What operators do beside a running server is in
/// `AccountAdministration`.
///
/// A sign-in is a *family* of refresh tokens, of which one is alive at a time. When a family ends, its access tokens
/// and live sessions end with it: on this node before the use case returns, on the others within about a second.
package struct Accounts: Sendable {
    /// - `isOpen` (`accounts.registration`, `open` or `closed`, default `open`): whether anyone may make an account.
    /// - `allowsGuests` (`accounts.guests`, flag, default false): whether anyone may come in with a mere name.
    /// - `refreshTokenLifetime` (`accounts.refresh-token-lifetime`, seconds, default 30 days): a sign-in that is not
    ///   used for this long ends.
    /// - `maximumFamilies` (`accounts.max-families-per-user`, default 32): one more sign-in ends the oldest.
    /// - `apps` (`accounts.apps`, list of app ids, default 1): the first is the one of clients that name none.
    /// - `addressRate` (`accounts.sign-in-rate` per second and `accounts.sign-in-burst`, default 2 and 60): sign-ins,
    ///   registrations and refreshes from one address.
    /// - `passwordRate`: tries of one account's password, 10 at once and one more every 6 s.
    package struct Configuration: Sendable {
        package var isOpen = true
        package var allowsGuests = false
        package var refreshTokenLifetime: Duration = .seconds(30 * 86_400)
        package var maximumFamilies = 32
        package var apps: [AppID] = [AppID(unchecked: 1)]
        package var addressRate = RateRule(perSecond: 2, burst: 60)
        package var passwordRate = RateRule(perSecond: 1.0 / 6, burst: 10)

        package init() {}
    }

    let store: AccountStore
    let tokenStore: TokenStore
    let log: any EventLog
    let broker: any Broker
    let presence: any Presence
    let clock: any TimeSource
    let hasher: PasswordHasher
    let tokens: AccessTokens
    let directory: AccountDirectory
    let configuration: Configuration
    let logger: Logger
    private let limiter: any RateLimiter
    private let revocations: Revocations

    package init(
        database: any Database, log: any EventLog, broker: any Broker, presence: any Presence, limiter: any RateLimiter,
        clock: any TimeSource, hasher: PasswordHasher, tokens: AccessTokens, revocations: Revocations,
        directory: AccountDirectory, configuration: Configuration, logger: Logger
    ) {
        store = AccountStore(database: database)
        tokenStore = TokenStore(database: database)
        self.log = log
        self.broker = broker
        self.presence = presence
        self.limiter = limiter
        self.clock = clock
        self.hasher = hasher
        self.tokens = tokens
        self.revocations = revocations
        self.directory = directory
        self.configuration = configuration
        self.logger = logger
    }

    // MARK: Coming in

    /// Makes an account and signs it in. `address` is the client's, for rate limits.
    package func register(
        _ credentials: Credentials, nickname: String? = nil, email: String? = nil, phone: String? = nil, address: String
    ) async throws(Fault) -> SignedIn {
        try requireOpen()
        let app = try app(credentials.app)
        let name = try AccountRules.username(credentials.username)
        let password = try AccountRules.password(credentials.password)
        var new = AccountStore.NewAccount(app: app, username: name, role: .user)
        new.nickname = try nickname.map(AccountRules.nickname) ?? ""
        new.email = try email.map(AccountRules.email) ?? ""
        new.phone = try phone.map(AccountRules.phone) ?? ""
        return try await signIn(try await create(new, password, address), device: credentials.device)
    }

    /// Makes an account with a password that follows the rules.
    func create(_ new: AccountStore.NewAccount, _ password: String, _ address: String) async throws(Fault) -> Account {
        var new = new
        try await take(.signIn(address), configuration.addressRate)
        // Before the work of hashing; the store decides again.
        if let name = new.username, try await store.account(.username(name), app: new.app) != nil {
            throw AccountStore.taken
        }
        new.passwordHash = try await hasher.hash(password)
        return try await store.create(new, now: clock.now)
    }

    /// Signs in with a password. An unknown name and a wrong password are one answer, after the same time.
    package func signIn(_ credentials: Credentials, address: String) async throws(Fault) -> SignedIn {
        let app = try app(credentials.app)
        try await take(.signIn(address), configuration.addressRate)
        try await takePasswordTry(credentials.username, app)
        let found = try await store.withPassword(.username(credentials.username), app: app)
        try await check(credentials.password, found)
        guard let account = found?.account else { throw Self.wrongCredentials }
        try AccountRules.requireNotBanned(account, now: clock.now)
        return try await signIn(account, device: credentials.device)
    }

    /// Makes an account of a mere name, for rooms only. It has no tokens: a guest is who holds the session that asked.
    package func guest(name: String, app: AppID? = nil, address: String) async throws(Fault) -> UserCard {
        try requireGuestsAllowed()
        let app = try self.app(app)
        let nickname = try AccountRules.nickname(name)
        try await take(.signIn(address), configuration.addressRate)
        let new = AccountStore.NewAccount(app: app, username: nil, nickname: nickname, role: .guest)
        return try await store.create(new, now: clock.now).card
    }

    static let wrongCredentials = Fault(.wrongCredentials, "the username or the password is wrong")

    /// Throws `wrong_credentials`; brings a right password's hash up to date.
    func check(_ password: String, _ found: (account: Account, passwordHash: String?)?) async throws(Fault) {
        let tried = AccountRules.passwordTry(password)
        switch try await hasher.verify(tried ?? "", against: tried == nil ? nil : found?.passwordHash) {
        case .wrong: throw Self.wrongCredentials
        case .right: return
        case .rightButOutdated(let newHash):
            guard let found, let old = found.passwordHash else { return }
            try await store.replacePasswordHash(found.account.id, from: old, to: newHash)
        }
    }

    private func signIn(_ account: Account, device: DeviceKind) async throws(Fault) -> SignedIn {
        let refresh = newRefreshToken()
        let (family, ended) = try await tokenStore.begin(
            user: account.id, device: device, token: refresh.stored, maximum: configuration.maximumFamilies,
            now: clock.now)
        await announce(ended)
        return SignedIn(account: account, tokens: try await pair(account, device, family, refresh.text))
    }

    // MARK: Tokens

    /// Exchanges a refresh token for a new pair. A token used before ends the whole family: one of the two who have it
    /// stole it.
    package func refresh(_ refreshToken: String, address: String) async throws(Fault) -> TokenPair {
        try await take(.signIn(address), configuration.addressRate)
        let next = newRefreshToken()
        switch try await tokenStore.refresh(hash: Self.hash(refreshToken), next: next.stored, now: clock.now) {
        case .refreshed(let account, let device, let family):
            return try await pair(account, device, family, next.text)
        case .refused: throw Fault(.invalidToken, "the refresh token is not valid; sign in")
        case .banned(let account):
            try AccountRules.requireNotBanned(account, now: clock.now)
            throw Fault(.banned, "this account is banned")
        case .reused(let user, let ended):
            await announce(ended)
            logger.notice("a refresh token was used twice; its sign-in has ended", metadata: ["user": "\(user.value)"])
            throw Fault(.tokenReused, "this refresh token was used before; sign in")
        }
    }

    /// What a valid access token says; nil for any other.
    package func verify(_ accessToken: String) async -> AccessTokens.Identity? {
        try? await tokens.identity(from: accessToken)
    }

    /// Ends the caller's sign-in, or all of theirs.
    package func signOut(_ caller: Caller, all: Bool) async throws(Fault) {
        var ended = try await tokenStore.end(family: caller.family, of: caller.user, .signedOut, now: clock.now)
        if all { ended += try await tokenStore.endAll(of: caller.user, .passwordChanged, now: clock.now) }
        await announce(ended)
    }

    /// Removes what has expired from the store; for a worker, now and then. Returns how much went: where that is a lot,
    /// call again.
    @discardableResult
    package func removeExpired() async throws(Fault) -> Int {
        let now = clock.now
        return try await tokenStore.removeExpired(now: now, revocationsBefore: now - tokens.lifetime - .seconds(3600))
    }

    func pair(
        _ account: Account, _ device: DeviceKind, _ family: Int64, _ refreshToken: String
    ) async throws(Fault) -> TokenPair {
        TokenPair(
            accessToken: try await tokens.make(account, device: device, family: family), refreshToken: refreshToken,
            lifetime: tokens.lifetime)
    }

    /// 256 random bits for the client, and their hash for the store.
    func newRefreshToken() -> (text: String, stored: TokenStore.NewToken) {
        let text = SymmetricKey(size: .bits256).withUnsafeBytes { Self.hexadecimal($0) }
        let expiresAt = clock.now + configuration.refreshTokenLifetime
        return (text, .init(hash: Self.hash(text), expiresAt: expiresAt))
    }

    static func hash(_ token: String) -> String { hexadecimal(SHA256.hash(data: Array(token.utf8))) }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    // MARK: Shared by the use cases

    /// Makes what has ended true for tokens and live sessions, of this node before it returns.
    func announce(_ ended: [Revocation]) async {
        for revocation in ended { revocations.apply(revocation) }
        for revocation in ended { await broker.publish(revocation.signal) }
    }

    func requireOpen() throws(Fault) {
        guard configuration.isOpen else { throw Fault(.notAllowed, "registration is closed") }
    }

    func requireGuestsAllowed() throws(Fault) {
        guard configuration.allowsGuests else { throw Fault(.guestsRefused, "guests are not admitted here") }
    }

    /// The app that a client names, or the default one.
    func app(_ named: AppID?) throws(Fault) -> AppID {
        guard let app = named ?? configuration.apps.first, configuration.apps.contains(app) else {
            throw .invalid("appId", "there is no such app")
        }
        return app
    }

    /// Limits tries of one account's password, wherever they come from, without ever closing it for good.
    func takePasswordTry(_ username: String, _ app: AppID) async throws(Fault) {
        try await takePasswordTry(key: AccountRules.usernameKey(username), app)
    }

    func takePasswordTry(key: String, _ app: AppID) async throws(Fault) {
        try await take(.account(String("\(app.value):\(key)".prefix(80))), configuration.passwordRate)
    }

    func take(_ key: RateKey, _ rule: RateRule) async throws(Fault) {
        guard let wait = await limiter.takeShared(key, rule, now: clock.now) else { return }
        throw Fault(.rateLimited, "too many tries; wait a little", retryAfter: wait)
    }
}
