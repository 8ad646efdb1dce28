import MartletCore

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
