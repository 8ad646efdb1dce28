import MartletCore
import MartletWire
import NIOCore

/// From values to frames.
enum EncodingLoops {
    static let all = [
        HotLoop(name: "encode-event", operation: "event as it is pushed", iterations: 10_000) { _ in
            let allocator = ByteBufferAllocator()
            let events = (0..<8).map { Samples.event(.direct(Samples.alice, Samples.bob), $0) }
            let one = NativeEncoder.push(events[0], allocator: allocator).readableBytes
            return { iterations in
                var bytes = 0
                for iteration in iterations {
                    bytes += NativeEncoder.push(events[iteration & 7], allocator: allocator).readableBytes
                }
                try expect(bytes, is: iterations.count * one, "bytes of frames")
            }
        },
        HotLoop(name: "encode-answer", operation: "answer to a send", iterations: 10_000) { _ in
            let allocator = ByteBufferAllocator()
            let seq = "1000001"
            let one = answer(0, seq, allocator).readableBytes
            return { iterations in
                var bytes = 0
                for iteration in iterations { bytes += answer(iteration & 7, seq, allocator).readableBytes }
                try expect(bytes, is: iterations.count * one, "bytes of frames")
            }
        },
    ]

    private static func answer(_ number: Int, _ seq: String, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        let place = Samples.firstNumber + Int64(number)
        return NativeEncoder.sendAnswer(
            seq: seq, conversation: .direct(Samples.alice, Samples.bob),
            receipt: Receipt(seq: place, ordinal: place, time: Samples.time, isRepeat: false), allocator: allocator)
    }
}
