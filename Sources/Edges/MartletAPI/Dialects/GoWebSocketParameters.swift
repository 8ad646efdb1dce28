import HTTPTypes
import MartletCore
import MartletWire

/// The parameters of a gowebsocket call: from the query, and for POST from the body, which wins. Both spellings of the
/// old server's names are one (`appId`, `appID`); names that no call has are ignored.
struct GoWebSocketParameters: Sendable {
    private static let maximum = 64
    private static let names: Set<String> = [
        "appId", "userId", "msgId", "message", "from", "type", "url", "secret", "width", "height", "target", "before",
        "limit", "isDebug", "apiKey",
    ]
    private static let spellings = ["appID": "appId", "userID": "userId", "msgID": "msgId"]
    /// Longer ones are nobody's name.
    private static let nameBytes = 1...128

    private let values: [String: String]

    /// None.
    init() { values = [:] }

    init(_ request: APIRequest) throws(Fault) {
        let target = request.target.utf8
        let mark = target.firstIndex(of: UInt8(ascii: "?"))
        let query = mark.map { Array(target[target.index(after: $0)...]) } ?? []
        var values = try Self.gather(
            try FormText.pairs(query[...], maximum: Self.maximum, lines: true, field: "query"))
        if request.method == .post, !request.body.isEmpty {
            values.merge(try Self.gather(try Self.body(request))) { _, new in new }
        }
        self.values = values
    }

    /// Of a name that stands twice the first value counts, as in Go; of its two spellings the one of 2022.
    private static func gather(_ items: [(name: String, value: String)]) throws(Fault) -> [String: String] {
        var (values, respelled): ([String: String], [String: String]) = ([:], [:])
        for item in items {
            if let name = spellings[item.name] {
                respelled[name] = respelled[name] ?? item.value
            } else if names.contains(item.name) {
                values[item.name] = values[item.name] ?? item.value
            }
        }
        values.merge(respelled) { old, _ in old }
        for (name, value) in values {
            guard value.utf8.allSatisfy({ !FormText.isControl($0, lines: name == "message") }) else {
                throw .invalid(name, "control characters are not allowed")
            }
        }
        return values
    }

    private static func body(_ request: APIRequest) throws(Fault) -> [(name: String, value: String)] {
        let type = try HeaderParameters(Array((request.headers[.contentType] ?? "").utf8)[...])
        guard ["utf-8", nil].contains(type["charset"]?.lowercased()) else {
            throw .invalid("body", "UTF-8 is expected")
        }
        switch type.value {
        // Some clients do not say what they send.
        case "application/x-www-form-urlencoded", "":
            return try FormText.pairs(request.body[...], maximum: maximum, lines: true, field: "body")
        case "multipart/form-data": return try MultipartForm(type).fields(request.body)
        case "application/json": return try members(request.body)
        default: throw .invalid("body", "a form or JSON is expected")
        }
    }

    /// A flat object. Null counts as not given.
    private static func members(_ body: [UInt8]) throws(Fault) -> [(name: String, value: String)] {
        guard case .object(let members) = try JSONValue(parsing: body), members.count <= maximum else {
            throw Fault(.malformedJSON, "a JSON object is expected")
        }
        var items: [(name: String, value: String)] = []
        for member in members {
            switch member.value {
            case .string(let text): items.append((member.key, text))
            case .integer(let number): items.append((member.key, String(number)))
            case .bool(let flag): items.append((member.key, flag ? "true" : "false"))
            case .null: continue
            case .number, .array, .object: throw .invalid(member.key, "text or an integer is expected")
            }
        }
        return items
    }

    // MARK: Values

    /// As given; nil where it is not, or is empty.
    func text(_ name: String) -> String? {
        guard let value = values[name], !value.isEmpty else { return nil }
        return value
    }

    /// The app, where it is one of those that the dialect serves.
    func app(among rooms: [AppID]) -> AppID? {
        guard let number = text("appId").flatMap({ Int64($0) }) else { return nil }
        return rooms.first { $0.value == number }
    }

    /// The name of a person; nil where it is not given. A fault names `userId`, for which the old server has a code.
    func person(_ name: String) throws(Fault) -> String? {
        guard let value = text(name) else { return nil }
        guard Self.nameBytes.contains(value.utf8.count) else { throw .invalid("userId", "too long") }
        return value
    }

    func integer(_ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64? {
        guard let value = text(name) else { return nil }
        guard let number = Int64(value), range.contains(number) else {
            throw .invalid(name, "an integer from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    func conversation(_ name: String) throws(Fault) -> ConversationID? {
        guard let value = text(name) else { return nil }
        guard let conversation = ConversationID(value) else { throw .invalid(name, "not a conversation's name") }
        return conversation
    }

    func message() throws(Fault) -> GoWebSocketMessage {
        try GoWebSocketMessage(msgId: text("msgId") ?? "") { text($0) }
    }
}
