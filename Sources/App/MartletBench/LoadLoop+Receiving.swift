import MartletCore
import MartletWire
import NIOCore

/// What comes in.
extension LoadLoop {
    func received(_ payload: ByteBuffer, _ handler: LoadHandler, _ now: UInt64) throws {
        let session = handler.session
        guard session.handler === handler else { return }
        let bytes = payload.readableBytesUInt8Span
        if ServerReply.isPlainMessage(bytes), !session.followsLog {
            if let mark = finder.find(bytes) { deliver(mark, to: session, now) }
            return
        }
        let reply = try ServerReply(bytes)
        switch reply.command {
        case .send: answered(reply, bytes, session, now)
        case .message:
            if let seq = reply.integer("seq", bytes) { session.followed.note(seq) }
            if let mark = finder.find(bytes) { deliver(mark, to: session, now) }
        case .login: signedIn(reply, bytes, session, now)
        case .enter where reply.code == 200: becameReady(session, now)
        case .enter: fail("the room was refused with \(reply.code)")
        case .sync: try caughtUp(Array(payload.readableBytesView), reply, session, now)
        case .heartbeat, .other: break
        }
    }

    private func signedIn(_ reply: ServerReply, _ bytes: Span<UInt8>, _ session: LoadSession, _ now: UInt64) {
        guard reply.code == 200 else {
            guard reply.code == 429 || reply.code == 503 else {
                return fail("signing in as user \(session.token.user) was refused with \(reply.code)")
            }
            return askAgain(session, reply.integer("retryAfterMs", bytes)) { loop, handler in loop.upgraded(handler) }
        }
        if session.followsLog { return sync(session) }
        guard plan.options.profile == .room, let room = plan.conversation else { return becameReady(session, now) }
        session.handler?.write(NativeRequest.command("enter", .enter) { $0.field("conversationId", room) })
    }

    /// The server has no time now, and says when it may have. As clients should, each adds some chance, so that they don't
    /// all come back at once.
    func askAgain(
        _ session: LoadSession, _ milliseconds: Int64?, _ ask: @escaping (LoadLoop, LoadHandler) -> Void
    ) {
        counts.toldToWait += 1
        let wait = Int64.random(in: 100...150) * min(milliseconds ?? 500, 5000) / 100
        let handler = session.handler
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(wait)) {
            guard let handler, session.handler === handler else { return }
            ask(self, handler)
            self.flush()
        }
    }

    private func answered(_ reply: ServerReply, _ bytes: Span<UInt8>, _ session: LoadSession, _ now: UInt64) {
        guard let range = reply.number, let number = SendTemplate.number(bytes, range) else { return }
        if reply.code == 200 {
            guard session.sends.acknowledge(number.counter) else {
                counts.strayAnswers += 1
                return
            }
            counts.acknowledged += 1
            if let recordsFrom, number.time >= recordsFrom, now > number.time {
                acknowledgements.record(nanoseconds: now - number.time)
            }
            if session.followsLog, let seq = reply.integer("seq", bytes) { session.followed.note(seq) }
        } else {
            refused(number.counter, of: session, reply.code)
        }
        pump(session)
    }

    private func deliver(_ mark: Mark, to session: LoadSession, _ now: UInt64) {
        guard mark.run == plan.run else { return }
        guard let place = plan.place(of: mark.sender, heardBy: session.number) else {
            counts.misdelivered += 1
            return
        }
        session.deliveries[place].receive(mark.counter)
        counts.delivered += 1
        if session.isSlow {
            counts.deliveredToSlow += 1
            return
        }
        if let recordsFrom, mark.time >= recordsFrom, now > mark.time {
            deliveries.record(nanoseconds: now - mark.time)
            if plan.options.tracesSlowest {
                slowest.note(
                    .init(
                        due: mark.time, nanoseconds: now - mark.time, sender: mark.sender, receiver: session.number))
            }
        }
        if plan.options.profile.isFanOut {
            let done = fanOut[place].receive(mark.counter)
            if done > 0 { reachedEverybody(sender: mark.sender, done, now) }
        } else {
            let sender = session.partner ?? session
            sender.reached[0] += 1
            pump(sender)
        }
    }

    /// A pong brings back its ping's mark.
    func echoed(_ payload: ByteBuffer, _ handler: LoadHandler, _ now: UInt64) {
        guard handler.session.handler === handler, let mark = Mark(payload.readableBytesUInt8Span, at: 0) else {
            return counts.strayAnswers += 1
        }
        deliver(mark, to: handler.session, now)
    }

    /// As if all of this loop had a message of `sender`.
    func skip(_ counter: UInt32, of sender: Int) {
        let done = fanOut[sender].skip(counter)
        if done > 0 { reachedEverybody(sender: sender, done, now) }
    }

    func deliverFromSync(_ mark: Mark, to session: LoadSession, _ now: UInt64) {
        guard mark.sender != session.number else { return }
        deliver(mark, to: session, now)
    }
}
