import Foundation
import Logging
import MartletAccounts
import MartletBus
import MartletCore
import MartletLog
import MartletMessaging
import MartletSQL
import MartletSocial
import MartletTestServices
import Synchronization

@testable import MartletServer

/// The time, as the test says it is.
final class MovingClock: TimeSource {
    private let time = Mutex(Instant(milliseconds: 1_700_000_000_000))
    var now: Instant { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
    func set(_ now: Instant) { time.withLock { $0 = now } }
}

/// A store on SQLite that people have used, and a PostgreSQL database of its own to move it into.
final class MovingHouse: Sendable {
    /// The draft whose retry is tried on the other side.
    static let retried = "retried-later"
    static let first = UserID(unchecked: 1)
    static let second = UserID(unchecked: 2)
    static let pair = ConversationID.direct(first, second)

    let folder: Folder
    let clock = MovingClock()
    let configuration: ServerConfiguration
    let target: String
    let server: PostgresServer

    convenience init(isFilled: Bool = true) async throws {
        let server = try await PostgresServer.shared
        let url = try await server.database()
        try self.init(server, target: String(url.description.split(separator: "/").last ?? ""))
        guard isFilled else { return }
        let filled = try await FilledStore.shared.house
        try SQLiteDatabase.backup(from: filled.path, to: path)
        clock.set(filled.clock.now)
    }

    private init(_ server: PostgresServer, target: String) throws {
        folder = try Folder()
        var configuration = ServerConfiguration()
        configuration.dataFolder = folder.path + "/data"
        configuration.store = .sqlite(folder.path + "/data/martlet.db")
        self.configuration = configuration
        self.server = server
        self.target = target
        _ = try DataFolder(preparing: configuration.dataFolder)
    }

    /// What others begin with; it is not moved itself.
    fileprivate static func filled() async throws -> MovingHouse {
        let house = try MovingHouse(try await PostgresServer.shared, target: "")
        try await house.fill()
        return house
    }

    var path: String { folder.path + "/data/martlet.db" }

    func moving() throws -> Moving {
        try Moving(configuration, from: "sqlite:" + path, to: server.urlText(target))
    }

    @discardableResult
    func move() async throws -> MovingReport { try await moving().run(.patient) }

    /// Runs a statement on the PostgreSQL side.
    @discardableResult
    func execute(_ text: String) async throws -> [SQLRow] { try await server.execute(text, in: target) }

    /// Runs a statement on the SQLite side.
    func change(_ text: String) async throws {
        let database = try SQLiteDatabase(.file(path))
        defer { database.close() }
        try await database.write { connection throws(Fault) in _ = try connection.run(SQL(stringLiteral: text)) }
    }

    func integer(_ text: String) async throws -> Int64? {
        let database = try SQLiteDatabase(.file(path))
        defer { database.close() }
        return try await database.read { connection throws(Fault) in try connection.integer(SQL(stringLiteral: text)) }
    }

    // MARK: Both logs

    func onSQLite<Value>(_ body: (any EventLog, any Database) async throws -> Value) async throws -> Value {
        let store = try await Store(configuration, logger: .quiet)
        _ = try await store.migrate(now: clock.now)
        let log = try await store.log(clock: clock, metrics: LogMetrics()) { _ in }
        defer { log.close() }
        return try await body(log.log, store.database)
    }

    func migrateTarget() async throws {
        let database = try PostgresDatabase(try server.url(target), logger: .quiet)
        defer { database.close() }
        try await Migrator(Migration.all(log: Migration.postgresLog)).migrate(database, now: clock.now)
    }

    func onPostgres<Value>(_ body: (any EventLog, any Database) async throws -> Value) async throws -> Value {
        let database = try PostgresDatabase(try server.url(target), logger: .quiet)
        let log = try await PostgresEventLog(database, clock: clock, logger: .quiet) { _ in }
        defer { log.close() }
        return try await body(log, database)
    }

