/// The server's yes to a handshake (RFC 6455 4.2.2).
package enum UpgradeResponse {
    /// The 101 response for a request's key.
    package static func accept(key: String) -> [UInt8] {
        var response = Array("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".utf8)
        response.append(contentsOf: "Sec-WebSocket-Accept: ".utf8)
        response.append(contentsOf: acceptance(of: key).utf8)
        response.append(contentsOf: "\r\n\r\n".utf8)
        return response
    }

    /// `Sec-WebSocket-Accept`: shows that the server read the key and is no other kind of server.
    static func acceptance(of key: String) -> String {
        base64(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// Whether `text` is the base64 of 16 bytes. The four bits that the last digit has to spare may be anything, as
    /// most decoders have it.
    static func isKey(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 24, bytes[22] == UInt8(ascii: "="), bytes[23] == UInt8(ascii: "=") else { return false }
        return bytes[..<22].allSatisfy { digits.contains($0) }
    }

    static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for digit in 0..<4 {
                text.append(digit <= group.count ? digits[Int(bits >> UInt32(18 - 6 * digit) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}

/// The server's no: an HTTP answer after which it closes the connection.
package struct UpgradeRefusal: Sendable {
    package let status: Int
    /// Headers of this refusal; `response` adds those that every answer needs.
    package let headers: [(name: String, value: String)]
    /// One line of plain text, shown to the client.
    package let reason: String

    package init(status: Int, reason: String, headers: [(name: String, value: String)] = []) {
        self.status = status
        self.reason = reason
        self.headers = headers
    }

    package static func badRequest(_ reason: String) -> UpgradeRefusal { .init(status: 400, reason: reason) }

    package static let unsupportedVersion = UpgradeRefusal(
        status: 426, reason: "WebSocket version 13 is expected",
        headers: [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")])

    /// More connections of one address than are allowed.
    package static let tooManyConnections = UpgradeRefusal(
        status: 429, reason: "too many connections of this address", headers: [("Retry-After", "10")])

    package static let headTooLarge = UpgradeRefusal(status: 431, reason: "the request's head is too large")

    /// The bytes to send.
    package var response: [UInt8] {
        var text = "HTTP/1.1 \(status) \(Self.phrase(status))\r\n"
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        let connection = headers.contains { $0.name == "Upgrade" } ? "Upgrade, close" : "close"
        text += "Connection: \(connection)\r\nContent-Type: text/plain; charset=utf-8\r\n"
        text += "Content-Length: \(reason.utf8.count + 1)\r\n\r\n\(reason)\n"
        return Array(text.utf8)
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 503: "Service Unavailable"
        default: "Refused"
        }
    }
}
