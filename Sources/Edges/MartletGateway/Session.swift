import MartletBus
import MartletCore
import MartletMessaging
import MartletWire
import NIOCore

/// One connection: from its first bytes to its close. It looks at the request's head itself; a WebSocket upgrade makes it a session, anything else
/// goes on to HTTP's handlers behind it, until an upgrade comes between two requests. Where the upgrade came first it is the only handler there is.
/// On the port of a dialect on bare TCP it is a session from the first byte on.
///
/// Session+Frames.swift reads, Session+Commands.swift obeys, Session+SignIn.swift lets in, Session+Following.swift keeps events in order,
/// Session+HTTP.swift lets HTTP and sessions follow one another, Session+Stream.swift has what bare TCP needs. What clients speak is the dialect's.
final class Session: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// The first bytes have not said yet what the connection is.
        case peeking
        /// The bytes are HTTP's.
        case http
        /// HTTP has answered all that came: the next request may be an upgrade.
        case betweenRequests
        /// A session without a login.
        case anonymous
        /// A login is being checked: what comes behind it waits.
        case signingIn
        case live
        /// A close frame was sent; nothing but the peer's is awaited.
        case closing
        /// The connection is gone.
        case over
    }

    let loop: GatewayLoop
    private(set) var dialect: any Dialect
    /// The dialect's place among those that the server speaks.
    private(set) var dialectIndex: UInt8
    /// What the user sends elsewhere is not pushed here.
    private(set) var isDeafToSelf = false
    /// On bare TCP; nil for WebSocket and HTTP.
    private(set) var stream: StreamState?
    /// Gets every event as its dialect writes it: nothing is looked at that only others need.
    private(set) var isPlain = true
    private(set) var context: ChannelHandlerContext?
    var phase = Phase.peeking
    var decoder = WebSocketDecoder(role: .server, maximumMessage: Limits.requestBytes)
    /// Bytes that are not used yet: an incomplete frame, or commands that must wait.
    var unread: ByteBuffer?
    /// Session+Address.swift
    var origin = ConnectionOrigin()
    /// It counts among its address' connections.
    var isAddressCounted = false
    private var isCounted = false

    // Set by a login.
    var id = SessionID.none
    var caller: Caller?
    var username = ""
    var user: LocalUser?
    var rooms: [ConversationID] = []
    /// Nil while all goes live, which is nearly always.
    var catchUp: CatchUp?
    /// The login asked to hold pushes until the first sync is answered.
    var isResuming = false
    /// The newest sends that were answered, where a bus may bring them back.
    var ownAnswers: [(conversation: ConversationID, seq: Int64)] = []
    private var wasToldToGo = false
    /// Sends that wait to hear whether they may go to a conversation, in order.
    var awaitingRight: [ConversationID: [(draft: Draft, ticket: Ticket)]] = [:]

    // Load.
    var sendsInFlight = 0
    var commandsInFlight = 0
    var commandTokens: Double = 0
    var tokensRefilled: UInt64 = 0
    var signInTries = 0

    // Deadlines, in ticks of the loop's wheel.
    var opened: UInt64 = 0
    var lastHeard: UInt64 = 0
    var slowSince: UInt64?
    private var closingSince: UInt64 = 0
    /// When the wheel comes to this session; an entry that comes up at another tick is an older one.
    private var scheduledAt: UInt64 = .max

    /// As the channel last said.
    private(set) var isWritable = true
    /// What was written in this turn of the loop.
    private var corked: ByteBuffer?
    private var isReadHeld = false
    /// HTTP's handlers are behind this one; they stay, since not all of them can be removed.
    var hasHTTP = false

    /// A connection of the server's own port.
    init(_ loop: GatewayLoop) {
        self.loop = loop
        (dialect, dialectIndex) = (loop.gateway.services.dialects[0].dialect, 0)
    }

    /// A connection of a dialect's port.
    init(_ loop: GatewayLoop, speaking index: Int, _ dialect: any StreamDialect) {
        self.loop = loop
        (self.dialect, dialectIndex) = (dialect, UInt8(index))
        isDeafToSelf = !dialect.manners.hearsOwnMessages
        stream = StreamState(dialect)
        isPlain = false
    }

    /// The upgrade's path says what the client speaks.
    func speak(_ index: Int) {
        dialect = gateway.services.dialects[index].dialect
        dialectIndex = UInt8(index)
        isDeafToSelf = !dialect.manners.hearsOwnMessages
        isPlain = !isDeafToSelf
    }

    var gateway: Gateway { loop.gateway }

    var isLive: Bool { phase == .live }

    /// False once nothing must be written any more.
    var isOpen: Bool {
        switch phase {
        case .anonymous, .signingIn, .live: true
        case .peeking, .http, .betweenRequests, .closing, .over: false
        }
    }

    // MARK: The channel's life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard !isCounted, phase == .peeking else { return }
        let peer = context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        origin = ConnectionOrigin(
            peer: peer, gateway.configuration,
            proxyProtocol: stream == nil
                ? gateway.configuration.proxyProtocol : gateway.configuration.streamProxyProtocol)
        gateway.metrics.connections.add()
        isCounted = true
        isAddressCounted = gateway.connections.admit(peer)
        guard isAddressCounted else {
            gateway.metrics.rejected(.overloaded)
            return cut()
        }
        opened = loop.wheel.now
        schedule(opened + signInTicks)
    }

    /// The connection does not count any more.
    private func release() {
        guard isCounted else { return }
        isCounted = false
        gateway.metrics.connections.add(-1)
        if isAddressCounted { gateway.connections.release(origin.client) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        release()
        sendOrphans()
        end()
        corked = nil
        self.context = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if stream != nil, let event = event as? ChannelEvent, case .inputClosed = event { inputEnded() }
        context.fireUserInboundEventTriggered(event)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset connection: the peer is gone.
        context.close(promise: nil)
    }

    // MARK: Writing

    /// Writes a frame, where the dialect has one; it leaves when the loop flushes.
    func write(_ frame: ByteBuffer?) {
        guard let frame, context != nil else { return }
        if stream == nil { cork(frame) } else { writeStream(frame) }
    }

    /// As `write`, of a session on WebSocket.
    func cork(_ frame: ByteBuffer) {
        guard let context else { return }
        guard var waiting = corked.take() else {
            corked = frame
            return loop.markDirty(self)
        }
        if loop.join(&waiting, frame) {
            corked = waiting
        } else {
            context.write(wrapOutboundOut(waiting), promise: nil)
            corked = frame
        }
    }

    func flush() {
        guard stream == nil else { return flushStream() }
        guard let frames = corked.take() else { return }
        context?.writeAndFlush(wrapOutboundOut(frames), promise: nil)
        if !isWritable { becameSlow() }
    }

    /// Closes from this side: the close frame goes out, the peer's is awaited for a moment.
    func close(_ code: WebSocketCloseCode) {
        switch phase {
        case .closing, .over: return
        case .peeking, .http, .betweenRequests: return cut()
        case .anonymous, .signingIn, .live: break
        }
        gateway.metrics.closed(code)
        guard stream == nil else {
            if phase != .live { flushLastWords() }
            leave()
            return cut()
        }
        write(WebSocketEncoder.close(code, allocator: loop.allocator))
        closingSince = loop.wheel.now
        leave()
        phase = .closing
        unread = nil
        schedule(closingSince + Self.closeTimeout)
        resumeReading()
    }

    /// Ticks that the peer has to answer a close frame.
    private static let closeTimeout: UInt64 = 5

    /// The connection is gone.
    func end() {
        leave()
        phase = .over
        unread = nil
    }

    /// Tells the client, once, to go elsewhere. Each gets a moment of its own within the delay, so that they do not all arrive there at once.
    func goAway(within delay: Duration) {
        guard !wasToldToGo else { return }
        wasToldToGo = true
        let moment = Duration.milliseconds(Int64.random(in: 0...max(1, delay.milliseconds)))
        write(dialect.push(.goAway(within: moment), loop.allocator))
    }

    // MARK: Reading under load

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    /// False while commands wait that must be done first: then the socket is not read either, and the peer feels it.
    var mayRead: Bool { phase != .signingIn && mayObey }

    /// False while too much of this session is at work, or too little of it is being read.
    var mayObey: Bool {
        sendsInFlight < GatewayConfiguration.sendsInFlight && commandsInFlight < commandLimit
            && (slowSince == nil || phase != .live) && stream?.isBusy != true
    }

    /// Clients that can't be told what went wrong have their commands done one after the other.
    private var commandLimit: Int { stream == nil ? GatewayConfiguration.commandsInFlight : 1 }

    /// Something of the client's waits.
    var isHeldUp: Bool { unread != nil || isReadHeld }

    /// Goes on with what had to wait, if it may now.
    func resume() {
        if unread != nil, phase != .signingIn, mayObey { processUnread() }
        resumeReading()
        if stream?.ended != nil { endIfDone() }
    }

    private func resumeReading() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if isWritable { flushStream() }
        writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    // MARK: Deadlines

    var signInTicks: UInt64 { Self.ticks(dialect.manners.signInTimeout ?? gateway.configuration.signInTimeout) }

    /// When the session is overdue for having said nothing.
    private var silenceDeadline: UInt64 {
        switch dialect.manners.silence {
        case .heartbeats: lastHeard + 3 * Self.ticks(gateway.configuration.heartbeat)
        case .atMost(let duration): lastHeard + Self.ticks(duration)
        // The wheel comes by all the same, for what else it does.
        case .unlimited: loop.wheel.now + 60
        }
    }

    private static func ticks(_ duration: Duration) -> UInt64 { UInt64(max(1, duration.components.seconds)) }

    /// Asks the wheel to come by at a deadline, unless it comes sooner anyway.
    func schedule(_ deadline: UInt64) {
        guard scheduledAt <= loop.wheel.now || deadline < scheduledAt else { return }
        scheduledAt = loop.wheel.insert(self, at: deadline)
    }

    /// The wheel came to this session's slot: it closes what is overdue, or goes into a later slot.
    func deadlineCameUp() {
        guard scheduledAt == loop.wheel.now, let deadline = deadline() else { return }
        guard loop.wheel.now >= deadline.tick else { return schedule(deadline.tick) }
        guard let code = deadline.code else { return cut() }
        close(code)
    }

    /// When this session is overdue, and the code that it is closed with then; without a code it is just cut.
    private func deadline() -> (tick: UInt64, code: WebSocketCloseCode?)? {
        if let ended = stream?.ended, isOpen { return (ended + Self.lastWordsTimeout, .normal) }
        switch phase {
        case .over, .http, .betweenRequests: return nil
        case .peeking: return (opened + signInTicks, nil)
        case .anonymous, .signingIn: return (opened + signInTicks, .signInTimeout)
        case .closing: return (closingSince + Self.closeTimeout, nil)
        case .live:
            if catchUp != nil { forgetGuards() }
            settle()
            let silence = silenceDeadline
            guard let slowSince else { return (silence, .heartbeatTimeout) }
            let patience = slowSince + Self.ticks(gateway.configuration.slowReaderTimeout)
            return patience < silence ? (patience, .slowReader) : (silence, .heartbeatTimeout)
        }
    }

    /// The reader is slow: the wheel must come by when its patience ends.
    func scheduleSlowDeadline() {
        schedule(loop.wheel.now + Self.ticks(gateway.configuration.slowReaderTimeout))
    }
}

@available(*, unavailable)
extension Session: Sendable {}
