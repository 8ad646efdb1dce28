import MartletAPI
import MartletCore
import MartletWire
import Synchronization

/// Stands in for the features behind the gowebsocket calls: notes what it is asked, and answers as it was told. The key
/// `key` is a program's, `key-102` that of app 102's program, `good` is user 7's access token.
final class GoWebSocketDesk: GoWebSocketCalls {
    enum Asked: Equatable {
        case people(AppID)
        case online(String, AppID)
        case sent(GoWebSocketPosting)
        case history(AppID, before: Int64?, limit: Int)
        case state(lists: Bool)
    }

    static let rooms = [101, 102].map { AppID(unchecked: $0) }
    static let page = Array("<title>聊天首页--房间Id({{appId}})</title><body data-rooms=\"{{rooms}}\"> {{other}} { }".utf8)

    let isOpen: Bool
    let outcome: Result<GoWebSocketSent, Fault>
    private let calls = Mutex<[Asked]>([])
    private let credentials = Mutex<[String?]>([])

    init(isOpen: Bool = true, outcome: Result<GoWebSocketSent, Fault> = .success(.stored)) {
        self.isOpen = isOpen
        self.outcome = outcome
    }

    var asked: [Asked] { calls.withLock { $0 } }
    var given: [String?] { credentials.withLock { $0 } }

    /// What was sent.
    var postings: [GoWebSocketPosting] {
        asked.compactMap { if case .sent(let posting) = $0 { posting } else { nil } }
    }

    /// An API that speaks the dialect.
    var house: APIHouse {
        APIHouse(goWebSocket: GoWebSocketRoutes(calls: self, rooms: Self.rooms, page: Self.page))
    }

    private func note(_ call: Asked) { calls.withLock { $0.append(call) } }

    func caller(credential: String?, from visitor: Visitor) async throws(Fault) -> Poster {
        credentials.withLock { $0.append(credential) }
        switch credential {
        case nil:
            guard isOpen else { throw Fault(.notSignedIn, "sign in first") }
            return .anyone
        case "key": return .backend(app: nil)
        case "key-102": return .backend(app: AppID(unchecked: 102))
        case .some(let token):
            return .account(try await FakeTokens().caller(from: token, trace: visitor.trace))
        }
    }

    func people(in app: AppID, for caller: Poster) async throws(Fault) -> GoWebSocketPeople {
        note(.people(app))
        return GoWebSocketPeople(names: ["黄帝", "马\"远"], count: 2)
    }

    func isOnline(_ userId: String, in app: AppID, for caller: Poster) async throws(Fault) -> Bool {
        note(.online(userId, app))
        return userId == "马远"
    }

    func send(
        _ posting: GoWebSocketPosting, by caller: Poster, from visitor: Visitor
    ) async throws(Fault) -> GoWebSocketSent {
        note(.sent(posting))
        return try outcome.get()
    }

    func history(
        of app: AppID, before: Int64?, limit: Int, for caller: Poster
    ) async throws(Fault) -> GoWebSocketHistory {
        note(.history(app, before: before, limit: limit))
        return GoWebSocketHistory(messages: Self.said, next: 11)
    }

    func state(includesLists: Bool) async throws(Fault) -> GoWebSocketState {
        note(.state(lists: includesLists))
        let lists = GoWebSocketState.Lists(clients: ["127.0.0.1:5"], users: ["101_马远"])
        return GoWebSocketState(
            clientCount: 3, userCount: 2, processors: 2, threads: 13, lists: includesLists ? lists : nil)
    }

    private static let said = [
        said(11, .text, #"{"text":"你好"}"#, clientId: "m-1"),
        said(12, .text, #"{"text":"b","msgId":"消息"}"#),
        said(13, .image, #"{"fileId":"x","url":"/a.png"}"#),
        said(14, .membership, #"{}"#),
    ]

    private static func said(_ seq: Int64, _ kind: EventKind, _ body: String, clientId: String = "") -> Event {
        Event(
            conversation: .room(AppID(unchecked: 101), nil), seq: seq, ordinal: seq + 1000,
            sender: UserID(unchecked: 9),
            senderName: "马远", kind: kind, clientId: clientId, time: Instant(milliseconds: 1_700_000_000_000),
            body: Array(body.utf8))
    }
}
