import MartletCore
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// All loops of a run, seen from outside.
struct Fleet: Sendable {
    let plan: LoadPlan
    let loops: [LoadLoop]

    /// `conversation`: the group that was made for the run.
    init(
        _ options: BenchOptions, _ group: MultiThreadedEventLoopGroup, in conversation: ConversationID? = nil
    ) async throws {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
        let plan = LoadPlan(options, run: .random(in: .min ... .max), timeOfDay: now, group: conversation)
        self.plan = plan
        var loops: [LoadLoop] = []
        for index in 0..<options.loops {
            let eventLoop = group.next()
            loops.append(try await eventLoop.submit { LoadLoop(eventLoop, index: index, plan: plan) }.get())
        }
        self.loops = loops
        try await each { [loops] loop in loop.all = loops }
    }

    /// Runs `work` on every loop; returns when all have.
    func each(_ work: @escaping @Sendable (LoadLoop) -> Void) async throws {
        for loop in loops { try await loop.eventLoop.submit { work(loop) }.get() }
    }

    /// What all loops say, in their order.
    func map<Value: Sendable>(_ read: @escaping @Sendable (LoadLoop) -> Value) async throws -> [Value] {
        var values: [Value] = []
        for loop in loops { values.append(try await loop.eventLoop.submit { read(loop) }.get()) }
        return values
    }

    func counts() async throws -> LoadCounts { try await map(\.counts).reduce(LoadCounts(), +) }

    private func throwFailure() async throws {
        if let failure = try await map(\.failure).compactMap({ $0 }).first { throw BenchFailure(failure) }
    }

    /// Waits, unless something ends the run.
    func wait(_ duration: Duration) async throws {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            try await Task.sleep(for: min(.milliseconds(200), end - .now))
            try await throwFailure()
        }
    }

    /// Looks every few milliseconds whether `condition` holds; false where it does not in time.
    @discardableResult
    func poll(for limit: Duration, _ condition: (LoadCounts) async throws -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            try await throwFailure()
            if try await condition(try await counts()) { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Connects all sessions that are away; returns once they are ready.
    func connect(limit: Int) async throws {
        try await each { $0.connectAll(limit: limit) }
        let wanted = plan.options.connections
        var latest = 0
        let isDone = try await poll(for: .seconds(180)) { _ in
            latest = try await map(\.ready).reduce(0, +)
            return latest >= wanted
        }
        guard isDone else { throw BenchFailure("only \(latest) of \(wanted) sessions came in within three minutes") }
    }

    /// Waits until everything that was sent is answered and has arrived, or until nothing comes any more.
    func drain() async throws {
        var last = 0
        var since = ContinuousClock.now
        try await poll(for: .seconds(60)) { counts in
            let unanswered = counts.sent - counts.acknowledged - counts.refused
            let missing = counts.acknowledged * plan.receiversPerMessage - counts.delivered
            if unanswered == 0, missing <= 0 { return true }
            let seen = counts.acknowledged + counts.refused + counts.delivered
            if seen != last { (last, since) = (seen, .now) }
            return ContinuousClock.now - since > .seconds(3)
        }
        // A repeat would come a little later.
        try await wait(.milliseconds(300))
    }

    /// Adds what is known at the end, and ends the sessions.
    func complete(_ report: inout BenchReport) async throws {
        let counts = try await counts()
        report.connectRetries = counts.connectRetries
        report.toldToWait = counts.toldToWait
        report.disconnects = counts.disconnects
        report.refusals = counts.refusals
        report.closeCodes = counts.closeCodes
        report.integrity = try await integrity(counts)
        var lateness = LatencyRecorder()
        for (name, recorder) in [
            ("acknowledged", \LoadLoop.acknowledgements),
            (report.profile == .echo ? "round trip" : "delivered", \.deliveries),
            ("last receiver", \.lastReceivers),
            (report.profile == .storm ? "back" : "signed in", \.signIns),
        ] as [(String, KeyPath<LoadLoop, LatencyRecorder> & Sendable)] {
            var sum = LatencyRecorder()
            for part in try await map({ $0[keyPath: recorder] }) { sum.add(part) }
            if let summary = sum.summary { report.latencies.append((name, summary)) }
        }
        for part in try await map(\.lateness) { lateness.add(part) }
        try await traceSlowest(&report)
        try await each { $0.end() }
        report.judge(loops: loops.count, lateness: lateness.summary)
    }

    private func traceSlowest(_ report: inout BenchReport) async throws {
        var slowest = SlowestDeliveries()
        for part in try await map(\.slowest) { slowest.add(part) }
        let begin = try await map(\.recordsBegan).compactMap { $0 }.min() ?? 0
        report.slowest = slowest.slowest.map { delivery in
            BenchReport.SlowDelivery(
                offset: delivery.due > begin ? Double(delivery.due - begin) / 1e9 : 0,
                time: Int64(plan.epoch + delivery.due / 1_000_000), microseconds: delivery.nanoseconds / 1000,
                sender: delivery.sender, receiver: delivery.receiver)
        }
    }

    private func integrity(_ counts: LoadCounts) async throws -> BenchReport.Integrity {
        var result = BenchReport.Integrity()
        result.sent = counts.sent
        result.acknowledged = counts.acknowledged
        result.refused = counts.refused
        result.unanswered = counts.sent - counts.acknowledged - counts.refused
        result.delivered = counts.delivered
        result.misdelivered = counts.misdelivered + counts.strayAnswers
        result.resets = counts.resets
        var sends: [Int: SendLedger] = [:]
        for part in try await map({ loop in loop.senders.map { ($0.number, $0.sends) } }) {
            for (number, ledger) in part { sends[number] = ledger }
        }
        for part in try await map({ loop in loop.sessions.map { ($0.number, $0.deliveries) } }) {
            for (number, deliveries) in part {
                for (place, sender) in plan.heard(by: number) {
                    guard let ledger = sends[sender] else { continue }
                    result.lost += deliveries[place].lost(of: ledger)
                    result.repeated += deliveries[place].repeated
                    result.outOfOrder += deliveries[place].outOfOrder
                }
            }
        }
        return result
    }
}
