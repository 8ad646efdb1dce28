import MartletCore
import MartletWire
import NIOCore

/// From text to what is asked for.
enum CommandLoops {
    static let all = [
        HotLoop(name: "scan-command", operation: "scan of a send for its command", iterations: 10_000) { _ in
            let frames = (0..<8).map { ByteBuffer(bytes: Samples.send($0)) }
            return { iterations in
                var bytes = 0
                for iteration in iterations {
                    let frame = frames[iteration & 7]
                    let command = try NativeCommand.scan(frame.readableBytesUInt8Span)
                    if command.name == .send { bytes += command.data?.count ?? 0 }
                }
                let first = frames[0]
                let one = try NativeCommand.scan(first.readableBytesUInt8Span).data?.count ?? 0
                try expect(bytes, is: iterations.count * one, "bytes of data")
            }
        },
        HotLoop(
            name: "scan-send", operation: "scan of a send for its command, its fields, and the check of its content",
            iterations: 10_000
        ) { _ in
            let frames = (0..<8).map { ByteBuffer(bytes: Samples.send($0)) }
            return { iterations in
                var bytes = 0
                for iteration in iterations {
                    let frame = frames[iteration & 7]
                    let text = frame.readableBytesUInt8Span
                    guard let data = try NativeCommand.scan(text).data else { continue }
                    let send = try NativeSend.scan(text, data: data)
                    _ = try MessageContent.check(send.kind, text.extracting(send.content))
                    if send.target == .user(Samples.bob) { bytes += send.content.count }
                }
                try expect(bytes, is: iterations.count * Samples.content.count, "bytes of content")
            }
        },
    ]
}
