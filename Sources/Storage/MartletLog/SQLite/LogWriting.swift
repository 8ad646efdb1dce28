import MartletCore
import MartletSQL

/// What the log counts.
package struct LogMetrics: Sendable {
    package let commits, events, repeats, refusals: Counter
    package let batchSize, commitLatency: Histogram

    /// For tests and tools: counted, shown to nobody.
    package init() { self.init(MetricRegistry()) }

    package init(_ registry: MetricRegistry) {
        commits = registry.counter("martlet_log_commits_total", "Transactions that stored sends")
        events = registry.counter("martlet_log_events_total", "Events stored")
        repeats = registry.counter("martlet_log_repeats_total", "Sends that were retries of stored ones")
        refusals = registry.counter("martlet_log_refusals_total", "Sends that the log refused")
        batchSize = registry.sizes("martlet_log_batch_size", "Sends in one transaction")
        commitLatency = registry.latency(
            "martlet_log_commit_seconds", "From taking a batch of sends to its durable commit")
    }
}

/// The writer thread's side of the log: everything here but `refuse` runs on that thread, one call at a time, which is
/// why it may call itself Sendable.
final class LogWriting: @unchecked Sendable {
    private let appender: SQLiteAppender
    private let metrics: LogMetrics
    private let onCommit: @Sendable ([Event]) -> Void

    init(_ appender: SQLiteAppender, _ metrics: LogMetrics, _ onCommit: @escaping @Sendable ([Event]) -> Void) {
        self.appender = appender
        self.metrics = metrics
        self.onCommit = onCommit
    }

    /// Finds again what the index does not have yet. The first job.
    func restore(_ connection: SQLiteConnection) throws(Fault) { try appender.restore(connection) }

    func close() { appender.close() }

    /// The transaction of everything that was written since the last call has ended. Called before anybody is answered.
    func ended(isCommitted: Bool) { if isCommitted { appender.commit() } else { appender.discard() } }

    /// A part of a transaction that needs all committed events in the index, and may take rows out of it.
    func onWholeIndex<Value>(
        _ connection: SQLiteConnection, _ body: () throws(Fault) -> Value
    ) throws(Fault) -> Value {
        try appender.part { () throws(Fault) in
            try appender.moveAll(connection)
            return try body()
        }
    }

    func lastSeq(_ conversation: ConversationID, _ connection: SQLiteConnection) throws(Fault) -> Int64 {
        try appender.lastSeq(conversation, connection)
    }

    /// The drafts of one use case: all or nothing.
    func append(_ drafts: [Draft], _ connection: SQLiteConnection) throws(Fault) -> [Event] {
        guard !drafts.isEmpty else { return [] }
        return try appender.part { () throws(Fault) in
            try appender.begin(connection)
            var events: [Event] = []
            for draft in drafts {
                let receipt = try appender.append(draft, connection)
                if !receipt.isRepeat { events.append(Event(draft, receipt)) }
            }
            try appender.moveDue(connection)
            return events
        }
    }

    /// Sends of many people: each is stored or refused by itself; a failure of the database fails them all.
    func append(_ requests: [AppendRequest], _ connection: SQLiteConnection) throws(Fault) {
        try appender.part { () throws(Fault) in
            try appender.begin(connection)
            for request in requests {
                do throws(Fault) {
                    request.outcome = .success(try appender.append(request.draft, connection))
                } catch {
                    guard !error.isOurs else { throw error }
                    request.outcome = .failure(error)
                }
            }
            try appender.moveDue(connection)
        }
    }

    /// Behind the commit: answers first, so that a sender's loop knows its own events before they are delivered.
    func finish(_ requests: [AppendRequest], took: Duration) {
        var events: [Event] = []
        events.reserveCapacity(requests.count)
        for request in requests {
            switch request.outcome {
            case .success(let receipt) where receipt.isRepeat: metrics.repeats.add()
            case .success(let receipt): events.append(Event(request.draft, receipt))
            case .failure: metrics.refusals.add()
            }
        }
        metrics.commits.add()
        metrics.batchSize.record(UInt64(requests.count))
        metrics.commitLatency.record(UInt64(took / .microseconds(1)))
        Self.answer(requests) { announce(events) }
    }

    /// Answers sends that were not stored. On any thread: it touches nothing but the requests, which are not in the log
    /// any more, and the counters.
    func refuse(_ requests: [AppendRequest], _ fault: Fault) {
        metrics.refusals.add(requests.count)
        for request in requests { request.outcome = .failure(fault) }
        Self.answer(requests) {}
    }

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
