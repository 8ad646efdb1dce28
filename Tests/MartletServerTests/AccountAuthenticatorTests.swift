import Logging
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletLog
import MartletSQL
import MartletWire
import Synchronization
import Testing

@testable import MartletServer

/// What ends between the check of a token and the session's joining the others: the signal that ends live sessions passed before it was one.
@Suite struct AccountAuthenticatorTests {
    private final class TestClock: TimeSource {
        private let time = Mutex(Instant(milliseconds: 1_700_000_000_000))
        var now: Instant { time.withLock { $0 } }
        func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
    }

    private struct House {
        let clock = TestClock()
        let tokens: AccessTokens
        let features: Features
        let watcher: RevocationWatcher
        let authenticator: AccountAuthenticator

        init() async throws {
            let database = try SQLiteDatabase(.memory)
            try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
            let (broker, logger, revocations) = (LocalBroker(), Logger(label: "test"), Revocations())
            let key = AccessTokens.Key(id: "k1", secret: [UInt8](repeating: 7, count: 32))
            tokens = try await AccessTokens(.init(keys: [key]), revocations: revocations, clock: clock)
            let ports = Ports(
                database: database, log: try await SQLiteEventLog(database, clock: clock) { _ in }, broker: broker,
                presence: LocalPresence(), limiter: LocalRateLimiter(isOn: false), clock: clock, logger: logger)
            let configuration = try await ServerConfiguration.load(
                ConfigurationFlags(), environment: ["MARTLET_ACCOUNTS_GUESTS": "true"])
            features = Features(ports, configuration, tokens, revocations)
            watcher = RevocationWatcher(
                database: database, revocations: revocations, broker: broker, clock: clock, lifetime: tokens.lifetime,
                logger: logger)
            authenticator = features.authenticator(tokens, revocations, clock)
        }

        func account() async throws(Fault) -> Account {
            try await features.administration.create(
                username: "alice", password: "correct horse", app: AppID(unchecked: 1))
        }

        /// A token as operators make them: it belongs to no sign-in.
        func signIn(_ account: Account) async throws(Fault) -> SessionUser {
            let token = try await tokens.make(account, device: .bot, family: 0)
            return try await signIn(.token(token))
        }

        func signIn(_ credentials: SignIn.Credentials) async throws(Fault) -> SessionUser {
            try await authenticator.signIn(
                SignIn(credentials, app: AppID(unchecked: 1)), address: "", session: .none)
        }

        func end(_ change: (AccountAdministration) async throws(Fault) -> Void) async throws(Fault) {
            try await change(features.administration)
            try await watcher.poll()
        }

        func isConfirmed(_ user: SessionUser) async -> Bool { (try? await authenticator.confirm(user)) != nil }
    }

    @Test func aBanCounts() async throws {
        let house = try await House()
        let account = try await house.account()
        let session = try await house.signIn(account)
        #expect(await house.isConfirmed(session))
        try await house.end { admin throws(Fault) in try await admin.ban(account.id) }
        let refused = await #expect(throws: Fault.self) { try await house.authenticator.confirm(session) }
        #expect(refused?.reason == .invalidToken)
    }

    @Test func aRoleTakenAwayCounts() async throws {
        let house = try await House()
        let account = try await house.account()
        try await house.end { admin throws(Fault) in try await admin.setRole(account.id, to: .admin) }
        let session = try await house.signIn(account)
        #expect(await house.isConfirmed(session))
        try await house.end { admin throws(Fault) in try await admin.setRole(account.id, to: .user) }
        #expect(await !house.isConfirmed(session))
    }

    @Test func whatEndedBeforeTheTokenWasMadeDoesNot() async throws {
        let house = try await House()
        let account = try await house.account()
        try await house.end { admin throws(Fault) in try await admin.ban(account.id) }
        try await house.end { admin throws(Fault) in try await admin.unban(account.id) }
        house.clock.advance(.seconds(1))
        #expect(await house.isConfirmed(try await house.signIn(account)))
    }

    @Test func aGuestsBanCounts() async throws {
        let house = try await House()
        let guest = try await house.signIn(.guest("Zoe"))
        #expect(await house.isConfirmed(guest))
        try await house.end { admin throws(Fault) in try await admin.ban(guest.caller.user) }
        #expect(await !house.isConfirmed(guest))
    }

    @Test func aLogoutCounts() async throws {
        let house = try await House()
        _ = try await house.account()
        let signedIn = try await house.features.accounts.signIn(
            .init(username: "alice", password: "correct horse"), address: "")
        let session = try await house.signIn(.token(signedIn.tokens.accessToken))
        #expect(await house.isConfirmed(session))
        try await house.features.accounts.signOut(session.caller, all: false)
        #expect(await !house.isConfirmed(session))
    }

    @Test func aNamedGuestIsTheSameAtEachSignIn() async throws {
        let house = try await House()
        let first = try await house.signIn(.namedGuest("黄帝"))
        let second = try await house.signIn(.namedGuest("黄帝"))
        #expect(first.caller.user == second.caller.user)
        #expect(first.caller.role == .guest)
        #expect(first.username == "黄帝")
        #expect(first.caller.name == "黄帝")
    }

    @Test func aNamedGuestComesBackWhenABanIsLifted() async throws {
        let house = try await House()
        let guest = try await house.signIn(.namedGuest("黄帝")).caller.user
        try await house.end { admin throws(Fault) in try await admin.ban(guest) }
        await #expect(throws: Fault.self) { try await house.signIn(.namedGuest("黄帝")) }
        try await house.end { admin throws(Fault) in try await admin.unban(guest) }
        house.clock.advance(.seconds(1))
        #expect(await house.isConfirmed(try await house.signIn(.namedGuest("黄帝"))))
    }

    @Test func aChangedPasswordEndsASignInByNumber() async throws {
        let house = try await House()
        let account = try await house.account()
        let session = try await house.signIn(.number(account.id, password: "correct horse"))
        #expect(session.caller.user == account.id)
        #expect(await house.isConfirmed(session))
        try await house.end { admin throws(Fault) in try await admin.setPassword(account.id, to: "battery staple") }
        #expect(await !house.isConfirmed(session))
        let refused = await #expect(throws: Fault.self) {
            try await house.signIn(.number(account.id, password: "correct horse"))
        }
        #expect(refused?.reason == .wrongCredentials)
    }
}
