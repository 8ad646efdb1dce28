import Logging
import MartletAccounts
import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Synchronization

/// The time, as the test says it is.
final class TestClock: TimeSource {
    private let instant = Mutex(Instant(milliseconds: 1_700_000_000_000))
    var now: Instant { instant.withLock { $0 } }
    func advance(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// Notes what would go to live sessions.
final class RecordingBroker: Broker {
    private let noted = Mutex<[Signal]>([])
    var signals: [Signal] { noted.withLock { $0 } }
    func publish(_ events: [Event]) {}
    let isLossy = false
    func follow(_ topic: ConversationID) {}
    func unfollow(_ topic: ConversationID) {}
    func settled(_ topics: [ConversationID]) async {}
    func publish(_ signal: Signal) async { post(signal) }
    func post(_ signal: Signal) { noted.withLock { $0.append(signal) } }

    /// The families that live sessions were told of, by reason.
    func revoked(_ reason: RevocationReason) -> [Int64] {
        signals.compactMap { signal in
            guard case .revoked(_, let family, _, reason) = signal else { return nil }
            return family
        }
    }
}

/// Accounts over a database of the engine that is tried, with cheap hashes.
struct House {
    static let app = AppID(unchecked: 1)
    static let otherApp = AppID(unchecked: 2)
    static let password = "correct horse"
    static let keys = [AccessTokens.Key(id: "k1", secret: [UInt8](repeating: 7, count: 32))]
    static let cheap = PasswordHasher.Cost(logN: 4, blockSize: 1, parallelism: 1)

    let clock = TestClock()
    let broker = RecordingBroker()
    let presence = LocalPresence()
    let revocations = Revocations()
    let store: Store
    var database: any Database { store.database }
    var log: any EventLog { store.log }
    let directory: AccountDirectory
    let tokens: AccessTokens
    let accounts: Accounts
    let administration: AccountAdministration

    init(_ change: (inout Accounts.Configuration) -> Void = { _ in }) async throws {
        store = try await StoreEngine.open(clock: clock)
        let (database, log) = (store.database, store.log)
        directory = AccountDirectory(database: database, clock: clock)
        tokens = try await AccessTokens(.init(keys: Self.keys), revocations: revocations, clock: clock)
        var configuration = Accounts.Configuration()
        configuration.apps = [Self.app, Self.otherApp]
        change(&configuration)
        let hasher = PasswordHasher(cost: Self.cheap)
        accounts = Accounts(
            database: database, log: log, broker: broker, presence: presence, limiter: LocalRateLimiter(), clock: clock,
            hasher: hasher, tokens: tokens, revocations: revocations, directory: directory,
            configuration: configuration,
            logger: Logger(label: "test"))
        administration = AccountAdministration(database: database, hasher: hasher, clock: clock)
    }

    func watcher(_ revocations: Revocations) -> RevocationWatcher {
        RevocationWatcher(
            database: database, revocations: revocations, broker: broker, clock: clock, lifetime: tokens.lifetime,
            logger: Logger(label: "test"))
    }

    @discardableResult
    func register(_ name: String, app: AppID? = nil) async throws(Fault) -> SignedIn {
        try await accounts.register(.init(username: name, password: Self.password, app: app), address: "192.0.2.1")
    }

    @discardableResult
    func signIn(_ name: String, _ password: String = password, app: AppID? = nil) async throws(Fault) -> SignedIn {
        try await accounts.signIn(.init(username: name, password: password, app: app), address: "192.0.2.1")
    }

    func caller(_ signedIn: SignedIn) async throws(Fault) -> Caller {
        try await tokens.caller(from: signedIn.tokens.accessToken, trace: "t")
    }

    /// An administrator who has just signed in.
    func administrator() async throws(Fault) -> Caller {
        try await administration.create(username: "root", password: Self.password, role: .admin, app: Self.app)
        return try await caller(try await signIn("root"))
    }

    /// Whether an access token is still taken.
    func isValid(_ tokens: TokenPair) async -> Bool { await accounts.verify(tokens.accessToken) != nil }
}

/// The reason of the fault that `body` throws, or nil.
func reason(_ body: () async throws(Fault) -> Void) async -> Fault.Reason? {
    do {
        try await body()
        return nil
    } catch {
        return error.reason
    }
}
