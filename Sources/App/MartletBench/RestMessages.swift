import MartletWire
import NIOCore

/// A request of the API as bytes, for a connection that stays open.
enum RestRequest {
    /// `body` is an object's JSON.
    static func post(_ path: String, host: String, token: String, body: [UInt8]) -> [UInt8] {
        let head =
            "POST \(path) HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer \(token)\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// A send, as `POST /api/chat/send` takes it.
    static func send(to user: Int64, host: String, token: String, clientId: String, content: [UInt8]) -> [UInt8] {
        let body = JSONWriter.object { data in
            data.field("to", user)
            data.field("clientId", clientId)
            data.field("type", "text")
            data.field("content", RawJSON(content))
        }
        return post("/api/chat/send", host: host, token: token, body: body)
    }
}

/// An answer of the API: this server always says how long its body is.
struct RestAnswer {
    private static let mostHead = 16 * 1024
    private static let mostBody = 16 * 1024 * 1024

    let status: Int
    let body: ByteBuffer

    /// Takes the next whole answer from the front of `bytes`; nil where more is needed. Throws where it is no answer
    /// that the generator understands.
    static func next(_ bytes: inout ByteBuffer) throws(BenchFailure) -> RestAnswer? {
        let (status, length, head) = try read(bytes.readableBytesUInt8Span)
        guard let head else { return nil }
        guard bytes.readableBytes >= head + length else { return nil }
        bytes.moveReaderIndex(forwardBy: head)
        guard let body = bytes.readSlice(length: length) else { return nil }
        return RestAnswer(status: status, body: body)
    }

    /// `head` is nil where the head is not whole yet.
    private static func read(
        _ bytes: Span<UInt8>
    ) throws(BenchFailure) -> (status: Int, length: Int, head: Int?) {
        guard let head = headSize(bytes) else {
            guard bytes.count < mostHead else { throw BenchFailure("an answer over HTTP has no end of its head") }
            return (0, 0, nil)
        }
        guard head >= 16, matches(bytes, 0, "http/1.1 "), let status = number(bytes, from: 9), status >= 100 else {
            throw BenchFailure("an answer over HTTP has no status")
        }
        var position = 0
        while position < head {
            if bytes[position] == UInt8(ascii: "\n"), matches(bytes, position + 1, "content-length:") {
                var start = position + 16
                while start < head, bytes[start] == UInt8(ascii: " ") { start += 1 }
                if let length = number(bytes, from: start), length <= mostBody { return (status, length, head) }
            }
            position += 1
        }
        throw BenchFailure("an answer over HTTP does not say how long it is")
    }

    private static func headSize(_ bytes: Span<UInt8>) -> Int? {
        var position = 3
        while position < min(bytes.count, mostHead) {
            if bytes[position] == UInt8(ascii: "\n"), bytes[position - 2] == UInt8(ascii: "\n") { return position + 1 }
            position += 1
        }
        return nil
    }

    private static func number(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var value = 0
        var position = start
        while position < bytes.count, position - start < 9, bytes[position] >= 0x30, bytes[position] <= 0x39 {
            value = value * 10 + Int(bytes[position] - 0x30)
            position += 1
        }
        return position > start ? value : nil
    }

    /// Without regard to the case of letters; `text` is in small ones.
    private static func matches(_ bytes: Span<UInt8>, _ start: Int, _ text: StaticString) -> Bool {
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        for offset in 0..<text.utf8CodeUnitCount {
            let byte = bytes[start + offset]
            let small = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
            if small != text.utf8Start[offset] { return false }
        }
        return true
    }
}
