extension UpgradeRequest {
    /// The bytes of a client's handshake (RFC 6455 4.1).
    package static func client(
        host: String, path: String = "/ws", key: String, headers: [(name: String, value: String)] = []
    ) -> [UInt8] {
        var text = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n"
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// A key of 16 random bytes.
    package static func randomKey() -> String {
        UpgradeResponse.base64((0..<16).map { _ in UInt8.random(in: .min ... .max) })
    }
}

/// A server's answer to a handshake, as the client reads it.
package enum UpgradeAnswer: Sendable, Equatable {
    /// More bytes are needed.
    case incomplete
    /// What follows the `headBytes` are frames.
    case accepted(headBytes: Int)
    /// The HTTP status; 0 where the answer is none, or accepts without having understood.
    case refused(status: Int)

    /// Reads an answer's head (at most 16 KB). Where `key` is given, `Sec-WebSocket-Accept` must belong to it.
    package static func read(_ bytes: Span<UInt8>, key: String? = nil) -> UpgradeAnswer {
        for (index, byte) in "HTTP/1.1 ".utf8.enumerated() {
            guard index < bytes.count else { return .incomplete }
            guard bytes[index] == byte else { return .refused(status: 0) }
        }
        guard let head = HTTPHead.size(bytes) else {
            return bytes.count < HTTPHead.maximumBytes ? .incomplete : .refused(status: 0)
        }
        let lineEnd = HTTPHead.lineEnd(bytes, from: 0, head: head)
        guard lineEnd >= 12, let status = Int(HTTPHead.text(bytes, 9..<12)), status >= 100 else {
            return .refused(status: 0)
        }
        guard status == 101 else { return .refused(status: status) }

        var namesWebSocket = false
        var namesUpgrade = false
        var acceptance: String?
        let isWhole = HTTPHead.fields(bytes, firstEnd: lineEnd, head: head) { name, value in
            if HTTPHead.matches(bytes, name, "upgrade") {
                namesWebSocket = namesWebSocket || HTTPHead.list(bytes, value, names: "websocket")
            } else if HTTPHead.matches(bytes, name, "connection") {
                namesUpgrade = namesUpgrade || HTTPHead.list(bytes, value, names: "upgrade")
            } else if HTTPHead.matches(bytes, name, "sec-websocket-accept") {
                acceptance = HTTPHead.text(bytes, value)
            }
        }
        guard isWhole, namesWebSocket, namesUpgrade, let acceptance else { return .refused(status: 0) }
        if let key, acceptance != UpgradeResponse.acceptance(of: key) { return .refused(status: 0) }
        return .accepted(headBytes: head)
    }
}
