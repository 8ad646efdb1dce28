import MartletBench
import NIOCore

/// Redis pub/sub. RESP3, in which a connection may publish and listen at once: one connection for each, as elsewhere.
struct RedisDialect: PeerDialect {
    /// The number of receivers that a PUBLISH brings back comes before they have it, and promises nothing.
    static let answers = false

    private let channel: String?
    private var message: MarkedBytes?
    private var finder = MarkFinder()

    init(_ number: Int, _ plan: PeerPlan) {
        channel = Topic.heard(by: number, plan)
        guard let target = Topic.written(by: number, plan) else { return }
        message = MarkedBytes(
            before: "*3\r\n$7\r\nPUBLISH\r\n$\(target.utf8.count)\r\n\(target)\r\n$\(plan.size)\r\n",
            text: plan.text(of: number), after: "\r\n")
    }

    mutating func begin(_ out: inout ByteBuffer) {
        out.writeString("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n")
        guard let channel else { return }
        out.writeString("*2\r\n$9\r\nSUBSCRIBE\r\n$\(channel.utf8.count)\r\n\(channel)\r\n")
    }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message?.fill(counter, due: due)
        if let message { out.writeBytes(message.bytes) }
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let (event, end) = try read(bytes.readableBytesUInt8Span) else { return nil }
        bytes.moveReaderIndex(forwardBy: end)
        return event
    }

    private mutating func read(_ bytes: Span<UInt8>) throws -> (PeerEvent, Int)? {
        var position = 0
        guard try Self.skip(bytes, &position, depth: 8) else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "-"), UInt8(ascii: "!"):
            throw BenchFailure(Wire.text(bytes, 0..<min(position, 200)))
        case UInt8(ascii: "%"): return (channel == nil ? .ready : .other, position)
        case UInt8(ascii: ">"):
            if Wire.has(">3\r\n$7\r\nmessage\r\n", bytes), let mark = finder.find(bytes.extracting(0..<position)) {
                return (.message(mark), position)
            }
            return (Wire.has(">3\r\n$9\r\nsubscribe\r\n", bytes) ? .ready : .other, position)
        default: return (.other, position)
        }
    }

    /// Steps over one value; false where its end is not there yet.
    private static func skip(_ bytes: Span<UInt8>, _ position: inout Int, depth: Int) throws -> Bool {
        guard let end = Wire.lineEnd(bytes, from: position) else { return false }
        guard depth > 0, end > position else { throw BenchFailure("not RESP") }
        let kind = bytes[position]
        let argument = (position + 1)..<end
        position = end + 2
        switch kind {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "#"),
            UInt8(ascii: ","), UInt8(ascii: "("):
            return true
        case UInt8(ascii: "$"), UInt8(ascii: "="), UInt8(ascii: "!"):
            if Wire.has("-1", bytes, at: argument.lowerBound) { return true }
            guard let length = Wire.number(bytes, argument) else { throw BenchFailure("not RESP") }
            position += length + 2
            return position <= bytes.count
        case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"), UInt8(ascii: "%"):
            if Wire.has("-1", bytes, at: argument.lowerBound) { return true }
            guard let count = Wire.number(bytes, argument) else { throw BenchFailure("not RESP") }
            for _ in 0..<(kind == UInt8(ascii: "%") ? 2 * count : count) {
                guard try skip(bytes, &position, depth: depth - 1) else { return false }
            }
            return true
        default: throw BenchFailure("not RESP")
        }
    }
}
