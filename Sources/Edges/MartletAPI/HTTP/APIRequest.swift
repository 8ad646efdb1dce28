import HTTPTypes
import MartletCore
import MartletWire

/// A request with its whole body, and where it comes from.
struct APIRequest: Sendable {
    var method: HTTPRequest.Method
    /// As sent: path and query.
    var target: String
    var headers = HTTPFields()
    var body: [UInt8] = []
    /// The other end of the connection; nil where that is not an internet socket.
    var peer: String?
    /// Whom a trusted proxy's PROXY header names as the other end; nil without one.
    var claimed: IPAddress?

    /// Follows the request through the log: the client's own name for it where that is harmless, else a random one.
    func trace() -> String {
        if let given = headers[.requestId], (1...64).contains(given.utf8.count), given.utf8.allSatisfy(Self.isHarmless)
        {
            return given
        }
        return SessionID(UInt64.random(in: 1...UInt64.max)).text
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// The client's address: the other end, or what trusted proxies say in `X-Forwarded-For`.
    func client(trusting proxies: [AddressRange]) -> IPAddress? {
        guard let other = claimed ?? peer.flatMap({ IPAddress($0) }) else { return nil }
        return proxies.client(behind: other, forwardedFor: headers[.forwardedFor])
    }

    /// True for somebody on this machine who speaks for themselves.
    var isLocal: Bool {
        guard claimed == nil, let peer = peer.flatMap({ IPAddress($0) }), peer.isLoopback else { return false }
        return !HTTPField.Name.forwarding.contains { headers.contains($0) }
    }

    /// The token of `Authorization: Bearer …`; throws where there is none.
    func bearerToken() throws(Fault) -> String {
        guard let value = headers[.authorization] else { throw Fault(.notSignedIn, "sign in first") }
        let parts = value.split(separator: " ")
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw Fault(.invalidToken, "Authorization: Bearer <accessToken> is expected")
        }
        return String(parts[1])
    }

    /// Throws unless the body says that it is JSON.
    func requireJSON() throws(Fault) {
        let parts = (headers[.contentType] ?? "").lowercased().split(separator: ";").map { $0.filter { $0 != " " } }
        guard parts.first == "application/json" else {
            throw Fault(.malformedJSON, "Content-Type: application/json is expected")
        }
        if let charset = parts.first(where: { $0.hasPrefix("charset=") }),
            !["charset=utf-8", "charset=\"utf-8\""].contains(charset)
        {
            throw Fault(.malformedJSON, "JSON is UTF-8")
        }
    }
}

extension HTTPField.Name {
    static let requestId = own("X-Request-Id")
    static let apiKey = own("X-Api-Key")
    static let forwardedFor = own("X-Forwarded-For")
    static let referrerPolicy = own("Referrer-Policy")
    /// What a browser wants something for (Fetch Metadata).
    static let fetchDestination = own("Sec-Fetch-Dest")
    /// What proxies add to say that they are there.
    static let forwarding = [forwardedFor, own("Forwarded"), own("X-Real-IP"), own("X-Forwarded-Host"), .via]

    private static func own(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("not a field's name: \(text)") }
        return name
    }
}
