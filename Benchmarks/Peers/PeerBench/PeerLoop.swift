import MartletBench
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// All connections of a run, on one event loop. Everything here runs on that loop, which is why it may call itself
/// Sendable; whoever is elsewhere goes through `eventLoop.submit`.
final class PeerLoop<Dialect: PeerDialect & ~Copyable>: @unchecked Sendable {
    let eventLoop: any EventLoop
    let plan: PeerPlan
    private(set) var connections: [PeerConnection<Dialect>] = []

    private(set) var counts = PeerCounts()
    private(set) var acknowledgements = LatencyRecorder()
    private(set) var deliveries = LatencyRecorder()
    /// How late the generator itself was.
    private(set) var lateness = LatencyRecorder()
    /// What ends the run at once.
    private(set) var failure: String?

    var isSending = false
    /// Messages that should have gone out from here on are measured; nil: none.
    var recordsFrom: UInt64?

    private let answers: Bool
    private var senders: ArraySlice<PeerConnection<Dialect>> = []
    private var fanOut: FanOutCount
    private var pacing: Pacing?
    private var turn = 0
    private var flushing: [PeerConnection<Dialect>] = []
    private var heartbeats: RepeatedTask?
    private var isEnding = false

    // Connecting.
    private var toConnect: [PeerConnection<Dialect>] = []

    init(_ eventLoop: any EventLoop, _ plan: PeerPlan) {
        self.eventLoop = eventLoop
        self.plan = plan
        answers = Dialect.answers && plan.load != .echo
        fanOut = FanOutCount(receivers: plan.receiversPerMessage)
        for number in 0..<plan.connections { connections.append(PeerConnection(number, self)) }
        if plan.load == .pairs {
            for connection in connections { connection.partner = connections[connection.number ^ 1] }
        }
        senders = connections[..<plan.senders]
    }

    var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    func fail(_ reason: String) { if failure == nil, !isEnding { failure = reason } }

    // MARK: Connecting

    /// Connects all, at most `limit` at once.
    func connect(limit: Int) {
        toConnect = connections.reversed()
        heartbeats = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(20), delay: .seconds(20)) { _ in
            for connection in self.connections where connection.phase == .ready { connection.beat() }
            self.flush()
        }
        for _ in 0..<limit { connectNext() }
    }

    private func connectNext() {
        guard failure == nil, let connection = toConnect.popLast() else { return }
        open(NIOLoopBound(connection, eventLoop: eventLoop), port: plan.port)
    }

    private func open(_ handler: NIOLoopBound<some ChannelHandler>, port: Int) {
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(20))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Thousands of connections that end at once would else keep their ports for a minute.
                    let options = channel as? any SocketOptionProvider
                    options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .assumeIsolated()
            .whenFailure { self.fail("connecting failed: \($0)") }
    }

    func disconnected(_ connection: PeerConnection<Dialect>) {
        guard connection.phase != .ended else { return }
        if connection.phase == .away { fail("\(plan.system) closed connection \(connection.number) at its beginning") }
        connection.phase = .ended
        counts.disconnects += 1
    }

    private func becameReady(_ connection: PeerConnection<Dialect>) {
        guard connection.phase == .away else { return }
        guard connection.canSend else {
            let sending = NIOLoopBound(connection.makeSending(), eventLoop: eventLoop)
            return open(sending, port: plan.sendingPort ?? plan.port)
        }
        connection.phase = .ready
        counts.ready += 1
        connectNext()
    }

    func end() {
        isEnding = true
        isSending = false
        heartbeats?.cancel()
        for connection in connections { connection.end() }
    }

    // MARK: What comes in

    func happened(_ event: PeerEvent, _ connection: PeerConnection<Dialect>, _ now: UInt64) {
        switch event {
        case .message(let mark): deliver(mark, to: connection, now)
        case .answered(let counter, let due, let isAccepted): answered(counter, due, isAccepted, connection, now)
        case .ready: becameReady(connection)
        case .other: break
        }
    }

    private func answered(
        _ counter: UInt32, _ due: UInt64, _ isAccepted: Bool, _ connection: PeerConnection<Dialect>, _ now: UInt64
    ) {
        guard isAccepted else {
            counts.refused += 1
            return fail("\(plan.system) refused a message")
        }
        guard connection.sends.acknowledge(counter) else {
            counts.misdelivered += 1
            return
        }
        counts.acknowledged += 1
        if let recordsFrom, due >= recordsFrom, now > due { acknowledgements.record(nanoseconds: now - due) }
        pump(connection)
    }

    private func deliver(_ mark: Mark, to connection: PeerConnection<Dialect>, _ now: UInt64) {
        guard mark.run == plan.run else { return }
        guard mark.sender == connection.heard else {
            // Some rooms tell the sender what it said.
            if plan.load != .room || mark.sender != connection.number { counts.misdelivered += 1 }
            return
        }
        connection.deliveries.receive(mark.counter)
        counts.delivered += 1
        if let recordsFrom, mark.time >= recordsFrom, now > mark.time {
            deliveries.record(nanoseconds: now - mark.time)
        }
        switch plan.load {
        case .pairs: if let partner = connection.partner { reachedEverybody(partner, 1) }
        case .room: reachedEverybody(connections[mark.sender], fanOut.receive(mark.counter))
        case .echo: reachedEverybody(connection, 1)
        }
    }

    private func reachedEverybody(_ sender: PeerConnection<Dialect>, _ count: Int) {
        guard count > 0 else { return }
        sender.reached += UInt32(count)
        pump(sender)
    }

    // MARK: Sending

    /// Begins to send: in a closed loop as the windows let it, else by the timetable.
    func startSending() {
        isSending = true
        guard plan.isOpenLoop else {
            for sender in senders { pump(sender) }
            return flush()
        }
        pacing = Pacing(rate: plan.rate, start: now)
        tick()
    }

    /// Sends what is due, and comes back for the next. Not more often than every 100 µs: what is due in between waits
    /// so long, and says so.
    private func tick() {
        guard isSending, var pacing else { return }
        let now = now
        var burst = 0
        while burst < 1000, let due = pacing.take(now) {
            burst += 1
            lateness.record(nanoseconds: now - due)
            turn = (turn + 1) % senders.count
            if senders[turn].phase == .ready { send(senders[turn], due: due) }
        }
        self.pacing = pacing
        flush()
        let next = max(pacing.next, now + 100_000)
        eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(next)) { self.tick() }
    }

    /// Fills the sender's window, in a closed loop.
    private func pump(_ connection: PeerConnection<Dialect>) {
        guard isSending, !plan.isOpenLoop, connection.phase == .ready else { return }
        let window = UInt32(plan.window)
        while connection.underWay < window { send(connection, due: now) }
    }

    private func send(_ connection: PeerConnection<Dialect>, due: UInt64) {
        let counter = connection.sends.send()
        counts.sent += 1
        if !answers, connection.sends.acknowledge(counter) { counts.acknowledged += 1 }
        connection.publish(counter, due: due)
    }

    func willFlush(_ connection: PeerConnection<Dialect>) { flushing.append(connection) }

    /// Once per turn, all that was written in it.
    func flush() {
        while let connection = flushing.popLast() { connection.flush() }
    }
}

/// What happened so far.
struct PeerCounts: Sendable {
    var ready = 0
    var sent = 0
    /// Where the server does not answer: sent.
    var acknowledged = 0
    var refused = 0
    var delivered = 0
    /// Messages of this run that came to somebody whom they were not for, and answers to what was never sent.
    var misdelivered = 0
    var disconnects = 0
}
