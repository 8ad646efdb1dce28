import DequeModule
import MartletBus
import MartletCore
import MartletWire
import NIOCore

/// What a connection on bare TCP needs besides.
final class StreamState {
    /// A message on its way, or the word that nothing had to be written for an event.
    struct Entry {
        let message: ByteBuffer?
        /// It is an event's, and not an answer.
        var isPush = false
        /// The event that is with the client once this entry is.
        var event: (conversation: ConversationID, seq: Int64)?
    }

    let dialect: any StreamDialect
    let pace: TimeAmount?
    var progress = StreamProgress()
    var waiting: Deque<Entry> = []
    /// Written, but perhaps not taken by the socket yet: the newest event of each conversation.
    var unconfirmed: [ConversationID: Int64] = [:]
    var isConfirmedLater = false
    /// When the next message may be written.
    var mayWrite = NIODeadline.uptimeNanoseconds(0)
    var isPaced = false
    /// Too much waits: what comes is read from the log once it is written.
    var isFull = false
    /// The client has done too much, and waits for it.
    var isResting = false
    /// The client says no more, since this tick of the wheel; it may still listen.
    var ended: UInt64?

    /// Nothing more is taken from the client until it has waited, or has read its answers.
    var isBusy: Bool { isResting || waiting.count > 2 * GatewayConfiguration.pacedMessages }

    init(_ dialect: any StreamDialect) {
        self.dialect = dialect
        pace = dialect.manners.pace.map { .milliseconds($0.milliseconds) }
    }
}

// Bare TCP: messages are cut by the dialect; what is written to clients that take a whole read for one message keeps its distance.
extension Session {
    func beginStream() {
        phase = .anonymous
        commandTokens = gateway.configuration.commands.burst
    }

    // MARK: Reading

