import MartletCore
import NIOCore

/// Who hears of a connection: its link. All calls come on the connection's loop.
protocol RedisConnectionOwner: AnyObject, Sendable {
    func connectionIsReady(_ handler: RedisConnectionHandler)
    func connectionPushed(_ handler: RedisConnectionHandler, _ elements: [RESPValue])
    /// A read is over: what came with it may be handed on at once. With what has no reply yet.
    func connectionRead(_ handler: RedisConnectionHandler, unanswered: (commands: Int, bytes: Int))
    /// An error in answer to a command nobody waits for.
    func connectionRefused(_ handler: RedisConnectionHandler, _ error: String)
    /// `unanswered`: commands without a reply that nobody waited for.
    func connectionEnded(_ handler: RedisConnectionHandler, _ failure: RedisFailure, unanswered: Int)
}

/// Who waits for a reply.
typealias RedisReply = @Sendable (Result<RESPValue, Fault>) -> Void

/// Commands on their way to a connection.
struct RedisRequest: Sendable {
    let bytes: ByteBuffer
    let commands: Int
    let deadline: NIODeadline
    let reply: RedisReply?
}

/// One connection to Redis: moves bytes between the channel, the decoder and the state machine.
final class RedisConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let owner: any RedisConnectionOwner
    private let greeting: (bytes: ByteBuffer, commands: Int)
    private let times: RedisConnectionStateMachine<RedisReply>.Times
    private var machine: RedisConnectionStateMachine<RedisReply>
    private var decoder = RESPDecoder()
    private var context: ChannelHandlerContext?
    private(set) var failure: RedisFailure?
    private(set) var isOver = false
    private var ticks: RepeatedTask?

    init(
        _ owner: any RedisConnectionOwner, greeting: (bytes: ByteBuffer, commands: Int),
        times: RedisConnectionStateMachine<RedisReply>.Times
    ) {
        self.owner = owner
        self.greeting = greeting
        self.times = times
        machine = RedisConnectionStateMachine(times, greeting: greeting.commands, now: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { greet(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        greet(context)
        context.fireChannelActive()
    }

    private func greet(_ context: ChannelHandlerContext) {
        guard ticks == nil, !isOver else { return }
        machine = RedisConnectionStateMachine(times, greeting: greeting.commands, now: .now())
        context.writeAndFlush(wrapOutboundOut(greeting.bytes), promise: nil)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        ticks = context.eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(50), delay: .milliseconds(50)) { _ in
            bound.value.tick()
        }
    }

    /// Sends what waits, with one write for all of it; tells what has no reply yet.
    @discardableResult
    func send(_ requests: [RedisRequest]) -> (commands: Int, bytes: Int) {
        guard let context, !isOver else {
            for request in requests { request.reply?(.failure(.redisIsAway)) }
            return (0, 0)
        }
        let now = NIODeadline.now()
        var bytes = requests.count == 1 ? requests[0].bytes : ByteBuffer()
        if requests.count > 1 { bytes.reserveCapacity(requests.reduce(0) { $0 + $1.bytes.readableBytes }) }
        for request in requests {
            machine.sent(
                request.reply, replies: request.commands, bytes: request.bytes.readableBytes,
                deadline: request.deadline, now: now)
            if requests.count > 1 { bytes.writeImmutableBuffer(request.bytes) }
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        return machine.unanswered
    }

    /// Who waits hears it now: over TLS the channel takes its time to close.
    func close(_ failure: RedisFailure) {
        if self.failure == nil { self.failure = failure }
        let context = context
        end()
        context?.close(promise: nil)
    }

    private func tick() {
        let action = machine.tick(now: .now())
        for reply in action.expired { reply(.failure(.redisIsLate)) }
        switch action.then {
        case .nothing: break
        case .probe:
            // With somebody who waits: what becomes of it says nothing about what was posted.
            let bytes = RedisCommand.probe.bytes
            send([RedisRequest(bytes: bytes, commands: 1, deadline: .distantFuture) { _ in }])
        case .close(let failure): close(failure)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        do throws(RESPDamage) {
            while !isOver, failure == nil, let value = try decoder.next() { take(value) }
        } catch {
            close(.damaged(error))
        }
    }

    private func take(_ value: RESPValue) {
        switch machine.received(value, now: .now()) {
        case .none: break
        case .ready: owner.connectionIsReady(self)
        case .push(let elements): owner.connectionPushed(self, elements)
        case .close(let failure): close(failure)
        case .answer(let reply, let value):
            guard let reply else {
                if case .error(let text) = value { owner.connectionRefused(self, text) }
                return
            }
            if case .error(let text) = value {
                reply(.failure(.redisRefuses(text)))
            } else {
                reply(.success(value))
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        owner.connectionRead(self, unanswered: machine.unanswered)
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(.unreachable(RedisLink.reason(error)))
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        guard !isOver else { return }
        isOver = true
        context = nil
        // Without a greeting there never was a connection; whoever tried to open it knows.
        guard let ticks else { return }
        ticks.cancel()
        self.ticks = nil
        let (replies, commands) = machine.closed()
        for reply in replies { reply(.failure(.redisIsAway)) }
        owner.connectionEnded(self, failure ?? .closed, unanswered: commands)
    }
}

@available(*, unavailable)
extension RedisConnectionHandler: Sendable {}
