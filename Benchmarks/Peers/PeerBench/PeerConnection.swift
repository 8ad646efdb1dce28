import MartletBench
import NIOCore

/// One client of the run: bytes through the dialect, and what belongs to its sender and receiver. Belongs to its loop.
final class PeerConnection<Dialect: PeerDialect & ~Copyable>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// On the way.
        case away
        case ready
        case ended
    }

    let number: Int
    var phase = Phase.away
    /// The other one of a pair.
    unowned var partner: PeerConnection?

    // Sending.
    var sends = SendLedger()
    /// Messages that reached all their receivers.
    var reached: UInt32 = 0
    /// Messages under way: not answered, or not with all receivers yet.
    var underWay: UInt32 {
        let done = min(sends.answered, reached)
        return sends.sent > done ? sends.sent - done : 0
    }

    // Receiving.
    let heard: Int?
    var deliveries = DeliveryLedger()

    private unowned let loop: PeerLoop<Dialect>
    private var dialect: Dialect
    private var context: ChannelHandlerContext?
    /// Half an item.
    private var rest: ByteBuffer?
    /// What the dialect answers on its own.
    private var replies = ByteBuffer()
    /// On its way out within this turn of the loop.
    private var outgoing = ByteBuffer()
    private var isWaiting = false
    /// What messages go out over, where the dialect sends beside, and those on their way out.
    private var sending: SendingChannel<Dialect>?
    private var posts = ByteBuffer()

    init(_ number: Int, _ loop: PeerLoop<Dialect>) {
        self.number = number
        self.loop = loop
        heard = loop.plan.heard(by: number)
        dialect = Dialect(number, loop.plan)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        dialect.begin(&replies)
        writeReplies()
        loop.flush()
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
        let now = NIODeadline.now().uptimeNanoseconds
        do {
            while let event = try dialect.next(&bytes, &replies) { loop.happened(event, self, now) }
            if bytes.readableBytes > 0 { rest = bytes }
        } catch {
            loop.fail("\(loop.plan.system) broke the protocol: \(error)")
            context.close(promise: nil)
        }
        writeReplies()
    }

    func channelReadComplete(context: ChannelHandlerContext) { loop.flush() }

    // MARK: Sending

    /// Goes out with the loop's next flush.
    func publish(_ counter: UInt32, due: UInt64) {
        guard willWrite() else { return }
        if Dialect.sendsBeside {
            dialect.publish(counter, due: due, into: &posts)
        } else {
            dialect.publish(counter, due: due, into: &outgoing)
        }
    }

    /// True where the client has all the connections that it needs, once it is signed in.
    var canSend: Bool { !Dialect.sendsBeside || number >= loop.plan.senders || sending?.isActive == true }

    /// A handler for the connection that messages go out over.
    func makeSending() -> SendingChannel<Dialect> {
        let sending = SendingChannel(self)
        self.sending = sending
        return sending
    }

    func sendingBegan() { loop.happened(.ready, self, loop.now) }

    func sendingEnded() { loop.disconnected(self) }

    /// What came over that connection; leaves half an item in `bytes`.
    func readBeside(_ bytes: inout ByteBuffer) {
        let now = NIODeadline.now().uptimeNanoseconds
        do {
            while let event = try dialect.nextBeside(&bytes) { loop.happened(event, self, now) }
        } catch {
            loop.fail("\(loop.plan.system) broke the protocol: \(error)")
            sending?.end()
        }
    }

    func finishTurn() { loop.flush() }

    func beat() {
        dialect.beat(into: &replies)
        writeReplies()
    }

    private func writeReplies() {
        guard replies.readableBytes > 0 else { return }
        if willWrite() { outgoing.writeBuffer(&replies) }
        replies.clear()
    }

    private func willWrite() -> Bool {
        guard context != nil else { return false }
        if !isWaiting {
            isWaiting = true
            // Allocates only where the last one is still on its way out.
            outgoing.clear()
            posts.clear()
            loop.willFlush(self)
        }
        return true
    }

    func flush() {
        isWaiting = false
        if posts.readableBytes > 0 { sending?.write(posts) }
        guard let context, outgoing.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
    }

    func end() {
        phase = .ended
        context?.close(promise: nil)
        sending?.end()
    }
}

@available(*, unavailable)
extension PeerConnection: Sendable {}