    func processStream(_ bytes: inout ByteBuffer) {
        guard let stream else { return }
        while bytes.readableBytes > 0, isOpen, phase != .signingIn, mayObey {
            guard !mustRest() else { return }
            switch stream.dialect.cut(bytes.readableBytesUInt8Span, &stream.progress) {
            case .incomplete(let dropping):
                bytes.moveReaderIndex(forwardBy: dropping)
                return
            case .message(let range, let end):
                let message = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count)
                bytes.moveReaderIndex(forwardBy: end)
                stream.progress = StreamProgress()
                if let message { obey(message) }
            case .violation(let fault):
                bytes.clear()
                gateway.metrics.rejected(fault.reason)
                return close(.protocolError)
            }
        }
    }

    /// True where the client has to wait until it may do more; it is not told, but not read either.
    private func mustRest() -> Bool {
        guard dialect.manners.waitsForRates, let fault = limit(taking: 0) else { return false }
        rest(for: fault.retryAfter ?? .seconds(1)) { _ in }
        return true
    }

    /// The client has said its last word. What it said before is done and answered first; whether it still takes anything nobody knows, so that it gets
    /// no events any more: they come when it comes back.
    func inputEnded() {
        guard let stream else { return }
        confirmStream()
        stream.ended = loop.wheel.now
        stream.waiting.removeAll(where: \.isPush)
        schedule(loop.wheel.now + Self.lastWordsTimeout)
        endIfDone()
    }

    /// Ticks that what a client said before it ended may take.
    static let lastWordsTimeout: UInt64 = 60

    /// Closes a connection that was ended by the client, once there is nothing left to do for it.
    func endIfDone() {
        guard let stream, stream.ended != nil, phase != .signingIn, phase != .over, mayObey, sendsInFlight == 0,
            commandsInFlight == 0, stream.waiting.isEmpty
        else { return }
        leave()
        cut()
    }

    /// Reads nothing for a while, then goes on with `then`, unless the session is another's by then.
    func rest(for wait: Duration, then: @escaping (Session) -> Void) {
        stream?.isResting = true
        gateway.metrics.rests.add()
        let back = NIOLoopBound((self, then, id), eventLoop: loop.eventLoop)
        loop.eventLoop.scheduleTask(in: .milliseconds(max(1, min(wait.milliseconds, 10_000)))) {
            let (session, then, id) = back.value
            session.stream?.isResting = false
            if session.isOpen, session.id == id { then(session) }
            session.resume()
            session.loop.flushDirty()
        }
    }

    // MARK: Writing

    /// Queues a frame, message by message.
    func writeStream(_ frame: ByteBuffer, of event: Event? = nil) {
        guard let stream, event == nil || stream.ended == nil else { return }
        if stream.waiting.isEmpty { loop.markDirty(self) }
        var rest = frame
        while let message = rest.readMessage() {
            stream.waiting.append(.init(message: message, isPush: event != nil))
        }
        if let event { note(event.conversation, event.seq) }
        if !stream.isFull, stream.waiting.count > GatewayConfiguration.pacedMessages { becameFull(stream) }
    }

    /// The event counts as received once all that waits is written: the last entry's word, or that of one without a message.
    func note(_ conversation: ConversationID, _ seq: Int64) {
        guard let stream, stream.ended == nil, dialect.manners.isServerResumed else { return }
        if let last = stream.waiting.indices.last, stream.waiting[last].event == nil {
            stream.waiting[last].event = (conversation, seq)
        } else {
            if stream.waiting.isEmpty { loop.markDirty(self) }
            stream.waiting.append(.init(message: nil, isPush: true, event: (conversation, seq)))
        }
    }

    /// Writes what may be written now; for the rest the loop comes back.
    func flushStream() {
        guard let stream, let context else { return }
        while let entry = stream.waiting.first {
            if let message = entry.message {
                guard isWritable else {
                    becameSlow()
                    break
                }
                let now = NIODeadline.now()
                guard stream.mayWrite <= now + GatewayLoop.turnLeeway else {
                    waitForTurn(stream)
                    break
                }
                context.writeAndFlush(wrapOutboundOut(message), promise: nil)
                if let pace = stream.pace { stream.mayWrite = now + pace }
            }
            stream.waiting.removeFirst()
            if let event = entry.event { stream.unconfirmed[event.conversation] = event.seq }
        }
        confirmStream()
        guard stream.waiting.isEmpty else { return }
        if stream.isFull { drained(stream) }
        if isHeldUp || stream.ended != nil { goOnReading() }
    }

    /// Not at once: the loop is in the middle of flushing.
    private func goOnReading() {
        let back = NIOLoopBound(self, eventLoop: loop.eventLoop)
        loop.eventLoop.execute {
            back.value.resume()
            back.value.loop.flushDirty()
        }
    }

    /// The loop has come back for a paced session.
    func turnCame() {
        stream?.isPaced = false
        flushStream()
    }

    private func waitForTurn(_ stream: StreamState) {
        guard !stream.isPaced else { return }
        stream.isPaced = true
        loop.pace(self, until: stream.mayWrite)
    }

    /// A client that reads nothing until it is answered needs a moment to begin to.
    func pauseStream() {
        guard let stream, let pace = stream.pace else { return }
        stream.mayWrite = .now() + pace * 4
    }

    /// What the socket has taken is with the client.
    func confirmStream() {
        guard let stream, stream.ended == nil, let context, !stream.unconfirmed.isEmpty, let user else { return }
        let left = try? context.channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes)
        guard left == 0 else { return confirmLater(stream) }
        for (conversation, seq) in stream.unconfirmed { loop.received(user.id, self, conversation, seq) }
        stream.unconfirmed.removeAll(keepingCapacity: true)
    }

    private func confirmLater(_ stream: StreamState) {
        guard !stream.isConfirmedLater else { return }
        stream.isConfirmedLater = true
        loop.streamWork.unconfirmed.append(self)
    }

    /// The loop has come back to look whether the socket has taken all.
    func confirmAgain() {
        stream?.isConfirmedLater = false
        confirmStream()
    }

    // MARK: Falling behind

    private func becameFull(_ stream: StreamState) {
        guard phase == .live else { return }
        stream.isFull = true
        if catchUp == nil { catchUp = CatchUp() }
        catchUp?.becameSlow()
    }

    private func drained(_ stream: StreamState) {
        stream.isFull = false
        guard slowSince == nil else { return }
        catchUp?.drained()
        settle()
    }

    /// Writes what waits without regard to turns: nothing comes behind it.
    func flushLastWords() {
        guard let stream, let context else { return }
        for entry in stream.waiting {
            if let message = entry.message { context.write(wrapOutboundOut(message), promise: nil) }
        }
        stream.waiting = []
        context.flush()
    }

    /// What was meant for the one who has signed out is not for the next.
    func clearStream() {
        stream?.waiting = []
        stream?.unconfirmed = [:]
        stream?.isFull = false
    }
}

extension ByteBuffer {
    /// The bytes up to the next zero, which is included; all that is left where there is none, and nil at the end.
    fileprivate mutating func readMessage() -> ByteBuffer? {
        guard readableBytes > 0 else { return nil }
        let zero = withUnsafeReadableBytes { $0.firstIndex(of: 0) } ?? readableBytes - 1
        guard zero + 1 < readableBytes else {
            defer { moveReaderIndex(to: writerIndex) }
            return self
        }
        return readSlice(length: zero + 1)
    }
}
