import MartletBench
import NIOCore

/// The client's half of one protocol, for one connection: bytes in and what they mean, messages and their bytes. It
/// knows no channel and no clock.
protocol PeerDialect: ~Copyable, SendableMetatype {
    /// True where the server answers each message; it is then under way until the answer came, too. Elsewhere sent is
    /// taken.
    static var answers: Bool { get }

    /// True where each sender has a second connection to the plan's `sendingPort`, and its messages go out over that
    /// one alone: HTTP beside a WebSocket.
    static var sendsBeside: Bool { get }

    /// `number`: the connection's, from 0.
    init(_ number: Int, _ plan: PeerPlan)

    /// Writes what the client says first. Called once, when the connection stands.
    mutating func begin(_ out: inout ByteBuffer)

    /// Takes the next item out of `bytes`, leaving half items there, and writes what the server wants to hear about it
    /// to `out`; nil: more bytes are needed. Throws where the server breaks the protocol or refuses.
    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent?

    /// Takes the next item out of what came over the second connection of a sender, where it has one; else as `next`.
    mutating func nextBeside(_ bytes: inout ByteBuffer) throws -> PeerEvent?

    /// Writes a message. Only of a sender that is ready.
    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer)

    /// Writes what keeps the connection alive, every 20 seconds.
    mutating func beat(into out: inout ByteBuffer)
}

extension PeerDialect where Self: ~Copyable {
    static var sendsBeside: Bool { false }
    mutating func nextBeside(_ bytes: inout ByteBuffer) throws -> PeerEvent? { nil }
    mutating func beat(into out: inout ByteBuffer) {}
}

/// What a server said.
enum PeerEvent: Equatable, Sendable {
    /// The connection may send, and hears what it should.
    case ready
    case message(Mark)
    /// The answer to a message.
    case answered(counter: UInt32, due: UInt64, isAccepted: Bool)
    /// Nothing that matters here.
    case other
}

/// Bytes of one sender's message on the wire; a further message changes the mark's digits in place.
struct MarkedBytes: Sendable {
    private(set) var bytes: [UInt8]
    private let mark: Int
    private let counter: Int?

    /// `text` begins with a mark.
    init(before: String, text: [UInt8], after: String = "") {
        self.init(before: Array(before.utf8), text: text, after: Array(after.utf8))
    }

    /// `counter`: where eight digits of `before` hold the message's number once more; nil: nowhere.
    init(before: [UInt8], text: [UInt8], after: [UInt8] = [], counter: Int? = nil) {
        bytes = before + text + after
        mark = before.count
        self.counter = counter
    }

    mutating func fill(_ counter: UInt32, due: UInt64) {
        Hexadecimal.write(UInt64(counter), digits: 8, to: &bytes, at: mark + Mark.counterOffset)
        Hexadecimal.write(due, digits: 16, to: &bytes, at: mark + Mark.timeOffset)
        if let place = self.counter { Hexadecimal.write(UInt64(counter), digits: 8, to: &bytes, at: place) }
    }
}

/// Finds line ends and short texts in what a server says.
enum Wire {
    /// Where the line that begins at `start` ends, without its CR LF; nil where its end is not there yet.
    static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index + 1 < bytes.count {
            if bytes[index] == 0x0D, bytes[index + 1] == 0x0A { return index }
            index += 1
        }
        return nil
    }

    /// True where `text` stands at `offset`.
    static func has(_ text: StaticString, _ bytes: Span<UInt8>, at offset: Int = 0) -> Bool {
        guard bytes.count - offset >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[offset + index] != text.utf8Start[index] { return false }
        return true
    }

    /// True where `text` stands anywhere.
    static func contains(_ text: StaticString, _ bytes: Span<UInt8>) -> Bool {
        var offset = 0
        while offset + text.utf8CodeUnitCount <= bytes.count {
            if has(text, bytes, at: offset) { return true }
            offset += 1
        }
        return false
    }

    /// The decimal number that fills `range`; nil where that is none of at most nine digits.
    static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard (1...9).contains(range.count) else { return nil }
        var value = 0
        for index in range {
            guard (0x30...0x39).contains(bytes[index]) else { return nil }
            value = value * 10 + Int(bytes[index] - 0x30)
        }
        return value
    }

    /// For a person at the terminal.
    static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        var copy: [UInt8] = []
        for index in range { copy.append(bytes[index]) }
        return String(decoding: copy, as: UTF8.self)
    }
}
