import MartletCore
import MartletWire
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The share of a run that one event loop carries. Everything here runs on that loop, which is why it may call itself
/// Sendable; whoever is elsewhere goes through `eventLoop.submit`.
final class LoadLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    let index: Int
    let plan: LoadPlan
    private(set) var sessions: [LoadSession] = []
    /// All loops of the run, this one among them.
    var all: [LoadLoop] = []

    var counts = LoadCounts()
    var acknowledgements = LatencyRecorder()
    var deliveries = LatencyRecorder()
    var signIns = LatencyRecorder()
    /// How late the generator itself was.
    var lateness = LatencyRecorder()
    /// What ends the run at once.
    private(set) var failure: String?

    var isSending = false
    /// Messages that should have gone out from here on are measured; nil: none.
    var recordsFrom: UInt64?

    // Connecting.
    private var toConnect: [LoadSession] = []
    var connecting = 0
    var connectLimit = 64
    /// Sends the cursors at sign-in; set once sessions come back.
    var resumes = false

    // Sending.
    var ready = 0
    var pacing: Pacing?
    var turn = 0
    private(set) var senders: [LoadSession] = []
    /// In a room: by sender, who of this loop has what.
    private(set) var fanOut: [FanOutCount] = []
    private var finder = MarkFinder()
    private var flushing: [LoadHandler] = []
    private var beat = 0
    private var heartbeats: RepeatedTask?

    init(_ eventLoop: any EventLoop, index: Int, plan: LoadPlan) {
        self.eventLoop = eventLoop
        self.index = index
        self.plan = plan
        let options = plan.options
        for number in 0..<options.connections where plan.loop(of: number) == index {
            sessions.append(LoadSession(number: number, token: options.tokens[number]))
        }
        for place in sessions.indices { prepare(sessions[place], at: place) }
        senders = sessions.filter { $0.template != nil }
        if options.profile == .room {
            fanOut = (0..<options.senders).map { sender in
                FanOutCount(receivers: sessions.count { $0.number != sender })
            }
        }
    }

    private func prepare(_ session: LoadSession, at place: Int) {
        let options = plan.options
        session.deliveries = Array(repeating: DeliveryLedger(), count: plan.sendersHeard())
        guard session.number < plan.senders else { return }
        switch options.profile {
        case .idle: return
        case .pairs, .storm:
            // Pairs stand side by side, on one loop.
            session.partner = sessions[place ^ 1]
            guard let other = UserID(options.tokens[session.number ^ 1].user) else { return }
            session.template = SendTemplate(
                run: plan.run, sender: session.number, to: .user(other), size: options.size)
        case .room:
            session.reached = Array(repeating: 0, count: options.loops)
            guard let room = LoadPlan.room else { return }
            session.template = SendTemplate(
                run: plan.run, sender: session.number, to: .conversation(room), size: options.size)
        }
    }

    var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    func fail(_ reason: String) { if failure == nil { failure = reason } }

    // MARK: Connecting

    /// Connects all sessions that are away, at most `limit` at once.
    func connectAll(limit: Int) {
        connectLimit = limit
        toConnect = sessions.filter { $0.phase == .away }.reversed()
        if heartbeats == nil {
            heartbeats = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
                self.sendHeartbeats()
            }
        }
        connectMore()
    }

    private func connectMore() {
        while connecting < connectLimit, failure == nil, let session = toConnect.popLast() {
            connecting += 1
            // Those who come back count from the cut.
            if !resumes { session.began = now }
            connect(session)
        }
    }

    private func connect(_ session: LoadSession) {
        let handler = LoadHandler(session, self)
        session.handler = handler
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let address = plan.options.address
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(30))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Thousands of connections that end at once would else keep their ports for a minute.
                    let options = channel as? any SocketOptionProvider
                    options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(host: address.host, port: address.port)
            .assumeIsolated()
            .whenFailure { _ in self.retry(session) }
    }

    private func retry(_ session: LoadSession, after delay: Int64 = .random(in: 100...400)) {
        session.handler = nil
        counts.connectRetries += 1
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(delay)) {
            if self.failure == nil { self.connect(session) }
        }
    }

    func upgraded(_ handler: LoadHandler) {
        handler.write(
            NativeRequest.login(
                seq: "login", token: handler.session.token.token, resume: plan.options.profile == .storm))
    }

    func disconnected(_ handler: LoadHandler) {
        let session = handler.session
        guard session.handler === handler else { return }
        session.handler = nil
        if let code = handler.closeCode { counts.closeCodes[code, default: 0] += 1 }
        switch session.phase {
        case .away: retry(session)
        case .ready:
            session.phase = .ended
            ready -= 1
            counts.disconnects += 1
        case .ended: break
        }
    }

    func becameReady(_ session: LoadSession, _ now: UInt64) {
        guard session.phase == .away else { return }
        session.phase = .ready
        ready += 1
        connecting -= 1
        signIns.record(nanoseconds: now - session.began)
        connectMore()
    }

    /// Ends all connections without a word. What the sessions take to come back counts from now.
    func cut() {
        let now = now
        signIns.reset()
        for session in sessions where session.phase == .ready {
            let handler = session.handler
            session.handler = nil
            session.phase = .away
            session.began = now
            ready -= 1
            handler?.cut()
        }
    }

    func end() {
        isSending = false
        heartbeats?.cancel()
        for session in sessions {
            session.phase = .ended
            session.handler?.cut()
        }
    }

    // MARK: What comes in

    func received(_ payload: ByteBuffer, _ handler: LoadHandler, _ now: UInt64) throws {
        let session = handler.session
        guard session.handler === handler else { return }
        let bytes = payload.readableBytesUInt8Span
        if ServerReply.isPlainMessage(bytes), plan.options.profile != .storm {
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
            session.handler?.cut()
            session.handler = nil
            return retry(session, after: min(reply.integer("retryAfterMs", bytes) ?? 500, 5000))
        }
        switch plan.options.profile {
        case .idle, .pairs: becameReady(session, now)
        case .room:
            guard let room = LoadPlan.room else { return }
            session.handler?.write(NativeRequest.command("enter", .enter) { $0.field("conversationId", room) })
        case .storm: sync(session)
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
            if plan.options.profile == .storm, let seq = reply.integer("seq", bytes) { session.followed.note(seq) }
        } else {
            session.sends.refuse()
            counts.refused += 1
            counts.refusals[reply.code, default: 0] += 1
            nobodyGets(number.counter, of: session)
            rest(session)
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
        if let recordsFrom, mark.time >= recordsFrom, now > mark.time {
            deliveries.record(nanoseconds: now - mark.time)
        }
        if let partner = session.partner {
            partner.reached[0] += 1
            pump(partner)
        } else if plan.options.profile == .room {
            let done = fanOut[place].receive(mark.counter)
            if done > 0 { reachedEverybody(sender: mark.sender, done) }
        }
    }

    /// As if all of this loop had a message of `sender`.
    func skip(_ counter: UInt32, of sender: Int) {
        let done = fanOut[sender].skip(counter)
        if done > 0 { reachedEverybody(sender: sender, done) }
    }

    func deliverFromSync(_ mark: Mark, to session: LoadSession, _ now: UInt64) {
        guard mark.sender != session.number else { return }
        deliver(mark, to: session, now)
    }

    // MARK: Sending

    func willFlush(_ handler: LoadHandler) { flushing.append(handler) }

    /// Once per turn, all that was written in it.
    func flush() {
        while let handler = flushing.popLast() { handler.flush() }
    }

    private func sendHeartbeats() {
        beat += 1
        for (index, session) in sessions.enumerated() where (index + beat) % 20 == 0 && session.phase == .ready {
            session.handler?.write(NativeRequest.heartbeat(seq: nil))
        }
        flush()
    }
}
