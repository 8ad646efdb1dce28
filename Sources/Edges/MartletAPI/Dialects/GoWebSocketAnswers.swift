import MartletCore
import MartletWire

// The `data` of the calls' answers. Members stand in the order of their names, as Go writes a map.

/// Whether somebody is there.
struct GoWebSocketOnline: JSONOutput {
    static let example = GoWebSocketOnline(isOnline: true, userId: "马远")
    let isOnline: Bool
    let userId: String

    func write(to object: inout JSONObject) {
        object.field("online", isOnline)
        object.field("userId", userId)
    }
}

/// What became of a message. A repeated one is answered with nothing.
struct GoWebSocketResults: JSONOutput {
    static let example = GoWebSocketResults(.stored)
    let isSent: Bool?
    let error: String?

    init(_ sent: GoWebSocketSent) {
        isSent = sent == .repeated ? nil : sent == .stored
        error = nil
    }

    init(failed fault: Fault) {
        isSent = false
        error = fault.message
    }

    func write(to object: inout JSONObject) {
        object.optional("sendResults", isSent)
        object.optional("sendResultsErr", error)
    }
}

extension GoWebSocketPeople: JSONOutput {
    package static let example = GoWebSocketPeople(names: ["黄帝", "马远"], count: 2)

    package func write(to object: inout JSONObject) {
        object.field("userCount", count)
        object.field("userList", names)
    }
}

extension GoWebSocketState: JSONOutput {
    package static let example = GoWebSocketState(clientCount: 2, userCount: 2, processors: 2, threads: 13)

    package func write(to object: inout JSONObject) {
        object.field("managerInfo", Inside(state: self))
        object.field("numCPU", processors)
        object.field("numGoroutine", threads)
    }

    private struct Inside: JSONOutput {
        static let example = Inside(state: .example)
        let state: GoWebSocketState

        func write(to object: inout JSONObject) {
            // There are no such queues here.
            for name in ["chanBroadcastLen", "chanLoginLen", "chanRegisterLen", "chanUnregisterLen"] {
                object.field(name, 0)
            }
            object.optional("clients", state.lists?.clients)
            object.field("clientsLen", state.clientCount)
            object.optional("users", state.lists?.users)
            object.field("usersLen", state.userCount)
        }
    }
}

extension GoWebSocketHistory: JSONOutput {
    package static let example = GoWebSocketHistory(messages: [], next: nil)

    package func write(to object: inout JSONObject) {
        object.field("messages", messages.compactMap { GoWebSocketEntry($0) })
        object.optional("next", next)
    }
}

/// One message of a history, in the words of a push.
struct GoWebSocketEntry: JSONOutput {
    static let example = GoWebSocketEntry(
        seq: 1, msgId: "1", type: "text", text: "你好", from: "马远", time: Instant(milliseconds: 0))
    let seq: Int64
    let msgId: String
    let type: String
    let text: String
    let from: String
    let time: Instant

    private init(seq: Int64, msgId: String, type: String, text: String, from: String, time: Instant) {
        self.seq = seq
        self.msgId = msgId
        self.type = type
        self.text = text
        self.from = from
        self.time = time
    }

    /// Nil for what is no message, and where its content was erased.
    init?(_ event: Event) {
        guard event.kind.isMessage, let body = event.body, let content = try? JSONValue(parsing: body) else {
            return nil
        }
        let named = content["msgId"]?.string ?? event.clientId
        self.init(
            seq: event.seq, msgId: named.isEmpty ? String(event.ordinal) : named, type: Self.type(event.kind),
            text: Self.text(event.kind, content), from: event.senderName, time: event.time)
    }

    private static func type(_ kind: EventKind) -> String {
        switch kind {
        case .image: "img"
        case .voice, .video: kind.name
        default: "text"
        }
    }

    private static func text(_ kind: EventKind, _ content: JSONValue) -> String {
        let parts: [String?]
        switch kind {
        case .text: return content["text"]?.string ?? ""
        case .image, .voice, .video: return content["url"]?.string ?? ""
        case .file: parts = [content["name"]?.string, content["url"]?.string]
        case .location: parts = [content["name"]?.string, place(content)]
        case .card: parts = [content["userId"]?.integer.map { String($0) }]
        case .redpacket: parts = [content["greeting"]?.string]
        case .forward: parts = [content["title"]?.string]
        default: parts = []
        }
        return (["[\(kind.name)]"] + parts.compactMap { $0 }).joined(separator: " ")
    }

    private static func place(_ content: JSONValue) -> String? {
        guard let latitude = number(content["lat"]), let longitude = number(content["lon"]) else { return nil }
        return "\(latitude),\(longitude)"
    }

    private static func number(_ value: JSONValue?) -> String? {
        switch value {
        case .integer(let number): String(number)
        case .number(let number): String(number)
        default: nil
        }
    }

    func write(to object: inout JSONObject) {
        object.field("seq", seq)
        object.field("msgId", msgId)
        object.field("type", type)
        object.field("msg", text)
        object.field("from", from)
        object.field("time", time)
    }
}
