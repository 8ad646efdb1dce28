import MartletCore
import MartletWire

/// A sender's `send` command, written once: a message changes digits in place and costs no encoding. Command number,
/// client id and mark have a fixed width.
package struct SendTemplate: Sendable {
    /// The command's number: counter and time, which the answer brings back, so that nothing is kept per message.
    static let numberLength = 24
    private static let clientIdLength = 36

    package private(set) var bytes: [UInt8]
    private let clientId, mark: Int
    /// Nil over REST, where answers come in the order of the requests.
    private let number: Int?

    package enum Target: Sendable {
        case user(UserID)
        case conversation(ConversationID)
    }

    /// `size`: bytes of the text, at least a mark's.
    package init(run: UInt32, sender: Int, to target: Target, size: Int) {
        let number = String(repeating: "n", count: Self.numberLength)
        let clientId = Self.clientId(sender: sender)
        let content = Self.content(run: run, sender: sender, size: size)
        switch target {
        case .user(let user):
            bytes = NativeRequest.send(seq: number, to: user, clientId: clientId, content: content)
        case .conversation(let conversation):
            bytes = NativeRequest.send(seq: number, conversation: conversation, clientId: clientId, content: content)
        }
        self.number = Self.offset(of: Array(number.utf8), in: bytes)
        self.clientId = Self.offset(of: Array(clientId.utf8), in: bytes)
        mark = Self.offset(of: Mark.beginning(run: run), in: bytes)
    }

    /// A send through the API, as the whole request.
    init(run: UInt32, sender: Int, to user: UserID, size: Int, host: String, token: String) {
        let clientId = Self.clientId(sender: sender)
        bytes = RestRequest.send(
            to: user.value, host: host, token: token, clientId: clientId,
            content: Self.content(run: run, sender: sender, size: size))
        number = nil
        self.clientId = Self.offset(of: Array(clientId.utf8), in: bytes)
        mark = Self.offset(of: Mark.beginning(run: run), in: bytes)
    }

    private static func content(run: UInt32, sender: Int, size: Int) -> [UInt8] {
        let text =
            Mark(run: run, sender: sender, counter: 0, time: 0).bytes
            + Array(repeating: UInt8(ascii: "x"), count: max(0, size - Mark.length))
        return JSONWriter.object { $0.field("text", String(decoding: text, as: UTF8.self)) }
    }

    /// A UUIDv7's shape: time first, so that a server's index grows at its right edge; then the sender, then the
    /// counter.
    private static func clientId(sender: Int) -> String {
        let sender = String(decoding: Hexadecimal.bytes(UInt64(sender), digits: 6), as: UTF8.self)
        return "00000000-0000-7000-8\(sender.prefix(3))-0\(sender.suffix(3))00000000"
    }

    private static func offset(of part: [UInt8], in bytes: [UInt8]) -> Int {
        var start = 0
        while start + part.count <= bytes.count {
            if bytes[start..<(start + part.count)].elementsEqual(part) { return start }
            start += 1
        }
        preconditionFailure("a template lacks its placeholder")
    }

    /// - Parameters:
    ///   - time: when the message should go out, in nanoseconds of the monotonic clock.
    ///   - milliseconds: the time of day, for the client id.
    package mutating func fill(counter: UInt32, time: UInt64, milliseconds: UInt64) {
        if let number {
            Hexadecimal.write(UInt64(counter), digits: 8, to: &bytes, at: number)
            Hexadecimal.write(time, digits: 16, to: &bytes, at: number + 8)
        }
        Hexadecimal.write(milliseconds >> 16, digits: 8, to: &bytes, at: clientId)
        Hexadecimal.write(milliseconds & 0xFFFF, digits: 4, to: &bytes, at: clientId + 9)
        Hexadecimal.write(UInt64(counter), digits: 8, to: &bytes, at: clientId + Self.clientIdLength - 8)
        Hexadecimal.write(UInt64(counter), digits: 8, to: &bytes, at: mark + Mark.counterOffset)
        Hexadecimal.write(time, digits: 16, to: &bytes, at: mark + Mark.timeOffset)
    }

    /// Reads what an answer brings back.
    package static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (counter: UInt32, time: UInt64)? {
        guard range.count == numberLength, let counter = Hexadecimal.value(bytes, range.lowerBound, digits: 8),
            let time = Hexadecimal.value(bytes, range.lowerBound + 8, digits: 16)
        else { return nil }
        return (UInt32(counter), time)
    }
}
