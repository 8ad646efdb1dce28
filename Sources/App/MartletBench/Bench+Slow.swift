import NIOCore

/// The slow profile: three parts of the same length. All read; then some stop reading; then they read on, and get what
/// they missed.
extension Bench {
    func slow(_ fleet: Fleet) async throws -> BenchReport {
        try await warmUp(fleet)
        let start = try await fleet.counts()
        let meter = Meter(options.servers)
        _ = try await fleet.takeLatencies()
        var parts = [try await part("all read", fleet)]
        try await fleet.each { $0.stopReading() }
        parts.append(try await part("\(options.slow) stopped", fleet))
        let missed = (try await fleet.counts().acknowledged) * options.slow
        let stopped = NIODeadline.now()
        try await fleet.each { $0.readOn() }
        async let whole = caughtUp(fleet, missed, since: stopped)
        parts.append(try await part("they read on", fleet))
        // Each part has its own latencies; what comes later belongs to none.
        try await fleet.each { $0.recordsFrom = nil }
        // Time and CPU of the measured messages: what comes later is caught up beside no others.
        let end = try await fleet.counts()
        var report = BenchReport(options, seconds: meter.seconds)
        meter.finish(&report)
        report.parts = parts
        report.note(from: start, to: end, options, fleet.plan)
        report.secondsUntilBack = try await whole
        try await finishSending(fleet)
        return report
    }

    private func part(_ name: String, _ fleet: Fleet) async throws -> BenchReport.Part {
        progress("\(name): measuring for \(options.duration)")
        let start = try await fleet.counts().delivered
        let began = NIODeadline.now()
        let before = ProcessUsage.of(options.servers)
        try await fleet.wait(options.duration)
        let after = ProcessUsage.of(options.servers)
        let seconds = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        let delivered = try await fleet.counts().delivered - start
        let latencies = try await fleet.takeLatencies()
        var cpu: Double?
        if let before, let after { cpu = after.cpu - before.cpu }
        return BenchReport.Part(
            name: name, seconds: seconds, delivered: delivered, serverCPU: cpu, resident: after?.resident,
            deliveries: latencies.delivered.summary, lastReceivers: latencies.last.summary)
    }

    /// Seconds until those who had stopped have everything that was acknowledged before they read on; nil where that
    /// takes more than a minute longer than the part.
    private func caughtUp(_ fleet: Fleet, _ missed: Int, since: NIODeadline) async throws -> Double? {
        let isThere = try await fleet.poll(for: options.duration + .seconds(60)) { $0.deliveredToSlow >= missed }
        return isThere ? Double((NIODeadline.now() - since).nanoseconds) / 1e9 : nil
    }
}

extension Fleet {
    /// What all loops recorded since the last time.
    func takeLatencies() async throws -> (delivered: LatencyRecorder, last: LatencyRecorder) {
        var sum = (delivered: LatencyRecorder(), last: LatencyRecorder())
        for part in try await map({ $0.takeLatencies() }) {
            sum.delivered.add(part.delivered)
            sum.last.add(part.last)
        }
        return sum
    }
}
