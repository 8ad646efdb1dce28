import HummingbirdCore
import MartletWire
import NIOCore
import NIOHTTP1

/// Tells the front of the pipeline when the connection is between two requests, and leaves it alone once it is no longer
/// HTTP's.
final class HTTPTurns: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart

    /// Requests without a whole answer.
    private var open = 0
    /// A request's head came, and not its end.
    private var isReading = false

    /// Adds one to a pipeline that has HTTP's own handlers.
    static func add(to channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.addHandler(HTTPTurns(), position: .after(decoder))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            open += 1
            isReading = true
            context.fireChannelRead(data)
        case .body: context.fireChannelRead(data)
        case .end:
            isReading = false
            context.fireChannelRead(data)
            tell(context)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        open -= 1
        context.write(data, promise: promise)
        tell(context)
    }

    private func tell(_ context: ChannelHandlerContext) {
        guard open == 0, !isReading else { return }
        context.triggerUserOutboundEvent(HTTPConnectionEvent.isBetweenRequests, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? HTTPConnectionEvent, case .isTakenOver = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        let pipeline = context.pipeline.syncOperations
        // It would close a connection on which no request comes.
        if let watch = try? pipeline.handler(type: HTTPConnectionStateHandler.self) {
            pipeline.removeHandler(watch, promise: nil)
        }
    }
}

@available(*, unavailable)
extension HTTPTurns: Sendable {}
