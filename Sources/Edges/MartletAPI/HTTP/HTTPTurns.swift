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
    /// The connection ends behind what is on its way, or HTTP has nothing to say on it any more.
    private var isLast = false
    private var isTakenOver = false

    /// Adds one to a pipeline that has HTTP's own handlers.
    static func add(to channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.addHandler(HTTPTurns(), position: .after(decoder))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            open += 1
            isReading = true
            if !head.isKeepAlive { isLast = true }
        case .body: break
        case .end: isReading = false
        }
        context.fireChannelRead(data)
        if !isReading { tell(context) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isTakenOver else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head):
            if head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "close" }) {
                isLast = true
            }
            context.write(data, promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            open = max(0, open - 1)
            context.write(data, promise: promise)
            tell(context)
        }
    }

    private func tell(_ context: ChannelHandlerContext) {
        guard open == 0, !isReading, !isLast, !isTakenOver else { return }
        context.triggerUserOutboundEvent(HTTPConnectionEvent.isBetweenRequests, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isLast = true
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? HTTPConnectionEvent, case .isTakenOver = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        isTakenOver = true
        let pipeline = context.pipeline.syncOperations
        // It would close a connection on which no request comes.
        if let watch = try? pipeline.handler(type: HTTPConnectionStateHandler.self) {
            pipeline.removeHandler(watch, promise: nil)
        }
    }
}

@available(*, unavailable)
extension HTTPTurns: Sendable {}
