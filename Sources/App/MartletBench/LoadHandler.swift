import MartletWire
import NIOCore

/// One connection: the handshake, then frames. Everything that a frame means is the loop's business.
final class LoadHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A sync's answer may be long.
    private static let maximumMessage = 16 * 1024 * 1024

    let session: LoadSession
    private let loop: LoadLoop
    private let key = UpgradeRequest.randomKey()
    private let mask = UInt32.random(in: .min ... .max)
    private var context: ChannelHandlerContext?
    private var decoder = WebSocketDecoder(role: .client, maximumMessage: LoadHandler.maximumMessage)
    private var isUpgraded = false
    /// Half a frame.
    private var rest: ByteBuffer?
    /// Frames on their way out within this turn of the loop.
    private var outgoing = ByteBuffer()
    private var isWaiting = false
    private(set) var closeCode: UInt16?

    init(_ session: LoadSession, _ loop: LoadLoop) {
        self.session = session
        self.loop = loop
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        let address = loop.plan.options.address(of: session.number)
        let request = UpgradeRequest.client(host: address.authority, path: address.path, key: key)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: request)), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        loop.disconnected(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var rest = rest.take() {
            rest.writeBuffer(&bytes)
            bytes = rest
        }
        do {
            if !isUpgraded { try upgrade(&bytes) }
            if isUpgraded { try read(&bytes, context) }
            if bytes.readableBytes > 0 { rest = bytes }
        } catch {
            loop.fail("the server broke the protocol: \(error)")
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { loop.flush() }

    private func upgrade(_ bytes: inout ByteBuffer) throws {
        switch UpgradeAnswer.read(bytes.readableBytesUInt8Span, key: key) {
        case .incomplete: return
        case .accepted(let head):
            bytes.moveReaderIndex(forwardBy: head)
            isUpgraded = true
            loop.upgraded(self)
        case .refused(let status): throw BenchFailure("the handshake was refused with status \(status)")
        }
    }

    private func read(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) throws {
        let now = NIODeadline.now().uptimeNanoseconds
        while let item = try decoder.next(&bytes) {
            switch item {
            case .text(let payload): try loop.received(payload, self, now)
            case .ping(let payload): write(Array(payload.readableBytesView), as: .pong)
            case .close(let code, _):
                closeCode = code?.rawValue
                bytes.clear()
                context.close(promise: nil)
                return
            case .pong(let payload): loop.echoed(payload, self, now)
            case .binary: break
            }
        }
    }

    // MARK: Sending

    /// Goes out with the loop's next flush.
    func write(_ payload: [UInt8], as opcode: WebSocketOpcode = .text) {
        guard context != nil else { return }
        if !isWaiting {
            isWaiting = true
            // Allocates only where the last one is still on its way out.
            outgoing.clear()
            loop.willFlush(self)
        }
        WebSocketEncoder.masked(opcode, payload, mask: mask, into: &outgoing)
    }

    func flush() {
        isWaiting = false
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
    }

    /// Leaves what comes in to the socket's buffers, or takes it again.
    func setReading(_ isReading: Bool) {
        context?.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
    }

    /// Ends the connection without a word, as a cut cable would.
    func cut() { context?.close(promise: nil) }
}

@available(*, unavailable)
extension LoadHandler: Sendable {}
