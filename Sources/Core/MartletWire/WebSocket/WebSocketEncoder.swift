import NIOCore

/// RFC 6455 sending side. Every message goes out as one frame.
package enum WebSocketEncoder {
    /// A frame's bytes in front of its payload: 2, 4 or 10, and 4 more for a masking key.
    package static func headerSize(payload count: Int, masked: Bool) -> Int {
        let length = count <= 125 ? 2 : count <= 0xFFFF ? 4 : 10
        return masked ? length + 4 : length
    }

    /// Writes the header of a final frame. `mask` is for clients; its highest byte goes out first.
    package static func writeHeader(
        opcode: WebSocketOpcode, payload count: Int, mask: UInt32? = nil, into buffer: inout ByteBuffer
    ) {
        let size = headerSize(payload: count, masked: mask != nil)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            storeHeader(opcode: opcode, payload: count, mask: mask, in: target)
            return size
        }
    }

    /// The same at the beginning of `target`, which has room for it.
    static func storeHeader(
        opcode: WebSocketOpcode, payload count: Int, mask: UInt32?, in target: UnsafeMutableRawBufferPointer
    ) {
        let masked: UInt8 = mask == nil ? 0 : 0x80
        target[0] = 0x80 | opcode.rawValue
        var position = 2
        if count <= 125 {
            target[1] = masked | UInt8(count)
        } else if count <= 0xFFFF {
            target[1] = masked | 126
            target.storeBytes(of: UInt16(count).bigEndian, toByteOffset: 2, as: UInt16.self)
            position = 4
        } else {
            target[1] = masked | 127
            target.storeBytes(of: UInt64(count).bigEndian, toByteOffset: 2, as: UInt64.self)
            position = 10
        }
        if let mask { target.storeBytes(of: mask.bigEndian, toByteOffset: position, as: UInt32.self) }
    }

    // MARK: A server's frames

    package static func text(_ payload: [UInt8], allocator: ByteBufferAllocator) -> ByteBuffer {
        frame(.text, size: payload.count, allocator) { $0.writeBytes(payload) }
    }

    /// `reason` takes the place of the code's own where it is given; it is cut to the 123 bytes that a close frame can
    /// hold.
    package static func close(
        _ code: WebSocketCloseCode, reason: String? = nil, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let reason = fitting(reason ?? code.reason)
        return frame(.close, size: 2 + reason.utf8.count, allocator) { buffer in
            buffer.writeInteger(code.rawValue)
            buffer.writeString(reason)
        }
    }

    /// `payload` is a ping's, at most 125 bytes.
    package static func pong(_ payload: ByteBuffer, allocator: ByteBufferAllocator) -> ByteBuffer {
        frame(.pong, size: payload.readableBytes, allocator) { $0.writeImmutableBuffer(payload) }
    }

    /// At most 125 bytes.
    package static func ping(_ payload: ByteBuffer, allocator: ByteBufferAllocator) -> ByteBuffer {
        frame(.ping, size: payload.readableBytes, allocator) { $0.writeImmutableBuffer(payload) }
    }

    private static func frame(
        _ opcode: WebSocketOpcode, size: Int, _ allocator: ByteBufferAllocator, _ write: (inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: headerSize(payload: size, masked: false) + size)
        writeHeader(opcode: opcode, payload: size, into: &buffer)
        write(&buffer)
        return buffer
    }

    /// The longest beginning of whole characters that fits behind a close code.
    private static func fitting(_ reason: String) -> String {
        var scalars = reason.unicodeScalars[...]
        while scalars.utf8Count > 123 { scalars.removeLast() }
        return String(scalars)
    }

    // MARK: A client's frames

    package static func maskedText(_ payload: [UInt8], mask: UInt32, into buffer: inout ByteBuffer) {
        masked(.text, payload, mask: mask, into: &buffer)
    }

    /// A frame of any kind, as clients send them.
    package static func masked(
        _ opcode: WebSocketOpcode, _ payload: [UInt8], mask: UInt32, into buffer: inout ByteBuffer
    ) {
        writeHeader(opcode: opcode, payload: payload.count, mask: mask, into: &buffer)
        let start = buffer.readableBytes
        buffer.writeBytes(payload)
        buffer.withUnsafeMutableReadableBytes { bytes in
            WebSocketMask.apply(mask, to: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
        }
    }
}

extension Substring.UnicodeScalarView {
    fileprivate var utf8Count: Int { Substring(self).utf8.count }
}
