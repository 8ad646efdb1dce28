import Histogram

/// Latencies in microseconds, to three digits, up to ten minutes.
package struct LatencyRecorder: Sendable {
    private static let most: UInt64 = 600_000_000
    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1, highestTrackableValue: Self.most, numberOfSignificantValueDigits: .three)

    package init() {}

    package var count: Int { Int(histogram.totalCount) }

    package mutating func record(nanoseconds: UInt64) {
        histogram.record(min((nanoseconds + 500) / 1000, Self.most))
    }

    package mutating func add(_ other: LatencyRecorder) { histogram.add(other.histogram) }

    package mutating func reset() { histogram.reset() }

    /// Nil where nothing was recorded.
    package var summary: LatencySummary? {
        guard histogram.totalCount > 0 else { return nil }
        return LatencySummary(
            count: count, p50: histogram.valueAtPercentile(50), p90: histogram.valueAtPercentile(90),
            p99: histogram.valueAtPercentile(99), p999: histogram.valueAtPercentile(99.9), max: histogram.max)
    }
}

/// Percentiles in microseconds.
package struct LatencySummary: Sendable, Equatable {
    package let count: Int
    package let p50, p90, p99, p999, max: UInt64
}
