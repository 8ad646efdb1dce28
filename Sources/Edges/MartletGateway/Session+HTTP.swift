import MartletBus
import MartletCore
import MartletWire
import NIOCore

// Connections that are not sessions, or not yet: proxies keep theirs, and send an upgrade behind other requests.
extension Session {
    /// The connection is the HTTP edge's, from these bytes on and until an upgrade comes.
    func handOver(_ bytes: ByteBuffer) {
        guard let context else { return }
        guard !hasHTTP else {
            phase = .http
            return context.fireChannelRead(wrapInboundOut(bytes))
        }
        // HTTP's handlers are there at once, on this loop: nothing is read before.
        phase = .over
        let bound = NIOLoopBound((self, context), eventLoop: loop.eventLoop)
        let claimed = origin.isClaimed ? origin.client : nil
        gateway.services.http.adopt(context.channel, claimed: claimed).whenComplete { result in
            let (session, context) = bound.value
            guard case .success(let serve) = result, session.gateway.serveHTTP(serve) else {
                return context.close(promise: nil)
            }
            session.hasHTTP = true
            session.phase = .http
            context.fireChannelRead(session.wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        }
    }

    /// The upgrade is accepted: a session begins, without a login.
    func upgrade() {
        phase = .anonymous
        commandTokens = gateway.configuration.commands.burst
        gateway.metrics.upgrades.add()
        guard hasHTTP else { return }
        opened = loop.wheel.now
        schedule(opened + signInTicks)
        context?.fireUserInboundEventTriggered(HTTPConnectionEvent.isTakenOver)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let event = event as? HTTPConnectionEvent, case .isBetweenRequests = event else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        if phase == .http { phase = .betweenRequests }
    }

    /// HTTP's work ends when the server stops, and must not take a session's connection with it.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard hasHTTP, mode != .all, isOpen || phase == .closing else {
            return context.close(mode: mode, promise: promise)
        }
        promise?.succeed()
    }
}
