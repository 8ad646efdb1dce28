import MartletBench
import NIOCore

/// Core NATS: lines of text, no acknowledgements.
struct NATSDialect: PeerDialect {
    static let answers = false

    private let subject: String?
    private var message: MarkedBytes?
    private var finder = MarkFinder()
    private var isReady = false

    init(_ number: Int, _ plan: PeerPlan) {
        subject = Topic.heard(by: number, plan)
        guard let target = Topic.written(by: number, plan) else { return }
        message = MarkedBytes(
            before: "PUB \(target) \(plan.size)\r\n", text: plan.text(of: number), after: "\r\n")
    }

    mutating func begin(_ out: inout ByteBuffer) {
        out.writeString("CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"swift\",\"version\":\"1\"}\r\n")
        if let subject { out.writeString("SUB \(subject) 1\r\n") }
        // Answered after the subscription stands.
        out.writeString("PING\r\n")
    }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message?.fill(counter, due: due)
        if let message { out.writeBytes(message.bytes) }
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let (event, end, isPing) = try read(bytes.readableBytesUInt8Span) else { return nil }
        bytes.moveReaderIndex(forwardBy: end)
        if isPing { out.writeString("PONG\r\n") }
        return event
    }

    private mutating func read(_ bytes: Span<UInt8>) throws -> (PeerEvent, end: Int, isPing: Bool)? {
        guard let lineEnd = Wire.lineEnd(bytes, from: 0) else { return nil }
        if Wire.has("MSG ", bytes) {
            // MSG <subject> <subscription> [reply] <bytes>
            var digits = lineEnd
            while digits > 4, bytes[digits - 1] != 0x20 { digits -= 1 }
            guard let length = Wire.number(bytes, digits..<lineEnd) else {
                throw BenchFailure("a message without its length")
            }
            let start = lineEnd + 2
            guard bytes.count >= start + length + 2 else { return nil }
            let mark = finder.find(bytes.extracting(start..<(start + length)))
            return (mark.map(PeerEvent.message) ?? .other, start + length + 2, false)
        }
        if Wire.has("-ERR", bytes) { throw BenchFailure(Wire.text(bytes, 0..<min(lineEnd, 200))) }
        let isPing = Wire.has("PING", bytes)
        if Wire.has("PONG", bytes), !isReady {
            isReady = true
            return (.ready, lineEnd + 2, false)
        }
        guard isPing || Wire.has("INFO ", bytes) || Wire.has("PONG", bytes) || Wire.has("+OK", bytes) else {
            throw BenchFailure("not NATS")
        }
        return (.other, lineEnd + 2, isPing)
    }
}
