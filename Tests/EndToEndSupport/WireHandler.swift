import MartletWire
import NIOCore

/// Turns a connection's bytes into what its client waits for.
final class WireHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let inbox: Watched<WireClient.Inbox>
    private let key: String?
    private let onMessage: (@Sendable (JSONValue) -> Void)?
    private var decoder = WebSocketDecoder(role: .client, maximumMessage: 64 << 20)
    private var bytes = ByteBuffer()
    private var isUpgraded = false
    /// Answers to plain requests that come before the one to the upgrade.
    private var plainAnswers: Int

    init(
        _ inbox: Watched<WireClient.Inbox>, key: String?, plainAnswers: Int = 0,
        _ onMessage: (@Sendable (JSONValue) -> Void)?
    ) {
        self.inbox = inbox
        self.key = key
        self.plainAnswers = plainAnswers
        self.onMessage = onMessage
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var arrived = unwrapInboundIn(data)
        bytes.writeBuffer(&arrived)
        while plainAnswers > 0 {
            guard let size = Self.answerSize(bytes.readableBytesView) else { return }
            bytes.moveReaderIndex(forwardBy: size)
            plainAnswers -= 1
            inbox.update { $0.plainAnswers += 1 }
        }
        if !isUpgraded {
            switch UpgradeAnswer.read(bytes.readableBytesUInt8Span, key: key) {
            case .incomplete: return
            case .refused(let status):
                inbox.update { $0.refusedStatus = status }
                return context.close(promise: nil)
            case .accepted(let headBytes):
                bytes.moveReaderIndex(forwardBy: headBytes)
                isUpgraded = true
                inbox.update { $0.isUpgraded = true }
            }
        }
        do {
            while let item = try decoder.next(&bytes) { take(item, context) }
        } catch {
            inbox.update { $0.closeReason = "the server broke the protocol: \(error)" }
            context.close(promise: nil)
        }
        bytes.discardReadBytes()
    }

    /// The bytes of a whole answer with a Content-Length; nil while it is incomplete.
    private static func answerSize(_ bytes: ByteBufferView) -> Int? {
        let end = Array("\r\n\r\n".utf8)
        guard let head = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else { return nil }
        let field = String(decoding: bytes[..<head], as: UTF8.self).lowercased().split(separator: "\r\n")
            .first { $0.hasPrefix("content-length:") }
        let length = field.flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) } ?? 0
        let size = head - bytes.startIndex + end.count + length
        return bytes.count >= size ? size : nil
    }

    private func take(_ item: WebSocketDecoder.Item, _ context: ChannelHandlerContext) {
        switch item {
        case .text(let text):
            guard let message = try? JSONValue(parsing: Array(text.readableBytesView), depth: 64) else {
                inbox.update { $0.closeReason = "the server sent what is not JSON: \(String(buffer: text))" }
                return context.close(promise: nil)
            }
            onMessage?(message)
            inbox.update { $0.take(message) }
        case .ping(let payload):
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: WireClient.frame(.pong, Array(payload.readableBytesView)))),
                promise: nil)
        case .pong(let payload): inbox.update { $0.pongs.append(Array(payload.readableBytesView)) }
        case .binary: break
        case .close(let code, let reason):
            inbox.update { inbox in
                inbox.closeCode = code?.rawValue
                inbox.closeReason = reason
            }
            // The answer to the server's close frame; where it is the server's answer to ours, it goes nowhere.
            let number = code?.rawValue ?? 1000
            let frame = WireClient.frame(.close, [UInt8(number >> 8), UInt8(number & 0xFF)])
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame)), promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.update { $0.isClosed = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension WireHandler: Sendable {}

extension WireClient.Inbox {
    mutating func take(_ message: JSONValue) {
        guard let response = message["response"] else {
            fresh.append(pushes.count)
            pushes.append(message)
            return
        }
        let answer = WireAnswer(
            cmd: message["cmd"]?.string ?? "", code: Int(response["code"]?.integer ?? 0),
            data: response["data"] ?? .null)
        if let seq = message["seq"]?.string { answers[seq] = answer } else { anonymous.append(answer) }
    }
}
