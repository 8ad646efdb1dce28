import MartletCore

/// A client's message, scanned and not parsed: where its known fields stand. Others are skipped.
struct ClusterChatFields {
    private var msgid = FieldPlace()
    private var id = FieldPlace()
    private var password = FieldPlace()
    private var pwd = FieldPlace()
    private var to = FieldPlace()
    private var toid = FieldPlace()
    private var groupid = FieldPlace()
    private var msg = FieldPlace()
    private var time = FieldPlace()

    /// A message's time is kept where it is not longer than this, as it is written in JSON.
    static let timeBytes = 64

    /// Reads a whole message, valid UTF-8 already. Throws `malformed_json`, `too_deep` or `repeated_key` (known fields).
    init(_ bytes: Span<UInt8>) throws(Fault) {
        var fields = Self()
        var position = 0
        let depth = Limits.jsonDepth - 1
        try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
            try fields.take(key, bytes, &position, depth)
        }
        JSONScan.skipSpace(bytes, &position)
        guard position == bytes.count else { throw JSONScan.malformed(position) }
        self = fields
    }

    private init() {}

    private mutating func take(
        _ key: JSONScan.StringToken, _ bytes: Span<UInt8>, _ position: inout Int, _ depth: Int
    ) throws(Fault) {
        if JSONScan.matches(key, bytes, "msgid") {
            try msgid.take("msgid", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "id") {
            try id.take("id", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "msg") {
            try msg.take("msg", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "time") {
            try time.take("time", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "to") {
            try to.take("to", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "toid") {
            try toid.take("toid", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "groupid") {
            try groupid.take("groupid", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "password") {
            try password.take("password", bytes, &position, depth: depth)
        } else if JSONScan.matches(key, bytes, "pwd") {
            try pwd.take("pwd", bytes, &position, depth: depth)
        } else {
            try JSONScan.skipValue(bytes, &position, depth: depth)
        }
    }

    /// The number of the command. Throws `missing_field` or `invalid_field`.
    func number(_ bytes: Span<UInt8>) throws(Fault) -> Int64 {
        try Self.integer(msgid, "msgid", bytes)
    }

    /// Who signs in, with what. Nobody has a number that is not a user's, or a password that could not have been registered: both are
    /// `wrong_credentials`, as they are to those clients.
    func credentials(_ bytes: Span<UInt8>) throws(Fault) -> SignIn.Credentials {
        let number = try Self.integer(id, "id", bytes)
        let value = try (password.value == nil ? pwd : password).required("password")
        guard let token = JSONScan.string(at: value, bytes) else { throw .invalid("password", "text is expected") }
        guard let user = UserID(number), ClusterChatRequest.password.contains(JSONScan.scalarCount(token, bytes)) else {
            throw Fault(.wrongCredentials, "wrong id or password")
        }
        return .number(user, password: JSONScan.text(token, bytes))
    }

    /// Whom a chat message is for.
    func recipient(_ bytes: Span<UInt8>) throws(Fault) -> UserID {
        guard let user = UserID(try Self.integer(to.value == nil ? toid : to, "to", bytes)) else {
            throw .invalid("to", "not a user's id")
        }
        return user
    }

    /// The group that a message is for.
    func group(_ bytes: Span<UInt8>) throws(Fault) -> GroupID {
        guard let group = GroupID(try Self.integer(groupid, "groupid", bytes)) else {
            throw .invalid("groupid", "not a group's id")
        }
        return group
    }

    /// A text message's content: what the client wrote, with its escapes, and the time that it gave.
    func content(_ bytes: Span<UInt8>) throws(Fault) -> [UInt8] {
        let text = try msg.required("msg")
        guard bytes[text.lowerBound] == UInt8(ascii: "\"") else { throw .invalid("msg", "text is expected") }
        var writer = JSONWriter(capacity: text.count + Self.timeBytes + 24)
        writer.raw("{\"text\":")
        writer.raw([UInt8](copying: bytes, text))
        if let time = time.value, bytes[time.lowerBound] == UInt8(ascii: "\""), time.count <= Self.timeBytes + 2 {
            writer.raw(",\"time\":")
            writer.raw([UInt8](copying: bytes, time))
        }
        writer.raw("}")
        return writer.bytes
    }

    private static func integer(
        _ place: FieldPlace, _ name: StaticString, _ bytes: Span<UInt8>
    ) throws(Fault) -> Int64 {
        guard let number = JSONScan.integer(at: try place.required(name), bytes) else {
            throw .invalid("\(name)", "an integer is expected")
        }
        return number
    }
}
