import NIOCore

/// The second connection of a client, where messages go out over one and come in over another. Belongs to its loop.
final class SendingChannel<Dialect: PeerDialect & ~Copyable>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private unowned let client: PeerConnection<Dialect>
    private var context: ChannelHandlerContext?
    /// Half an item.
    private var rest: ByteBuffer?

    init(_ client: PeerConnection<Dialect>) { self.client = client }

    var isActive: Bool { context != nil }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        client.sendingBegan()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        client.sendingEnded()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var rest = rest.take() {
            rest.writeBuffer(&bytes)
            bytes = rest
        }
        client.readBeside(&bytes)
        if bytes.readableBytes > 0 { rest = bytes }
    }

    func channelReadComplete(context: ChannelHandlerContext) { client.finishTurn() }

    func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

    func end() { context?.close(promise: nil) }
}

@available(*, unavailable)
extension SendingChannel: Sendable {}
