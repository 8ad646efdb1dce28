import MartletCore
import NIOCore

/// Writes one JSON text straight into a server's text frame. Room for the longest header is left in front and the
/// header is put right before the payload when its size is known, so that nothing is measured beforehand or moved
/// afterwards.
struct FrameWriter: ~Copyable {
    private var buffer: ByteBuffer
    private static let headerRoom = 10

    /// `capacity`: the payload's bytes, as well as they are known.
    init(_ allocator: ByteBufferAllocator, capacity: Int) {
        buffer = allocator.buffer(capacity: capacity + Self.headerRoom)
        buffer.moveWriterIndex(to: Self.headerRoom)
    }

    /// The complete frame.
    consuming func finish() -> ByteBuffer {
        let count = buffer.writerIndex - Self.headerRoom
        let start = Self.headerRoom - WebSocketEncoder.headerSize(payload: count, masked: false)
        WebSocketEncoder.setHeader(opcode: .text, payload: count, mask: nil, at: start, in: &buffer)
        buffer.moveReaderIndex(to: start)
        return buffer
    }

    mutating func raw(_ text: StaticString) { buffer.writeStaticString(text) }

    mutating func raw(_ json: [UInt8]) { buffer.writeBytes(json) }

    mutating func integer(_ value: Int64) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 20) { target in
            var rest = value.magnitude
            var count = value < 0 ? 1 : 0
            var probe = rest
            repeat {
                count &+= 1
                probe /= 10
            } while probe > 0
            var index = count
            repeat {
                index &-= 1
                target[index] = UInt8(truncatingIfNeeded: rest % 10) | 0x30
                rest /= 10
            } while rest > 0
            if value < 0 { target[0] = UInt8(ascii: "-") }
            return count
        }
    }

    /// A string with its quotes, escaped as `JSONWriter` does it.
    mutating func string(_ text: String) {
        var text = text
        let isPlain = text.withUTF8 { bytes in
            bytes.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        if isPlain {
            raw("\"")
            buffer.writeString(text)
            raw("\"")
        } else {
            var writer = JSONWriter()
            writer.string(text)
            raw(writer.bytes)
        }
    }

    /// A string whose inside is escaped already, or needs no escapes.
    mutating func quoted(_ inside: [UInt8]) {
        raw("\"")
        raw(inside)
        raw("\"")
    }

    mutating func quoted(_ inside: StaticString) {
        raw("\"")
        raw(inside)
        raw("\"")
    }

    mutating func conversation(_ id: ConversationID) {
        switch id {
        case .direct(let low, let high):
            raw("\"d:")
            integer(low.value)
            raw(":")
            integer(high.value)
        case .group(let group):
            raw("\"g:")
            integer(group.value)
        case .room(let app, let name):
            raw("\"r:")
            integer(app.value)
            if let name {
                raw(":")
                buffer.writeString(name)
            }
        case .inbox(let user):
            raw("\"u:")
            integer(user.value)
        }
        raw("\"")
    }
}
