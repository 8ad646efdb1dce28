import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import MartletWire
import Synchronization

@testable import MartletMessaging

/// The time, as the test says it is.
final class TestClock: TimeSource {
    private let time = Mutex(Instant(milliseconds: 1_700_000_000_000))
    var now: Instant { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// Notes signals.
final class RecordingBroker: Broker {
    let signals = Mutex<[Signal]>([])

    func publish(_ events: [Event]) {}
    let isLossy = false
    func follow(_ topic: ConversationID) {}
    func unfollow(_ topic: ConversationID) {}
    func settled(_ topics: [ConversationID]) async {}
    func publish(_ signal: Signal) async { post(signal) }
    func post(_ signal: Signal) { signals.withLock { $0.append(signal) } }

    /// The signals so far, in words; they are forgotten.
    func heard() -> [String] {
        signals.withLock { signals in
            defer { signals = [] }
            return signals.map(Self.words)
        }
    }

    private static func words(_ signal: Signal) -> String {
        switch signal {
        case .read(let conversation, let user, let seq, let audience):
            "read \(conversation.text) \(user.value) \(seq) \(words(audience))"
        case .delivered(let conversation, let user, let seq, let audience):
            "delivered \(conversation.text) \(user.value) \(seq) \(words(audience))"
        case .rightsChanged(let conversation, let user):
            "rights \(conversation.text) \(user.map { String($0.value) } ?? "all")"
        default: "other"
        }
    }

    private static func words(_ audience: Audience) -> String {
        switch audience {
        case .followers: "followers"
        case .users(let users): "to \(users.map(\.value).sorted())"
        }
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

/// Friendships and blocks as the test says; strangers otherwise.
final class TestRelations: DirectRelations {
    private let known = Mutex<[[UserID]: Relation]>([:])

    func set(_ user: Caller, _ other: Caller, _ relation: Relation) {
        known.withLock { $0[[user.user, other.user]] = relation }
    }

    func befriend(_ one: Caller, _ other: Caller) {
        set(one, other, .friend)
        set(other, one, .friend)
    }

    func relation(of user: UserID, to other: UserID) async throws(Fault) -> Relation {
        known.withLock { $0[[user, other]] } ?? .stranger
    }

    func relations(of user: UserID, to others: [UserID]) async throws(Fault) -> [UserID: Relation] {
        var relations: [UserID: Relation] = [:]
        for other in others { relations[other] = try await relation(of: user, to: other) }
        return relations
    }
}

/// People who talk: all use cases on a database of the engine that is tried.
struct Village {
    static let app = AppID(unchecked: 1)
    static let otherApp = AppID(unchecked: 2)

    let clock = TestClock()
    let broker = RecordingBroker()
    let presence = LocalPresence()
    let directory = TestDirectory()
    let relations = TestRelations()
    /// Off: tests of the limit bring their own.
    let limiter = LocalRateLimiter(isOn: false)
    let store: Store
    var database: any Database { store.database }
    var log: any EventLog { store.log }
    let access: ConversationAccess
    let messages: Messages
    let history: History
    let cursors: Cursors
    let conversations: Conversations
    let groups: Groups
    let rooms: Rooms
    let sync: Sync
    let reader: EventReader
    let postings: Postings
    let deviceCursors: DeviceCursors
    let roomHistory: RoomHistory

    init(_ configuration: MessagingConfiguration = MessagingConfiguration()) async throws {
        store = try await StoreEngine.open(clock: clock)
        let (database, log) = (store.database, store.log)
        reader = EventReader(users: directory)
        access = ConversationAccess(
            database: database, users: directory, relations: relations, presence: presence, clock: clock)
        messages = Messages(
            access: access, database: database, log: log, limiter: limiter, clock: clock, configuration: configuration)
        history = History(access: access, log: log, reader: reader)
        cursors = Cursors(access: access, database: database, log: log, broker: broker, clock: clock)
        conversations = Conversations(
            access: access, database: database, log: log, users: directory, reader: reader, clock: clock)
        groups = Groups(
            database: database, log: log, access: access, users: directory, relations: relations, presence: presence,
            broker: broker, clock: clock)
        rooms = Rooms(access: access, users: directory, presence: presence, configuration: configuration)
        sync = Sync(database: database, log: log, reader: reader)
        postings = Postings(
            access: access, database: database, log: log, limiter: limiter, clock: clock, configuration: configuration)
        deviceCursors = DeviceCursors(database: database, log: log, reader: reader)
        roomHistory = RoomHistory(log: log, reader: reader)
    }

    /// A new account; its username is its name in small letters.
    func person(_ name: String, app: AppID = app, role: Role = .user) async throws(Fault) -> Caller {
        let username = name.lowercased()
        let id = try await database.write { connection throws(Fault) in
            let id = UserID(unchecked: try connection.next(.user))
            try connection.run(
                """
                INSERT INTO users (id, app, username, username_key, role, created_at)
                VALUES (\(id), \(app), \(username), \(username), \(role.rawValue), 0)
                """)
            return id
        }
        let card = UserCard(
            id: id, app: app, username: username, nickname: name, avatar: "/\(username).png", role: role,
            strangersMayWrite: true)
        directory.known.withLock { $0[id] = card }
        return Caller(user: id, app: app, role: role, device: .web, name: name)
    }

    func card(_ caller: Caller) throws(Fault) -> UserCard {
        guard let card = directory.known.withLock({ $0[caller.user] }) else { throw Fault(.unknownUser, "no card") }
        return card
    }

    /// Posts a text; as the app's own server where nothing else is said.
    @discardableResult
    func post(
        _ text: String, _ sender: Caller, to target: PostingTarget, id: String = "",
        by poster: Poster = .backend(app: nil)
    ) async throws(Fault) -> PostingOutcome {
        try await postings.post(posting(text, sender, to: target, id: id), by: poster)
    }

    func posting(
        _ text: String, _ sender: Caller, to target: PostingTarget, id: String = ""
    ) throws(Fault) -> Posting {
        Posting(
            app: sender.app, messageId: id, sender: try card(sender), target: target, kind: .text,
            content: JSONWriter.object { $0.field("text", text) })
    }

    /// Sends a text and moves the clock on by a second.
    @discardableResult
    func say(_ text: String, _ caller: Caller, in conversation: ConversationID) async throws(Fault) -> Int64 {
        clock.advance(.seconds(1))
        let clientId = "\(caller.user.value)-\(clock.now.milliseconds)"
        return try await send(caller, .conversation(conversation), clientId: clientId, text).receipt.seq
    }

    func send(
        _ caller: Caller, _ destination: Destination, clientId: String, _ text: String
    ) async throws(Fault) -> (conversation: ConversationID, receipt: Receipt) {
        let content = JSONWriter.object { $0.field("text", text) }
        return try await messages.send(caller, to: destination, clientId: clientId, kind: .text, content: content)
    }

    /// A conversation's events, each as `type content`, oldest first.
    func events(_ conversation: ConversationID) async throws(Fault) -> [String] {
        try await log.read(conversation, 1...1000, limit: 1000, newest: false).events.map { event in
            "\(event.kind.name) \(String(decoding: event.body ?? [], as: UTF8.self))"
        }
    }

    func inbox(_ caller: Caller) async throws(Fault) -> [String] { try await events(.inbox(caller.user)) }

    /// A group of `owner` with `others` as plain members.
    func group(of owner: Caller, _ others: Caller..., mode: JoinMode = .approval) async throws(Fault) -> GroupID {
        for other in others { relations.befriend(owner, other) }
        return try await groups.create(owner, name: "Swifts", members: others.map(\.user), joinMode: mode)
    }

    func role(of caller: Caller, in group: GroupID) async throws(Fault) -> GroupRole? {
        try await groups.get(caller, group).role
    }
}

/// The direct conversation of two people.
func direct(_ one: Caller, _ other: Caller) -> ConversationID {
    ConversationID.between(one.user, other.user) ?? .inbox(one.user)
}

/// What is written, as a reader of JSON sees it.
func json(_ value: some JSONEncodable) throws(Fault) -> JSONValue { try JSONValue(parsing: JSONWriter.encode(value)) }

func texts(_ events: [EventOutput]) throws(Fault) -> [String] {
    try events.map { event throws(Fault) in try json(event)["content"]?["text"]?.string ?? "" }
}

func seqs(_ events: [EventOutput]) throws(Fault) -> [Int64] {
    try events.map { event throws(Fault) in try json(event)["seq"]?.integer ?? 0 }
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
