import MartletCore

/// The commands of the gowebsocket dialect.
enum GoWebSocketCommand: UInt8, Sendable {
    case login, heartbeat, ping
    /// A name that the dialect does not have.
    case unknown
    /// No command can be told.
    case unreadable
}

/// A request, scanned and not parsed, read as Go's `encoding/json` reads it into a struct: keys in any case, unknown
/// ones skipped, the last of repeated ones counts, and `null` is as good as nothing.
struct GoWebSocketRequest {
    /// What stands inside the quotes, with its escapes; empty where it was not given.
    let seq: Range<Int>
    let cmd: Range<Int>
    let command: GoWebSocketCommand
    let data: Range<Int>?

    /// Of `seq` and of `cmd`, which are echoed.
    static let maximumEchoBytes = 256

    /// Reads a whole message. Throws `malformed_json`, `too_deep` or `invalid_field`.
    static func scan(_ bytes: Span<UInt8>) throws(Fault) -> GoWebSocketRequest {
        var seq = 0..<0
        var cmd: JSONScan.StringToken?
        var data: Range<Int>?
        var position = 0
        try GoWebSocketFields.walk(bytes, &position, depth: Limits.jsonDepth) { (key, value) throws(Fault) in
            if GoWebSocketFields.matches(key, bytes, "seq") {
                seq = try echoed("seq", value, bytes)?.range ?? seq
            } else if GoWebSocketFields.matches(key, bytes, "cmd") {
                cmd = try echoed("cmd", value, bytes) ?? cmd
            } else if GoWebSocketFields.matches(key, bytes, "data") {
                data = GoWebSocketFields.isNull(value, bytes) ? nil : value
            }
        }
        JSONScan.skipSpace(bytes, &position)
        guard position == bytes.count else { throw JSONScan.malformed(position) }
        return GoWebSocketRequest(
            seq: seq, cmd: cmd?.range ?? 0..<0, command: cmd.map { Self.command($0, bytes) } ?? .unknown, data: data)
    }

    private static func echoed(
        _ name: String, _ value: Range<Int>, _ bytes: Span<UInt8>
    ) throws(Fault) -> JSONScan.StringToken? {
        if GoWebSocketFields.isNull(value, bytes) { return nil }
        guard let token = JSONScan.string(at: value, bytes), token.range.count <= maximumEchoBytes else {
            throw .invalid(name, "a string of at most \(maximumEchoBytes) bytes is expected")
        }
        return token
    }

    private static func command(_ token: JSONScan.StringToken, _ bytes: Span<UInt8>) -> GoWebSocketCommand {
        if JSONScan.matches(token, bytes, "heartbeat") { return .heartbeat }
        if JSONScan.matches(token, bytes, "ping") { return .ping }
        return JSONScan.matches(token, bytes, "login") ? .login : .unknown
    }
}

/// What a `login` says, before anybody looks whether it is true.
struct GoWebSocketLogin {
    private var token: JSONScan.StringToken?
    private var user: JSONScan.StringToken?
    private var app: Int64 = 0

    /// In bytes, as the old server counted.
    private static let userIdBytes = 1...19
    private static let maximumTokenBytes = 4096

    /// Reads a login's `data`. Wrong types come first, then `userId`, then `appId`, as the old server looked at them.
    static func signIn(_ data: Range<Int>?, _ bytes: Span<UInt8>, rooms: [AppID]) throws(Fault) -> SignIn {
        var login = GoWebSocketLogin()
        if let data { try login.read(bytes.extracting(..<data.upperBound), data.lowerBound) }
        let name = try login.name(bytes)
        guard let app = AppID(login.app), rooms.contains(app) else {
            throw Fault(.notAllowed, "there is no such app here", field: "appId")
        }
        let start = SignIn.Start.room(.room(app, nil))
        guard let token = login.token, !token.range.isEmpty else {
            return SignIn(.namedGuest(name), app: app, start: start)
        }
        guard token.range.count <= maximumTokenBytes else { throw Fault(.invalidToken, "the token is not valid") }
        return SignIn(.token(JSONScan.text(token, bytes)), app: app, start: start)
    }

    private mutating func read(_ bytes: Span<UInt8>, _ start: Int) throws(Fault) {
        var position = start
        var login = self
        try GoWebSocketFields.walk(bytes, &position, depth: Limits.jsonDepth - 1) { (key, value) throws(Fault) in
            guard !GoWebSocketFields.isNull(value, bytes) else { return }
            if GoWebSocketFields.matches(key, bytes, "userid") {
                login.user = try Self.text("userId", value, bytes)
            } else if GoWebSocketFields.matches(key, bytes, "appid") {
                guard let number = JSONScan.integer(at: value, bytes), (0...Int64(UInt32.max)).contains(number) else {
                    throw .invalid("appId", "an app's number is expected")
                }
                login.app = number
            } else if GoWebSocketFields.matches(key, bytes, "servicetoken") {
                login.token = try Self.text("serviceToken", value, bytes)
            }
        }
        self = login
    }

    /// The field is `data` here: a `userId` of another type is a parameter that is wrong, not a user that is.
    private static func text(
        _ name: String, _ value: Range<Int>, _ bytes: Span<UInt8>
    ) throws(Fault) -> JSONScan.StringToken {
        guard let token = JSONScan.string(at: value, bytes) else { throw .invalid("data", "\(name) must be text") }
        return token
    }

    private func name(_ bytes: Span<UInt8>) throws(Fault) -> String {
        // Six bytes are the longest way to write a character of ASCII.
        guard let user, user.range.count <= Self.userIdBytes.upperBound * 6 else { throw Self.invalidUserId }
        let name = JSONScan.text(user, bytes)
        guard GoWebSocketLogin.isUserId(name) else { throw Self.invalidUserId }
        return name
    }

    private static var invalidUserId: Fault {
        .invalid("userId", "1 to \(userIdBytes.upperBound) bytes of text without control characters are expected")
    }

    static func isUserId(_ text: String) -> Bool {
        userIdBytes.contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}

/// Objects as Go reads them into a struct.
enum GoWebSocketFields {
    /// Walks the members of the object at `position`, and moves behind it; `null` has none.
    @inline(__always)
    static func walk(
        _ bytes: Span<UInt8>, _ position: inout Int, depth: Int,
        _ member: (JSONScan.StringToken, Range<Int>) throws(Fault) -> Void
    ) throws(Fault) {
        JSONScan.skipSpace(bytes, &position)
        if position < bytes.count, bytes[position] == UInt8(ascii: "n") {
            return try JSONScan.skipValue(bytes, &position)
        }
        try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
            try member(key, try JSONScan.value(bytes, &position, depth: depth - 1))
        }
    }

    static func isNull(_ value: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        bytes[value.lowerBound] == UInt8(ascii: "n")
    }

    /// Whether a key is `name`, which is given in small letters, in any case and however it is escaped.
    static func matches(_ key: JSONScan.StringToken, _ bytes: Span<UInt8>, _ name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        if key.hasEscapes {
            return key.range.count <= count * 6 && JSONScan.text(key, bytes).lowercased() == "\(name)"
        }
        guard key.range.count == count else { return false }
        let start = name.utf8Start
        for offset in 0..<count {
            let byte = bytes[key.range.lowerBound &+ offset]
            let isCapital = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            guard isCapital ? byte | 0x20 == start[offset] : byte == start[offset] else { return false }
        }
        return true
    }
}
