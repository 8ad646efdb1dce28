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
    /// Until the last receiver had a message, those apart that may be slow.
    var lastReceivers = LatencyRecorder()
    /// How late the generator itself was.
    var lateness = LatencyRecorder()
    var slowest = SlowestDeliveries()
    /// What ends the run at once.
    private(set) var failure: String?

    var isSending = false
    /// While each sends its first message.
    var isIntroducing = false
    /// Messages that should have gone out from here on are measured; nil: none.
    var recordsFrom: UInt64? { didSet { recordsBegan = recordsBegan ?? recordsFrom } }
    /// The first of these, where a run is measured in parts.
    private(set) var recordsBegan: UInt64?

    // Connecting.
    private var toConnect: [LoadSession] = []
    var connecting = 0
    var connectLimit = 64
    /// While false, those who may be slow neither read nor come back.
    var slowOnesRead = true

    // Sending.
    var ready = 0
    var pacing: Pacing?
    var turn = 0
    private(set) var senders: [LoadSession] = []
    /// In a room: by sender, who of this loop has what.
    var fanOut: [FanOutCount] = []
    var finder = MarkFinder()
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
        senders = sessions.filter { $0.template != nil || $0.ping != nil }
        if options.profile.isFanOut {
            fanOut = (0..<options.senders).map { FanOutCount(receivers: plan.receivers(of: $0, on: index)) }
        }
    }

    private func prepare(_ session: LoadSession, at place: Int) {
        let options = plan.options
        session.deliveries = Array(repeating: DeliveryLedger(), count: plan.sendersHeard())
        session.isSlow = plan.isSlow(session.number)
        session.followsLog = plan.followsLog(session.number)
        session.conversation = plan.conversation
        let own = UserID(session.token.user)
        var other: UserID?
        if options.profile.isPaired {
            // Pairs stand side by side, on one loop.
            session.partner = sessions[place ^ 1]
            other = UserID(options.tokens[session.number ^ 1].user)
            if let own, let other { session.conversation = .between(own, other) }
        }
        guard plan.isSender(session.number) else { return }
        switch options.profile {
        case .echo: session.ping = Ping(run: plan.run, sender: session.number, size: options.size)
        case .idle, .pairs, .storm:
            guard let other else { return }
            session.template = SendTemplate(
                run: plan.run, sender: session.number, to: .user(other), size: options.size)
        case .rest:
            guard let other else { return }
            session.rest = RestSender()
            session.template = SendTemplate(
                run: plan.run, sender: session.number, to: other, size: options.size,
                host: options.address(of: session.number).authority, token: session.token.token)
        case .room, .group, .slow:
            // A loop without receivers has nothing to wait for.
            session.reached = (0..<options.loops).map { plan.receivers(of: session.number, on: $0) > 0 ? 0 : .max }
            guard let conversation = plan.conversation else { return }
            session.template = SendTemplate(
                run: plan.run, sender: session.number, to: .conversation(conversation), size: options.size)
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
            if !session.resumes { session.began = now }
            connect(session)
        }
    }

    func connect(_ session: LoadSession) {
        if let rest = session.rest { return connect(session, rest) }
        let handler = LoadHandler(session, self)
        session.handler = handler
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let address = plan.options.address(of: session.number)
        var bootstrap = ClientBootstrap(group: eventLoop)
        if session.isSlow {
            // What does not fit here has to wait with the server.
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: 16 * 1024)
        }
        bootstrap
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

    func retry(_ session: LoadSession, after delay: Int64 = .random(in: 100...400)) {
        session.handler = nil
        counts.connectRetries += 1
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(delay)) {
            if self.failure == nil { self.connect(session) }
        }
    }

    func upgraded(_ handler: LoadHandler) {
        handler.write(
            NativeRequest.login(
                seq: "login", token: handler.session.token.token, resume: handler.session.followsLog))
    }

    func disconnected(_ handler: LoadHandler) {
        let session = handler.session
        guard session.handler === handler else { return }
        session.handler = nil
        if let code = handler.closeCode { counts.closeCodes[code, default: 0] += 1 }
        switch session.phase {
        case .away: retry(session)
        case .ready:
            ready -= 1
            counts.disconnects += 1
            session.phase = .ended
            if session.isSlow { comeBack(session) }
        case .ended: break
        }
    }

    func becameReady(_ session: LoadSession, _ now: UInt64) {
        guard session.phase == .away else { return }
        session.phase = .ready
        ready += 1
        connecting -= 1
        if session.rest == nil { signIns.record(nanoseconds: now - session.began) }
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
            session.resumes = true
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
            session.rest?.handler?.cut()
        }
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
