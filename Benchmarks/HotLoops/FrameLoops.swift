import MartletCore
import MartletWire
import NIOCore

/// From the bytes of a read to text: headers, unmasking, UTF-8.
enum FrameLoops {
    static let all = [
        HotLoop(name: "frame", operation: "masked text frame of 100 bytes, alone in its read", iterations: 10_000) {
            _ in
            decode(frames: 1)
        },
        HotLoop(
            name: "frame-16", operation: "masked text frame of 100 bytes, 16 in one read", operations: 16,
            iterations: 1000
        ) { _ in decode(frames: 16) },
    ]

    private static func decode(frames count: Int) -> HotLoop.Body {
        let payload = Array(repeating: UInt8(ascii: "m"), count: 100)
        var read = ByteBuffer()
        for _ in 0..<count { read.writeImmutableBuffer(Samples.masked(payload)) }
        // Kept alive beside the decoder's, as NIO keeps the buffer of each read for its pool: unmasking may not happen in place.
        let kept = read
        return { iterations in
            var decoder = WebSocketDecoder(role: .server, maximumMessage: Limits.requestBytes)
            var (texts, bytes) = (0, 0)
            for _ in iterations {
                var buffer = kept
                while case .text(let text)? = try decoder.next(&buffer) {
                    texts += 1
                    bytes += text.readableBytes
                }
            }
            try expect(texts, is: iterations.count * count, "frames")
            try expect(bytes, is: iterations.count * count * payload.count, "bytes of payload")
        }
    }
}
