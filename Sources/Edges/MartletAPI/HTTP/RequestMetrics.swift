import MartletCore

/// Counts answers by class, and how long they took.
struct RequestMetrics: Sendable {
    private let answers: [Counter]
    private let latency: Histogram

    init(_ registry: MetricRegistry) {
        answers = (1...5).map {
            registry.counter(
                "martlet_http_answers_total", "Answers over HTTP, by class of status.", ("class", "\($0)xx"))
        }
        latency = registry.latency("martlet_http_answer_seconds", "Time from a whole request to its answer.")
    }

    func record(_ status: Int, _ elapsed: Duration) {
        if answers.indices.contains(status / 100 - 1) { answers[status / 100 - 1].add() }
        let (seconds, attoseconds) = elapsed.components
        latency.record(UInt64(clamping: seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }
}
