import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletSocial
import MartletTestServices
import MartletWire
import Synchronization

/// The time, as the test says it is.
final class TestClock: TimeSource {
    let now = Instant(milliseconds: 1_700_000_000_000)
}

/// Notes which conversations' rights changed.
final class RecordingBroker: Broker {
    private let noted = Mutex<[ConversationID]>([])
    var changed: [ConversationID] { noted.withLock { $0 } }
    func publish(_ events: [Event]) {}
    let isLossy = false
    func follow(_ topic: ConversationID) {}
    func unfollow(_ topic: ConversationID) {}
    func settled(_ topics: [ConversationID]) async {}
    func publish(_ signal: Signal) async { post(signal) }
    func post(_ signal: Signal) {
        guard case .rightsChanged(let conversation, nil) = signal else { return }
        noted.withLock { $0.append(conversation) }
    }
}

/// The accounts that a test made.
final class TestDirectory: UserDirectory {
    let known = Mutex<[UserID: UserCard]>([:])

    func cards(_ ids: [UserID]) async throws(Fault) -> [UserID: UserCard] {
        known.withLock { known in known.filter { ids.contains($0.key) } }
    }

    func find(username: String, app: AppID) async throws(Fault) -> UserCard? {
        known.withLock { $0.values.first { $0.username == username && $0.app == app } }
    }
}

/// Users who may become friends.
struct Town {
    static let app = AppID(unchecked: 1)

    let broker = RecordingBroker()
    let presence = LocalPresence()
    let directory = TestDirectory()
    let store: Store
    var database: any Database { store.database }
    var log: any EventLog { store.log }
    let friends: Friends

    init() async throws {
        let clock = TestClock()
        store = try await StoreEngine.open(clock: clock)
        let (database, log) = (store.database, store.log)
        friends = Friends(
            database: database, log: log, broker: broker, presence: presence, directory: directory, clock: clock)
    }

    func user(
        _ name: String, app: AppID = app, role: Role = .user, strangersMayWrite: Bool = true
    ) async throws(Fault) -> Caller {
        let id = try await database.write { connection throws(Fault) in
            let id = UserID(unchecked: try connection.next(.user))
            try connection.run(
                """
                INSERT INTO users (id, app, username, username_key, role, created_at)
                VALUES (\(id), \(app), \(name), \(name), \(role.rawValue), 0)
                """)
            return id
        }
        let card = UserCard(
            id: id, app: app, username: name, nickname: "", avatar: "", role: role, strangersMayWrite: strangersMayWrite
        )
        directory.known.withLock { $0[id] = card }
        return Caller(user: id, app: app, role: role, device: .web, name: name)
    }

    @discardableResult
    func ask(_ caller: Caller, _ other: Caller, _ message: String = "") async throws(Fault) -> RequestOutcome {
        try await friends.request(.id(other.user), message: message, by: caller)
    }

    func befriend(_ one: Caller, _ other: Caller) async throws(Fault) {
        try await friends.answer(try await ask(one, other).id, isAccepted: true, by: other)
    }

    /// A user's inbox, each event as `type content`.
    func inbox(_ caller: Caller) async throws(Fault) -> [String] {
        try await log.read(.inbox(caller.user), 1...1000, limit: 1000, newest: false).events.map { event in
            "\(event.kind.name) \(String(decoding: event.body ?? [], as: UTF8.self))"
        }
    }

    /// How many rows of `friends` there are, for both directions.
    func friendRows() async throws(Fault) -> Int64? {
        try await database.read { connection throws(Fault) in try connection.integer("SELECT count(*) FROM friends") }
    }
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
