import MartletBus
import MartletCore
import MartletGateway
import MartletLog
import MartletMessaging
import MartletSQL
import MartletWire
import NIOCore
import Synchronization

// What the gateway leans on, as far as the loops need it.

private let unavailable = Fault(.unavailable, "not part of this loop")

/// Everybody exists, is whom their token names, may write to everybody else, and is in the same groups.
struct Everybody: SessionAuthenticator, ConversationSource, CommandRunner, PresenceAnnouncer, HTTPEdge, RosterSource,
    UserDirectory, DirectRelations
{
    let groups: [ConversationID]

    private static let app = AppID(unchecked: 1)

    // MARK: Signing in

    func directs(of users: [UserID]) async throws(Fault) -> [ConversationID] { [] }
    func signIn(_ signIn: SignIn, address: String, session: SessionID) async throws(Fault) -> SessionUser {
        guard case .token(let token) = signIn.credentials, let user = Int64(token).flatMap({ UserID($0) }) else {
            throw unavailable
        }
        let caller = Caller(user: user, app: Self.app, role: .user, device: .web, session: session, name: "alice")
        return SessionUser(caller: caller, username: "alice", nickname: "")
    }

    func confirm(_ user: SessionUser) async throws(Fault) -> SessionUser { user }

    func announce(_ user: UserID, online: Bool) async {}

    // MARK: People

    func cards(_ ids: [UserID]) async throws(Fault) -> [UserID: UserCard] {
        var cards: [UserID: UserCard] = [:]
        for id in ids {
            cards[id] = UserCard(
                id: id, app: Self.app, username: "alice", nickname: "", avatar: "", role: .user,
                strangersMayWrite: true)
        }
        return cards
    }

    func find(username: String, app: AppID) async throws(Fault) -> UserCard? { nil }

    func relation(of user: UserID, to other: UserID) async throws(Fault) -> Relation { .friend }

    func relations(of user: UserID, to others: [UserID]) async throws(Fault) -> [UserID: Relation] { [:] }

    // MARK: Conversations

    func groups(of user: UserID) async throws(Fault) -> [ConversationID] { groups }

    func events(
        _ conversation: ConversationID, from seq: Int64, through: Int64, limit: Int, isCurrent: Bool
    ) async throws(Fault) -> [Event] { throw unavailable }

    func sync(
        _ caller: Caller, cursors: [(ConversationID, Int64)], limit: Int, rooms: [ConversationID]
    ) async throws(Fault) -> SyncResult { throw unavailable }

    func enter(_ caller: Caller, _ room: ConversationID) async throws(Fault) -> Int64 { throw unavailable }

    // MARK: The rest

    func run(_ command: UInt8, by requester: Requester, data: [UInt8]) async throws(Fault) -> [UInt8] {
        throw unavailable
    }

    func roster(of caller: Caller, device: String) async throws(Fault) -> Roster { throw unavailable }

    func received(_ cursors: [ReceivedCursor]) async throws(Fault) { throw unavailable }

    func adopt(_ channel: any Channel, claimed: IPAddress?) -> EventLoopFuture<@Sendable () async -> Void> {
        channel.eventLoop.makeFailedFuture(unavailable)
    }
}

struct Rights: WriteRights {
    let access: ConversationAccess

    func sendRight(_ caller: Caller, _ conversation: ConversationID) async throws(Fault) -> SendRight {
        try await access.sendRight(caller, conversation)
    }
}

/// Numbers sends and answers them at once, on the thread that they come from, which is the event loop's. Counts begin at
/// `Samples.firstNumber`. It keeps nothing.
final class ImmediateLog: EventLog {
    private struct Places {
        var ordinal = Samples.firstNumber
        var seqs: [ConversationID: Int64] = [:]
    }

    private let places = Mutex(Places())
    private let onCommit: @Sendable ([Event]) -> Void

    init(onCommit: @escaping @Sendable ([Event]) -> Void) { self.onCommit = onCommit }

    /// All requests are of one lane, as there is one event loop.
    func submit(_ requests: [AppendRequest]) {
        guard let lane = requests.first?.lane else { return }
        let events: [Event] = places.withLock { places in
            requests.map { request in
                let seq = places.seqs[request.draft.conversation, default: Samples.firstNumber] + 1
                places.seqs[request.draft.conversation] = seq
                places.ordinal += 1
                let receipt = Receipt(seq: seq, ordinal: places.ordinal, time: Samples.time, isRepeat: false)
                request.outcome = .success(receipt)
                return Event(request.draft, receipt)
            }
        }
        lane.complete(requests[...])
        onCommit(events)
        lane.wake()
    }

    func transact<Value: Sendable>(
        on conversation: ConversationID?,
        _ body: @escaping @Sendable (any SQLConnection, inout [Draft]) throws(Fault) -> Value
    ) async throws(Fault) -> Value { throw unavailable }

    func lastSeq(_ conversation: ConversationID, in connection: any SQLConnection) throws(Fault) -> Int64 {
        throw unavailable
    }

    func read(
        _ conversation: ConversationID, _ range: ClosedRange<Int64>, limit: Int, newest: Bool
    ) async throws(Fault) -> LogPage { throw unavailable }

    func bounds(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: LogBounds] {
        throw unavailable
    }

    func lastMessages(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: Event] {
        throw unavailable
    }

    func unread(_ cursors: [ConversationID: Int64], for user: UserID) async throws(Fault) -> [ConversationID: Int] {
        throw unavailable
    }

    func trim(_ conversation: ConversationID, before seq: Int64) async throws(Fault) -> Int { throw unavailable }

    func expire(before time: Instant) async throws(Fault) -> Int { throw unavailable }
}
