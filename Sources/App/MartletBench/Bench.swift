import MartletCore
import NIOCore
import NIOPosix

/// One run of the load generator, from the first connection to the report.
package struct Bench: Sendable {
    let options: BenchOptions
    let progress: @Sendable (String) -> Void

    /// `progress` gets a line now and then.
    package init(_ options: BenchOptions, progress: @escaping @Sendable (String) -> Void = { _ in })
        throws(BenchFailure)
    {
        try options.check()
        let files = FileLimit.raise()
        guard files >= options.connections + 64 else {
            throw BenchFailure(
                "this process may have \(files) files, \(options.connections) connections need more: raise `ulimit -n`")
        }
        self.options = options
        self.progress = progress
    }

    package func run() async throws -> BenchReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.loops)
        do {
            let report = try await run(on: group)
            try await group.shutdownGracefully()
            return report
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func run(on group: MultiThreadedEventLoopGroup) async throws -> BenchReport {
        var conversation: ConversationID?
        if options.profile.hasGroup {
            progress("making a group")
            conversation = try await GroupPreparation(options: options, group: group).run()
        }
        let fleet = try await Fleet(options, group, in: conversation)
        let before = ProcessUsage.of(options.servers)
        if !options.servers.isEmpty, before == nil {
            throw BenchFailure("there is no process with the server's number")
        }
        progress("connecting \(options.connections) sessions")
        try await fleet.connect(limit: 64)
        var report: BenchReport
        switch options.profile {
        case .idle: report = try await idle(fleet, before)
        case .pairs, .room, .group, .rest, .echo: report = try await traffic(fleet)
        case .slow: report = try await slow(fleet)
        case .storm: report = try await storm(fleet)
        }
        try await fleet.complete(&report)
        return report
    }

    private func idle(_ fleet: Fleet, _ before: ProcessUsage?) async throws -> BenchReport {
        progress("holding them for \(options.duration)")
        let meter = Meter(options.servers)
        try await fleet.wait(options.duration)
        var report = BenchReport(options, seconds: meter.seconds)
        meter.finish(&report)
        if let before, let after = ProcessUsage.of(options.servers) {
            report.memory = .init(before: before.resident, after: after.resident, sessions: options.connections)
        }
        try await introduce(fleet)
        return report
    }

    /// Each writes to its partner once, and so shows that it is there.
    private func introduce(_ fleet: Fleet) async throws {
        progress("sending each a message")
        try await fleet.each { $0.sendOneEach() }
        try await fleet.poll(for: .seconds(60)) { _ in try await fleet.map(\.isIntroducing).allSatisfy { !$0 } }
        try await fleet.drain()
    }

    private func traffic(_ fleet: Fleet) async throws -> BenchReport {
        try await warmUp(fleet)
        progress("measuring for \(options.duration)")
        let start = try await fleet.counts()
        let meter = Meter(options.servers)
        try await fleet.each { loop in loop.recordsFrom = loop.now }
        try await fleet.wait(options.duration)
        let end = try await fleet.counts()
        var report = BenchReport(options, seconds: meter.seconds)
        meter.finish(&report)
        report.note(from: start, to: end, options, fleet.plan)
        try await finishSending(fleet)
        return report
    }

    func warmUp(_ fleet: Fleet) async throws {
        progress("warming up for \(options.warmup)")
        try await fleet.each { $0.startSending() }
        try await fleet.wait(options.warmup)
    }

    func finishSending(_ fleet: Fleet) async throws {
        try await fleet.each { $0.isSending = false }
        progress("waiting for what is under way")
        try await fleet.drain()
    }

    private func storm(_ fleet: Fleet) async throws -> BenchReport {
        try await introduce(fleet)
        progress("sending a burst")
        let before = try await fleet.counts()
        try await fleet.each { $0.sendBurst() }
        let burst = try await fleet.counts().sent - before.sent
        let half = before.acknowledged + before.refused + burst / 2
        // Half is answered, half is under way: what a cut must not lose.
        try await fleet.poll(for: .seconds(30)) { counts in counts.acknowledged + counts.refused >= half }
        progress("cutting all connections")
        let meter = Meter(options.servers)
        try await fleet.each { $0.cut() }
        try await fleet.connect(limit: .max)
        var report = BenchReport(options, seconds: meter.seconds)
        meter.finish(&report)
        report.secondsUntilBack = report.seconds
        progress("waiting for what is under way")
        try await fleet.drain()
        return report
    }
}

/// Reads clocks at the beginning and at the end of what is measured.
struct Meter {
    private let began = NIODeadline.now()
    private let processes: [Int32]
    private let server: ProcessUsage?
    private let own = ProcessUsage.ofThisProcess()

    init(_ processes: [Int32]) {
        self.processes = processes
        server = ProcessUsage.of(processes)
    }

    var seconds: Double { Double((NIODeadline.now() - began).nanoseconds) / 1e9 }

    func finish(_ report: inout BenchReport) {
        if let server, let now = ProcessUsage.of(processes) { report.serverCPU = now.cpu - server.cpu }
        if let own, let now = ProcessUsage.ofThisProcess() { report.generatorCPU = now.cpu - own.cpu }
    }
}

extension BenchReport {
    /// What was sent and what came between two readings.
    mutating func note(from start: LoadCounts, to end: LoadCounts, _ options: BenchOptions, _ plan: LoadPlan) {
        sent = end.sent - start.sent
        acknowledged = end.acknowledged - start.acknowledged
        delivered = end.delivered - start.delivered
        let messages = options.rate > 0 ? options.rate * seconds : Double(sent)
        offered = messages * Double(plan.receiversPerMessage)
    }
}
