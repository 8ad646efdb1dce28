import MartletBench
import NIOCore

/// MQTT 3.1.1 with QoS 0.
struct MQTTDialect: PeerDialect {
    static let answers = false

    private let number: Int
    private let topic: String?
    private var message: MarkedBytes?
    private var finder = MarkFinder()

    init(_ number: Int, _ plan: PeerPlan) {
        self.number = number
        topic = Topic.heard(by: number, plan)
        guard let target = Topic.written(by: number, plan) else { return }
        let name = Self.string(target)
        message = MarkedBytes(
            before: [0x30] + Self.length(name.count + plan.size) + name, text: plan.text(of: number))
    }

    mutating func begin(_ out: inout ByteBuffer) {
        // Level 4, a clean session, no keep-alive.
        let body = Self.string("MQTT") + [4, 2, 0, 0] + Self.string("bench\(number)")
        out.writeBytes([0x10] + Self.length(body.count) + body)
    }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message?.fill(counter, due: due)
        if let message { out.writeBytes(message.bytes) }
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let (event, end, isAccepted) = try read(bytes.readableBytesUInt8Span) else { return nil }
        bytes.moveReaderIndex(forwardBy: end)
        if isAccepted, let topic {
            let body = [0, 1] + Self.string(topic) + [0]
            out.writeBytes([0x82] + Self.length(body.count) + body)
        }
        return event
    }

    private mutating func read(_ bytes: Span<UInt8>) throws -> (PeerEvent, end: Int, isAccepted: Bool)? {
        guard let (start, length) = try Self.header(bytes), bytes.count >= start + length else { return nil }
        let end = start + length
        switch bytes[0] & 0xF0 {
        case 0x30:
            let mark = finder.find(bytes.extracting(start..<end))
            return (mark.map(PeerEvent.message) ?? .other, end, false)
        case 0x20:
            guard length == 2, bytes[start + 1] == 0 else { throw BenchFailure("the connection was refused") }
            return (topic == nil ? .ready : .other, end, true)
        case 0x90:
            guard length == 3, bytes[start + 2] == 0 else { throw BenchFailure("the subscription was refused") }
            return (.ready, end, false)
        default: return (.other, end, false)
        }
    }

    /// Where the body begins and how long it is; nil where the header is not whole.
    private static func header(_ bytes: Span<UInt8>) throws -> (start: Int, length: Int)? {
        var length = 0
        for index in 1...4 {
            guard index < bytes.count else { return nil }
            length |= Int(bytes[index] & 0x7F) << (7 * (index - 1))
            if bytes[index] < 0x80 { return (index + 1, length) }
        }
        throw BenchFailure("not MQTT")
    }

    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }

    private static func length(_ value: Int) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }
}
