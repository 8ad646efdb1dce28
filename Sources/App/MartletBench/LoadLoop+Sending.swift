import MartletCore
import MartletWire
import NIOCore

/// Who sends when.
extension LoadLoop {
    /// Begins to send: in a closed loop as the windows let it, else by the timetable.
    func startSending() {
        isSending = true
        guard plan.isOpenLoop else {
            for sender in senders { pump(sender) }
            flush()
            return
        }
        guard !senders.isEmpty else { return }
        let share = plan.options.rate * Double(senders.count) / Double(plan.senders)
        pacing = Pacing(rate: share, start: now)
        tick()
    }

    /// Sends what is due, and comes back for the next. Not more often than every 100 µs: what is due in between waits
    /// so long, and says so.
    private func tick() {
        guard isSending, var pacing = pacing else { return }
        let now = now
        var burst = 0
        while burst < 1000, let due = pacing.take(now) {
            burst += 1
            lateness.record(nanoseconds: now - due)
            if let sender = nextReady() { send(sender, due: due) }
        }
        self.pacing = pacing
        flush()
        let next = max(pacing.next, now + 100_000)
        eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(next)) { self.tick() }
    }

    private func nextReady() -> LoadSession? {
        for _ in senders.indices {
            turn = (turn + 1) % senders.count
            if senders[turn].phase == .ready { return senders[turn] }
        }
        return nil
    }

    /// Fills the sender's window, in a closed loop.
    func pump(_ session: LoadSession) {
        guard isSending, !plan.isOpenLoop, !session.isPaused else { return }
        while session.phase == .ready, session.underWay < UInt32(plan.options.window) { send(session, due: now) }
    }

    func send(_ session: LoadSession, due: UInt64) {
        if let rest = session.rest { return send(session, rest, due: due) }
        guard let handler = session.handler else { return }
        if session.ping != nil { return ping(session, handler, due: due) }
        let counter = session.sends.send()
        session.template?.fill(counter: counter, time: due, milliseconds: plan.epoch + due / 1_000_000)
        if let bytes = session.template?.bytes { handler.write(bytes) }
        counts.sent += 1
        if plan.options.profile.isFanOut { session.underWayDue.add(due) }
    }

    /// A ping is acknowledged by its pong alone; that it is counted as acknowledged from the start makes one that never
    /// comes back a loss.
    private func ping(_ session: LoadSession, _ handler: LoadHandler, due: UInt64) {
        let counter = session.sends.send()
        _ = session.sends.acknowledge(counter)
        session.ping?.fill(counter: counter, time: due)
        if let bytes = session.ping?.bytes { handler.write(bytes, as: .ping) }
        counts.sent += 1
        counts.acknowledged += 1
    }

    /// One message of each, 2,000 a second: whoever writes to somebody for the first time asks for the right to, which is
    /// not what a burst is about.
    func sendOneEach(from place: Int = 0) {
        let end = min(place + 20, senders.count)
        for session in senders[min(place, end)..<end] where session.phase == .ready { send(session, due: now) }
        flush()
        guard end < senders.count, failure == nil else {
            isIntroducing = false
            return
        }
        isIntroducing = true
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(10)) { self.sendOneEach(from: end) }
    }

    /// The storm's messages: a window of each, all at once.
    func sendBurst() {
        for session in senders where session.phase == .ready {
            for _ in 0..<plan.options.window { send(session, due: now) }
        }
        flush()
    }

    func refused(_ counter: UInt32, of session: LoadSession, _ code: Int) {
        session.sends.refuse()
        counts.refused += 1
        counts.refusals[code, default: 0] += 1
        nobodyGets(counter, of: session)
        rest(session)
    }

    /// After a refusal, so that a closed loop does not spin on refusals.
    func rest(_ session: LoadSession) {
        session.isPaused = true
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
            session.isPaused = false
            self.pump(session)
            self.flush()
        }
    }

    // MARK: Who has what

    /// Some more messages of `sender` have reached all of this loop: tells the sender's loop.
    func reachedEverybody(sender: Int, _ count: Int, _ now: UInt64) {
        let owner = all[plan.loop(of: sender)]
        let index = index
        if owner === self { return progressed(sender, of: index, count, now) }
        owner.eventLoop.execute {
            owner.progressed(sender, of: index, count, now)
            owner.flush()
        }
    }

    private func progressed(_ sender: Int, of loop: Int, _ count: Int, _ now: UInt64) {
        guard let session = senders.first(where: { $0.number == sender }) else { return }
        let before = session.reachedEverywhere
        session.reached[loop] += UInt32(count)
        // The loop that says so last is the one with the last receiver.
        for due in session.underWayDue.take(session.reachedEverywhere - before) {
            if let recordsFrom, due >= recordsFrom, now > due { lastReceivers.record(nanoseconds: now - due) }
        }
        pump(session)
    }

    /// A refused message leaves a hole that nobody shall wait for.
    func nobodyGets(_ counter: UInt32, of session: LoadSession) {
        guard plan.options.profile.isFanOut else {
            session.reached[0] += 1
            return
        }
        session.underWayDue.drop(counter)
        for loop in all {
            let sender = session.number
            if loop === self {
                skip(counter, of: sender)
            } else {
                loop.eventLoop.execute { loop.skip(counter, of: sender) }
            }
        }
    }
}
