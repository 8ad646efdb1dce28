import NIOCore

/// One keep-alive connection to the API. It takes answers apart; what they mean is for whoever made it.
final class RestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Event {
        case connected
        case answered(RestAnswer)
        case failed(String)
        case closed
    }

    private let happened: (RestHandler, Event) -> Void
    private var context: ChannelHandlerContext?
    private var rest: ByteBuffer?

    init(_ happened: @escaping (RestHandler, Event) -> Void) { self.happened = happened }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        happened(self, .connected)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        happened(self, .closed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var rest = rest.take() {
            rest.writeBuffer(&bytes)
            bytes = rest
        }
        do {
            while bytes.readableBytes > 0, let answer = try RestAnswer.next(&bytes) {
                happened(self, .answered(answer))
            }
            if bytes.readableBytes > 0 { rest = bytes }
        } catch {
            happened(self, .failed("\(error)"))
            context.close(promise: nil)
        }
    }

    func write(_ request: [UInt8]) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: request)), promise: nil)
    }

    func cut() { context?.close(promise: nil) }
}

@available(*, unavailable)
extension RestHandler: Sendable {}
