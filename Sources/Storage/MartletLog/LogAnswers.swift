import MartletCore

/// What every engine does behind a commit: it counts, answers, and announces. On any thread; the engine sees to the
/// order.
struct LogAnswers: Sendable {
    private let metrics: LogMetrics
    private let onCommit: @Sendable ([Event]) -> Void

    init(_ metrics: LogMetrics, _ onCommit: @escaping @Sendable ([Event]) -> Void) {
        self.metrics = metrics
        self.onCommit = onCommit
    }

    /// Behind the commit: answers first, so that a sender's loop knows its own events before they are delivered.
    ///
    /// - Parameter isAnnouncedAgain: tells for the index of a repeat whether its event is announced once more.
    func finish(_ requests: [AppendRequest], took: Duration, isAnnouncedAgain: (Int) -> Bool = { _ in false }) {
        var events: [Event] = []
        events.reserveCapacity(requests.count)
        var repeats = 0
        var refusals = 0
        for (index, request) in requests.enumerated() {
            switch request.outcome {
            case .success(let receipt):
                if receipt.isRepeat { repeats += 1 }
                if !receipt.isRepeat || isAnnouncedAgain(index) { events.append(Event(request.draft, receipt)) }
            case .failure: refusals += 1
            }
        }
        if repeats > 0 { metrics.repeats.add(repeats) }
        if refusals > 0 { metrics.refusals.add(refusals) }
        metrics.events.add(requests.count - repeats - refusals)
        metrics.commits.add()
        metrics.batchSize.record(UInt64(requests.count))
        metrics.commitLatency.record(UInt64(took / .microseconds(1)))
        Self.answer(requests) { if !events.isEmpty { onCommit(events) } }
    }

    /// Answers sends that were not stored.
    func refuse(_ requests: [AppendRequest], _ fault: Fault) {
        metrics.refusals.add(requests.count)
        for request in requests { request.outcome = .failure(fault) }
        Self.answer(requests) {}
    }

    /// Announces the events of a transaction, which nobody waits for as a send.
    func announce(_ events: [Event]) {
        guard !events.isEmpty else { return }
        metrics.events.add(events.count)
        onCommit(events)
    }

    /// Hands requests back with their outcomes, and wakes their lanes behind the announcement. A loop's sends come in
    /// runs, since it submits them together: one call for each run.
    private static func answer(_ requests: [AppendRequest], announcing: () -> Void) {
        var lanes: [any AppendLane] = []
        var start = 0
        while start < requests.count {
            let lane = requests[start].lane
            var end = start + 1
            while end < requests.count, requests[end].lane === lane { end += 1 }
            lane.complete(requests[start..<end])
            lanes.append(lane)
            start = end
        }
        announcing()
        // A second call finds the lane awake.
        for lane in lanes { lane.wake() }
    }
}
