import NIOCore

/// Two buffers in one. It holds on to both, so that what stands at their addresses is still the same.
struct Joint {
    /// Bytes of both. Enough for what comes together in a turn, little enough to be copied.
    static let maximum = 4096

    private let first, second: ByteBuffer
    let both: ByteBuffer

    init(_ first: ByteBuffer, _ second: ByteBuffer, _ allocator: ByteBufferAllocator) {
        self.first = first
        self.second = second
        var both = allocator.buffer(capacity: first.readableBytes + second.readableBytes)
        both.writeImmutableBuffer(first)
        both.writeImmutableBuffer(second)
        self.both = both
    }

    /// Whether it was made of these very buffers.
    func isOf(_ first: ByteBuffer, _ second: ByteBuffer) -> Bool {
        Self.isSame(self.second, second) && Self.isSame(self.first, first)
    }

    private static func isSame(_ one: ByteBuffer, _ other: ByteBuffer) -> Bool {
        one.withUnsafeReadableBytes { one in
            other.withUnsafeReadableBytes { one.baseAddress == $0.baseAddress && one.count == $0.count }
        }
    }
}
