/// Why a WebSocket was closed (RFC 6455 7.4): the one file of close codes.
///
/// - 1000–1014: registered by the RFC and IANA; 1004, 1005, 1006 and 1015 never stand in a frame.
/// - 3000–3999: of libraries and frameworks; Martlet sends none.
/// - 4000–4099: Martlet's, reconnect.
/// - 4100–4199: Martlet's, do not reconnect until the user has signed in anew.
package struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    // MARK: Of the RFC

    package static let normal = WebSocketCloseCode(rawValue: 1000)
    /// This node is leaving; sent behind `goaway`.
    package static let goingAway = WebSocketCloseCode(rawValue: 1001)
    package static let protocolError = WebSocketCloseCode(rawValue: 1002)
    /// Binary frames: the native protocol is text.
    package static let unacceptableData = WebSocketCloseCode(rawValue: 1003)
    package static let notUTF8 = WebSocketCloseCode(rawValue: 1007)
    package static let tooBig = WebSocketCloseCode(rawValue: 1009)
    package static let internalError = WebSocketCloseCode(rawValue: 1011)

    // MARK: 4000–4099, reconnect

    package static let signInTimeout = WebSocketCloseCode(rawValue: 4000)
    package static let heartbeatTimeout = WebSocketCloseCode(rawValue: 4001)
    package static let slowReader = WebSocketCloseCode(rawValue: 4002)
    package static let overloaded = WebSocketCloseCode(rawValue: 4003)

    // MARK: 4100–4199, do not reconnect

    package static let signedOut = WebSocketCloseCode(rawValue: 4100)
    package static let banned = WebSocketCloseCode(rawValue: 4101)
    package static let replaced = WebSocketCloseCode(rawValue: 4102)
    package static let passwordChanged = WebSocketCloseCode(rawValue: 4103)
    package static let refused = WebSocketCloseCode(rawValue: 4104)

    // MARK: Meaning

    /// What a close frame of ours says, in the words of the protocol's documentation; at most 123 bytes.
    package var reason: String {
        switch self {
        case .normal: "closed by the client"
        case .goingAway: "the node is leaving"
        case .protocolError: "protocol error"
        case .unacceptableData: "binary frames are not accepted"
        case .notUTF8: "text that is not UTF-8"
        case .tooBig: "a message larger than 64 KB"
        case .internalError: "our fault"
        case .signInTimeout: "not signed in in time"
        case .heartbeatTimeout: "silent for three heartbeats"
        case .slowReader: "reads too slowly"
        case .overloaded: "too many connections or commands"
        case .signedOut: "signed out"
        case .banned: "banned"
        case .replaced: "replaced by a newer sign-in of the same device kind"
        case .passwordChanged: "the password was changed, or all sessions were ended"
        case .refused: "the login was refused too often on this connection"
        default: ""
        }
    }

    /// Whether a client that was closed with this code may connect again by itself. A broken connection without any
    /// code may as well.
    package var mayReconnect: Bool {
        switch self {
        case .normal, .unacceptableData, .notUTF8, .tooBig: false
        default: rawValue < 3000 || (4000...4099).contains(rawValue)
        }
    }

    /// Whether the code may stand in a close frame (RFC 6455 7.4.1 and 7.4.2, with IANA's later 1012 to 1014).
    package var isValidOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// What a peer did against RFC 6455. The connection is failed with `code`; the decoder that threw is not used again.
package struct WebSocketViolation: Error, Sendable, Equatable {
    package let code: WebSocketCloseCode
    /// For the log and the close frame.
    package let reason: String

    package init(code: WebSocketCloseCode, reason: String) {
        self.code = code
        self.reason = reason
    }

    static func protocolError(_ reason: String) -> WebSocketViolation { .init(code: .protocolError, reason: reason) }
    static let notUTF8 = WebSocketViolation(code: .notUTF8, reason: "text is not UTF-8")
    static let tooBig = WebSocketViolation(code: .tooBig, reason: "the message is too large")
}
