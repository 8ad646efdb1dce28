import MartletBench
import NIOCore
import NIOPosix

/// One run, from the first connection to the report.
struct PeerRun<Dialect: PeerDialect & ~Copyable>: Sendable {
    private let plan: PeerPlan

    init(_ plan: PeerPlan) throws {
        let files = FileLimit.raise()
        let connections = plan.connections + (Dialect.sendsBeside ? plan.senders : 0)
        guard files >= connections + 64 else {
            throw BenchFailure("this process may have \(files) files, \(connections) connections need more")
        }
        self.plan = plan
    }

    func report() async throws -> PeerReport {
        // One loop: the same for every system, and with one core left for the server on the smallest machine.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let eventLoop = group.next()
            let plan = plan
            let loop = try await eventLoop.submit { PeerLoop<Dialect>(eventLoop, plan) }.get()
            let report = try await report(of: loop)
            try await group.shutdownGracefully()
            return report
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func report(of loop: PeerLoop<Dialect>) async throws -> PeerReport {
        let before = try usage()
        try await connect(loop)
        try await wait(.milliseconds(300), loop)
        let connected = try usage()

        try await on(loop) { $0.startSending() }
        try await wait(plan.warmup, loop)
        let first = try await on(loop, \.counts)
        let began = NIODeadline.now()
        let start = try usage()
        let ownStart = ProcessUsage.ofThisProcess()
        try await on(loop) { $0.recordsFrom = $0.now }
        try await wait(plan.duration, loop)
        let last = try await on(loop, \.counts)
        let seconds = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        let end = try usage()
        let ownEnd = ProcessUsage.ofThisProcess()
        try await on(loop) { $0.isSending = false }
        try await drain(loop)

        var report = PeerReport(plan, seconds: seconds)
        report.sent = last.sent - first.sent
        report.delivered = last.delivered - first.delivered
        if plan.isOpenLoop {
            report.deliveredRatio = Double(report.delivered) / (plan.rate * seconds * Double(plan.receiversPerMessage))
        }
        if let start, let end { report.serverCPUSeconds = end.cpu - start.cpu }
        if let ownStart, let ownEnd { report.generatorCPUSeconds = ownEnd.cpu - ownStart.cpu }
        if let before, let connected {
            report.serverBytesPerConnection = (connected.resident - before.resident) / plan.connections
        }
        report.serverProcesses = end?.processes
        let summaries = try await on(loop) {
            ($0.deliveries.summary, Dialect.answers ? $0.acknowledgements.summary : nil, $0.lateness.summary)
        }
        report.deliveredLatency = summaries.0.map(PeerReport.Latency.init)
        report.acknowledgedLatency = summaries.1.map(PeerReport.Latency.init)
        report.disconnects = try await on(loop, \.counts.disconnects)
        report.integrity = try await on(loop) { Self.integrity($0) }
        report.judge(lateness: summaries.2)
        try await on(loop) { $0.end() }
        return report
    }

    private func usage() throws -> ProcessTree? {
        guard !plan.servers.isEmpty else { return nil }
        guard let tree = ProcessTree(of: plan.servers) else {
            throw BenchFailure("there is no process \(plan.servers.map(String.init).joined(separator: " or no "))")
        }
        return tree
    }

    @discardableResult
    private func on<Value: Sendable>(
        _ loop: PeerLoop<Dialect>, _ work: @escaping @Sendable (PeerLoop<Dialect>) -> Value
    ) async throws -> Value {
        try await loop.eventLoop.submit { work(loop) }.get()
    }

    // MARK: Waiting

    private func throwFailure(_ loop: PeerLoop<Dialect>) async throws {
        if let failure = try await on(loop, \.failure) { throw BenchFailure(failure) }
    }

    private func wait(_ duration: Duration, _ loop: PeerLoop<Dialect>) async throws {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            try await Task.sleep(for: min(.milliseconds(200), end - .now))
            try await throwFailure(loop)
        }
    }

    private func connect(_ loop: PeerLoop<Dialect>) async throws {
        try await on(loop) { $0.connect(limit: $0.plan.atOnce) }
        let end = ContinuousClock.now + plan.patience
        while true {
            try await throwFailure(loop)
            let ready = try await on(loop, \.counts.ready)
            if ready == plan.connections { return }
            guard ContinuousClock.now < end else {
                throw BenchFailure("only \(ready) of \(plan.connections) connections came in within \(plan.patience)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until everything that was sent is answered and has arrived, or until nothing comes any more.
    private func drain(_ loop: PeerLoop<Dialect>) async throws {
        var seen = -1
        var since = ContinuousClock.now
        let limit = since + .seconds(30)
        while ContinuousClock.now < limit {
            let counts = try await on(loop, \.counts)
            if counts.acknowledged == counts.sent, counts.delivered >= counts.sent * plan.receiversPerMessage { break }
            let sum = counts.acknowledged + counts.delivered
            if sum != seen { (seen, since) = (sum, .now) }
            if ContinuousClock.now - since > .seconds(3) { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        // A repeat would come a little later.
        try await wait(.milliseconds(300), loop)
    }

    private static func integrity(_ loop: PeerLoop<Dialect>) -> PeerReport.Integrity {
        var result = PeerReport.Integrity()
        result.sent = loop.counts.sent
        result.unanswered = loop.counts.sent - loop.counts.acknowledged
        result.delivered = loop.counts.delivered
        result.misdelivered = loop.counts.misdelivered
        for connection in loop.connections {
            guard let heard = connection.heard else { continue }
            result.lost += connection.deliveries.lost(of: loop.connections[heard].sends)
            result.repeated += connection.deliveries.repeated
            result.outOfOrder += connection.deliveries.outOfOrder
        }
        return result
    }
}
