/// The masking of client frames (RFC 6455 5.3). Masking twice with the same key gives the bytes back.
enum WebSocketMask {
    /// Applies `mask`, whose highest byte belongs to the first byte of the payload, eight bytes at a time.
    static func apply(_ mask: UInt32, to bytes: UnsafeMutableRawBufferPointer) {
        let unit = UInt64(mask.bigEndian)
        let word = unit | unit << 32
        var offset = 0
        while offset &+ 8 <= bytes.count {
            let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            bytes.storeBytes(of: value ^ word, toByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        while offset < bytes.count {
            bytes[offset] ^= UInt8(truncatingIfNeeded: mask >> UInt32(24 - 8 * (offset & 3)))
            offset &+= 1
        }
    }
}
