/// What the first bytes of a connection are.
package enum RequestPeek: Sendable {
    /// More bytes are needed to tell.
    case incomplete
    /// Anything that is not an upgrade to one of the paths; the bytes go to the HTTP server as they are.
    case http
    /// A handshake that may be accepted. What follows its `headBytes` are frames.
    case upgrade(UpgradeRequest, headBytes: Int)
    /// A handshake that RFC 6455 4.2 does not allow.
    case refused(UpgradeRefusal, headBytes: Int)

    /// Reads the request line and the head (at most 16 KB), deciding as early as the bytes allow.
    package static func read(_ bytes: Span<UInt8>, paths: [String] = ["/ws"]) -> RequestPeek {
        var mayBecome = false
        for path in paths {
            guard let isIt = begins(bytes, with: path) else {
                mayBecome = true
                continue
            }
            if isIt { return readHead(bytes) }
        }
        return mayBecome ? .incomplete : .http
    }

    /// Whether the request is a GET of the path; nil while the bytes are too few to tell.
    private static func begins(_ bytes: Span<UInt8>, with path: String) -> Bool? {
        let start = "GET " + path
        for (index, byte) in start.utf8.enumerated() {
            guard index < bytes.count else { return nil }
            guard bytes[index] == byte else { return false }
        }
        let end = start.utf8.count
        guard bytes.count > end else { return nil }
        return bytes[end] == 0x20 || bytes[end] == UInt8(ascii: "?")
    }

    private static func readHead(_ bytes: Span<UInt8>) -> RequestPeek {
        guard let head = HTTPHead.size(bytes) else {
            return bytes.count < HTTPHead.maximumBytes
                ? .incomplete : .refused(.headTooLarge, headBytes: HTTPHead.maximumBytes)
        }
        let lineEnd = HTTPHead.lineEnd(bytes, from: 0, head: head)
        var targetEnd = 4
        while targetEnd < lineEnd, bytes[targetEnd] > 0x20, bytes[targetEnd] < 0x7F { targetEnd += 1 }
        guard HTTPHead.matches(bytes, targetEnd..<lineEnd, " http/1.1") else { return .http }

        var fields = UpgradeFields()
        guard HTTPHead.fields(bytes, firstEnd: lineEnd, head: head, { fields.take(bytes, $0, $1) }) else {
            return .refused(.badRequest("malformed header"), headBytes: head)
        }
        guard fields.isUpgrade else { return .http }
        if let refusal = fields.refusal { return .refused(refusal, headBytes: head) }
        let request = UpgradeRequest(
            key: fields.key ?? "", target: HTTPHead.text(bytes, 4..<targetEnd), origin: fields.origin,
            host: fields.host,
            forwardedFor: fields.forwardedFor)
        return .upgrade(request, headBytes: head)
    }
}

/// A WebSocket handshake (RFC 6455 4.2.1).
package struct UpgradeRequest: Sendable, Equatable {
    /// `Sec-WebSocket-Key`, the base64 of 16 bytes.
    package let key: String
    /// The request's target as it came, with its query.
    package let target: String
    /// The page that a browser opened the connection from; other clients send none.
    package let origin: String?
    package let host: String?
    /// `X-Forwarded-For` as it came, several headers joined by a comma. Not to be trusted unless the peer is a known
    /// proxy.
    package let forwardedFor: String?

    /// The target without its query.
    package var path: String { String(target.prefix { $0 != "?" }) }

    package init(key: String, target: String, origin: String?, host: String?, forwardedFor: String?) {
        self.key = key
        self.target = target
        self.origin = origin
        self.host = host
        self.forwardedFor = forwardedFor
    }
}

/// The headers of a handshake, as they are met.
private struct UpgradeFields {
    var key: String?
    var origin: String?
    var host: String?
    var forwardedFor: String?
    private var namesWebSocket = false
    private var namesUpgrade = false
    private var versions = 0
    private var isVersion13 = false
    private var isRepeated = false
    private var hasBody = false

    /// Without both headers the request is plain HTTP (RFC 9110 7.8).
    var isUpgrade: Bool { namesWebSocket && namesUpgrade }

    var refusal: UpgradeRefusal? {
        if isRepeated { return .badRequest("repeated header") }
        if hasBody { return .badRequest("a handshake has no body") }
        if host == nil { return .badRequest("Host is missing") }
        if versions != 1 || !isVersion13 { return .unsupportedVersion }
        guard let key else { return .badRequest("Sec-WebSocket-Key is missing") }
        return UpgradeResponse.isKey(key) ? nil : .badRequest("Sec-WebSocket-Key is not 16 bytes in base64")
    }

    mutating func take(_ bytes: Span<UInt8>, _ name: Range<Int>, _ value: Range<Int>) {
        func named(_ text: StaticString) -> Bool { HTTPHead.matches(bytes, name, text) }
        if named("upgrade") {
            if HTTPHead.list(bytes, value, names: "websocket") { namesWebSocket = true }
        } else if named("connection") {
            if HTTPHead.list(bytes, value, names: "upgrade") { namesUpgrade = true }
        } else if named("sec-websocket-key") {
            if !Self.set(&key, bytes, value) { isRepeated = true }
        } else if named("sec-websocket-version") {
            versions += 1
            isVersion13 = HTTPHead.matches(bytes, value, "13")
        } else if named("host") {
            if !Self.set(&host, bytes, value) { isRepeated = true }
        } else if named("origin") {
            if !Self.set(&origin, bytes, value) { isRepeated = true }
        } else if named("x-forwarded-for") {
            let text = HTTPHead.text(bytes, value)
            forwardedFor = forwardedFor.map { $0 + ", " + text } ?? text
        } else if named("transfer-encoding") || named("content-length") && !HTTPHead.matches(bytes, value, "0") {
            hasBody = true
        }
    }

    /// False where the field was there before.
    private static func set(_ field: inout String?, _ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
        defer { field = HTTPHead.text(bytes, value) }
        return field == nil
    }
}