    func draft(_ text: String, clientId: String, in conversation: ConversationID = pair) -> Draft {
        Draft(
            conversation: conversation, sender: Self.first, senderName: "", kind: .text, clientId: clientId,
            body: Array(#"{"text":"\#(text)"}"#.utf8))
    }

    // MARK: What people did

    private func fill() async throws {
        try await onSQLite { log, database in
            let features = try await features(log, database)
            let people = try await people(features)
            let keys = APIKeys(database: database, clock: clock)
            _ = try await keys.create(name: "backend", app: configuration.firstApp)
            try await keys.revoke(try await keys.create(name: "old backend", app: nil).key.id)
            try await acquaint(people, features)
            try await meet(people, features)
            try await talk(people, features, log)
            try await speakOlderDialects(people, features)
        }
    }

    private func speakOlderDialects(_ people: [Caller], _ features: Features) async throws {
        let guest = try await features.accounts.namedGuest("黄帝", app: configuration.firstApp)
        _ = try await features.postings.post(
            Posting(
                app: configuration.firstApp, messageId: "消息 1", sender: guest, target: .room, kind: .text,
                content: Array(#"{"text":"hello"}"#.utf8)), by: .backend(app: nil))
        try await features.deviceCursors.save([
            ReceivedCursor(user: people[1].user, device: "clusterchat", conversation: Self.pair, seq: 4)
        ])
    }

    private func features(_ log: any EventLog, _ database: any Database) async throws -> Features {
        var configuration = configuration
        configuration.messaging.recallLimit = .seconds(3600)
        let revocations = Revocations()
        let tokens = try await AccessTokens(
            .init(keys: [.init(id: "k", secret: [UInt8](repeating: 7, count: 32))]), revocations: revocations,
            clock: clock)
        let ports = Ports(
            database: database, log: log, broker: LocalBroker(), presence: LocalPresence(),
            limiter: LocalRateLimiter(isOn: false), clock: clock, logger: .quiet)
        return Features(ports, configuration, tokens, revocations)
    }

    /// Four people, one of whom has signed in, refreshed and signed out.
    private func people(_ features: Features) async throws -> [Caller] {
        var people: [Caller] = []
        for name in ["alice", "bob", "carol", "dave"] {
            let account = try await features.administration.create(
                username: name, password: "correct horse", nickname: name.capitalized, app: configuration.firstApp)
            people.append(
                Caller(
                    user: account.id, app: configuration.firstApp, role: .user, device: .web, name: account.nickname))
        }
        let signedIn = try await features.accounts.signIn(
            .init(username: "alice", password: "correct horse"), address: "192.0.2.1")
        _ = try await features.accounts.refresh(signedIn.tokens.refreshToken, address: "192.0.2.1")
        try await features.accounts.signOut(people[0], all: true)
        try await features.administration.ban(people[3].user)
        try await features.administration.unban(people[3].user)
        return people
    }

    private func acquaint(_ people: [Caller], _ features: Features) async throws {
        let (alice, bob, carol, dave) = (people[0], people[1], people[2], people[3])
        let asked = try await features.friends.request(.id(bob.user), message: "hello", by: alice)
        try await features.friends.answer(asked.id, isAccepted: true, by: bob)
        try await features.friends.setRemark("Bobby — «B»", on: bob.user, by: alice)
        _ = try await features.friends.request(.id(alice.user), message: "please", by: carol)
        try await features.friends.block(dave.user, by: alice)
    }

    private func meet(_ people: [Caller], _ features: Features) async throws {
        let (alice, bob, carol, dave) = (people[0], people[1], people[2], people[3])
        let group = try await features.groups.create(
            alice, name: "Swifts", description: "birds", members: [bob.user, carol.user], joinMode: .approval)
        _ = try await features.groups.join(dave, group, message: "may I?")
        for number in 1...5 {
            _ = try await features.messages.send(
                bob, to: .conversation(.group(group)), clientId: "group-\(number)", kind: .text,
                content: Array(#"{"text":"to all, number \#(number) ✓"}"#.utf8))
        }
    }

    private func talk(_ people: [Caller], _ features: Features, _ log: any EventLog) async throws {
        let (alice, bob) = (people[0], people[1])
        let messages = features.messages
        for number in 1...6 {
            _ = try await messages.send(
                alice, to: .user(bob.user), clientId: "m\(number)", kind: .text,
                content: Array(#"{"text":"message \#(number)"}"#.utf8))
        }
        _ = try await messages.edit(
            alice, Self.pair, target: 3, clientId: "e3", content: Array(#"{"text":"edited"}"#.utf8))
        _ = try await messages.recall(alice, Self.pair, target: 3, clientId: "r3")
        _ = try await messages.edit(
            alice, Self.pair, target: 5, clientId: "e5", content: Array(#"{"text":"better"}"#.utf8))
        _ = try await messages.react(bob, Self.pair, target: 5, emoji: "👍", on: true)
        _ = try await log.trim(Self.pair, before: 2)
        // Other weeks, and between them many events of many conversations at once.
        clock.advance(.seconds(10 * 86_400))
        _ = try await log.transact { (_, drafts) throws(Fault) in
            for number in 0..<1500 {
                drafts.append(
                    Draft(
                        conversation: .room(AppID(unchecked: 1), "room\(number % 40)"), sender: Self.second,
                        senderName: "", kind: .text, clientId: number % 3 == 0 ? "" : "bulk-\(number)",
                        body: Array(#"{"text":"\#(number)"}"#.utf8)))
            }
        }
        // The other generation of retries.
        clock.advance(.seconds(25 * 3600))
        _ = try await log.append(draft("once", clientId: Self.retried))
        _ = try await features.cursors.read(bob, Self.pair, seq: 6)
        _ = try await features.conversations.set(alice, Self.pair, ConversationChange(pinned: true))
        clock.advance(.seconds(26 * 3600))
        _ = try await log.append(draft("last", clientId: "the-last"))
    }
}

extension MovingWatch {
    static let patient = MovingWatch(progress: { _, _, _ in }, isStopped: { false })

    /// Says stop at the `count`th time that it is asked.
    static func stopping(after count: Int) -> MovingWatch {
        let asked = AskCount()
        return MovingWatch(progress: { _, _, _ in }, isStopped: { asked.next() > count })
    }
}

private final class AskCount: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

/// A store that is filled once: hashing passwords takes its time.
private actor FilledStore {
    static let shared = FilledStore()

    private var filling: Task<MovingHouse, any Error>?

    var house: MovingHouse {
        get async throws {
            // Awaited right below, by each that asks.
            let task = filling ?? Task { try await MovingHouse.filled() }
            filling = task
            return try await task.value
        }
    }
}
