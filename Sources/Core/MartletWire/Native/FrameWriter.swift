import MartletCore
import NIOCore

/// Writes one JSON text straight into a server's text frame. Each call on a `ByteBuffer` has its price, so the whole
/// frame is written in one, through a pointer. Room for the longest header is left in front, and the header is put
/// right before the payload when its size is known.
struct FrameWriter: ~Copyable {
    private let target: UnsafeMutableRawBufferPointer
    private var position = FrameWriter.headerRoom
    private static let headerRoom = 10

    private init(_ target: UnsafeMutableRawBufferPointer) { self.target = target }

    /// The complete frame of what `fill` writes, which must not be more than `bound` bytes: see `Bound`.
    static func frame(
        _ allocator: ByteBufferAllocator, bound: Int, _ fill: (inout FrameWriter) -> Void
    ) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: headerRoom + bound)
        var start = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: headerRoom + bound) { target in
            var writer = FrameWriter(target)
            fill(&writer)
            let count = writer.position - headerRoom
            start = headerRoom - WebSocketEncoder.headerSize(payload: count, masked: false)
            let header = UnsafeMutableRawBufferPointer(rebasing: target[start..<headerRoom])
            WebSocketEncoder.storeHeader(opcode: .text, payload: count, mask: nil, in: header)
            return writer.position
        }
        buffer.moveReaderIndex(to: start)
        return buffer
    }

    /// The most bytes that something takes when it is written.
    enum Bound {
        static let integer = 20

        /// Six bytes are the longest escape of one.
        static func string(_ text: String) -> Int { 2 + text.utf8.count * (isPlain(text) ? 1 : 6) }

        static func conversation(_ id: ConversationID) -> Int {
            guard case .room(_, .some(let name)) = id else { return 6 + 2 * integer }
            return 6 + integer + name.utf8.count
        }
    }

    // MARK: Bytes

    mutating func raw(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func raw(_ json: [UInt8]) {
        let bytes = json.span
        bytes.withUnsafeBytes { append($0) }
    }

    /// A part of a JSON text, such as the inside of a string with its escapes.
    mutating func json(_ part: Span<UInt8>) {
        part.withUnsafeBytes { append($0) }
    }

    mutating func json(_ part: String) { inside(part) }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // A bound that is too low is a mistake of ours: stop before it writes into other memory.
        precondition(target.count - position >= bytes.count)
        if let source = bytes.baseAddress, let start = target.baseAddress {
            (start + position).copyMemory(from: source, byteCount: bytes.count)
        }
        position &+= bytes.count
    }

    private mutating func append(_ byte: UInt8) {
        precondition(position < target.count)
        target[position] = byte
        position &+= 1
    }

    // MARK: Values

    /// Whether a text has nothing to escape.
    private static func isPlain(_ text: String) -> Bool {
        let bytes = text.utf8.span
        return JSONScan.plainEnd(bytes, 0) == bytes.count
    }

    mutating func integer(_ value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var count = 1
        var power: UInt64 = 10
        while count < 19, rest >= power {
            count &+= 1
            power &*= 10
        }
        precondition(target.count - position >= count)
        var index = position &+ count
        position = index
        for _ in 0..<count {
            index &-= 1
            let tenth = rest / 10
            target[index] = UInt8(truncatingIfNeeded: rest &- tenth &* 10) | 0x30
            rest = tenth
        }
    }

    /// A string with its quotes, escaped as `JSONWriter` does it.
    mutating func string(_ text: String) {
        guard Self.isPlain(text) else {
            var writer = JSONWriter()
            writer.string(text)
            return raw(writer.bytes)
        }
        append(UInt8(ascii: "\""))
        inside(text)
        append(UInt8(ascii: "\""))
    }

    /// Text that needs no escapes, without quotes.
    private mutating func inside(_ text: String) {
        let bytes = text.utf8.span
        bytes.withUnsafeBytes { append($0) }
    }

    /// A string whose inside is escaped already, or needs no escapes.
    mutating func quoted(_ inside: String) {
        append(UInt8(ascii: "\""))
        self.inside(inside)
        append(UInt8(ascii: "\""))
    }

    mutating func quoted(_ inside: StaticString) {
        append(UInt8(ascii: "\""))
        raw(inside)
        append(UInt8(ascii: "\""))
    }

    mutating func conversation(_ id: ConversationID) {
        switch id {
        case .direct(let low, let high):
            raw("\"d:")
            integer(low.value)
            append(UInt8(ascii: ":"))
            integer(high.value)
        case .group(let group):
            raw("\"g:")
            integer(group.value)
        case .room(let app, let name):
            raw("\"r:")
            integer(app.value)
            if let name {
                append(UInt8(ascii: ":"))
                inside(name)
            }
        case .inbox(let user):
            raw("\"u:")
            integer(user.value)
        }
        append(UInt8(ascii: "\""))
    }
}
