import Synchronization

/// Counts upwards. Cheap enough for the hot path: one relaxed atomic addition.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    package init() {}

    package var value: UInt64 { count.load(ordering: .relaxed) }

    package func add(_ amount: Int = 1) { count.wrappingAdd(UInt64(truncatingIfNeeded: amount), ordering: .relaxed) }
}

/// A value that goes up and down.
package final class Gauge: Sendable {
    private let current = Atomic<Int>(0)

    package init() {}

    package var value: Int { current.load(ordering: .relaxed) }

    package func add(_ amount: Int = 1) { current.wrappingAdd(amount, ordering: .relaxed) }

    package func set(_ value: Int) { current.store(value, ordering: .relaxed) }
}

/// Counts values by size, in buckets fixed at the start.
package final class Histogram: Sendable {
    /// Upper bounds of the buckets, ascending; what is above the last goes into one without a bound.
    fileprivate let bounds: [UInt64]
    fileprivate let counts: [Counter]
    fileprivate let sum = Counter()

    package init(bounds: [UInt64]) {
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in Counter() }
    }

    package func record(_ value: UInt64) {
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        counts[index].add()
        sum.add(Int(truncatingIfNeeded: value))
    }

    package var count: UInt64 { counts.reduce(0) { $0 + $1.value } }

    /// 50 µs to 10 s, in microseconds.
    package static func latency() -> Histogram {
        Histogram(bounds: [
            50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
            2_500_000,
            10_000_000,
        ])
    }

    /// 1 to 4,096, doubling.
    package static func size() -> Histogram { Histogram(bounds: (0...12).map { 1 << $0 }) }
}

/// All metrics of a node, by name; written in Prometheus' text format (version 0.0.4). Names and labels are fixed in the program, so that the
/// number of series is bounded.
package final class MetricRegistry: Sendable {
    private enum Series: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case reading(@Sendable () -> Int)
        /// Recorded in microseconds and written in seconds, or without a unit.
        case histogram(Histogram, inSeconds: Bool)

        var type: String {
            switch self {
            case .counter: "counter"
            case .gauge, .reading: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Family: Sendable {
        let help: String
        var series: [(labels: String, series: Series)] = []
    }

    private let families = Mutex<[String: Family]>([:])

    package init() {}

    private func register(_ name: String, _ help: String, _ labels: [(String, String)], _ series: Series) {
        let text = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        families.withLock { $0[name, default: Family(help: help)].series.append((text, series)) }
    }

    package func counter(_ name: String, _ help: String, _ labels: (String, String)...) -> Counter {
        let counter = Counter()
        register(name, help, labels, .counter(counter))
        return counter
    }

    package func gauge(_ name: String, _ help: String, _ labels: (String, String)...) -> Gauge {
        let gauge = Gauge()
        register(name, help, labels, .gauge(gauge))
        return gauge
    }

    /// A gauge that is read when somebody asks.
    package func reading(_ name: String, _ help: String, _ read: @escaping @Sendable () -> Int) {
        register(name, help, [], .reading(read))
    }

    /// Record microseconds; written in seconds, so name it `…_seconds`.
    package func latency(_ name: String, _ help: String) -> Histogram {
        let histogram = Histogram.latency()
        register(name, help, [], .histogram(histogram, inSeconds: true))
        return histogram
    }

    package func sizes(_ name: String, _ help: String) -> Histogram {
        let histogram = Histogram.size()
        register(name, help, [], .histogram(histogram, inSeconds: false))
        return histogram
    }

    /// Everything, in Prometheus' text format.
    package func render() -> String {
        let families = families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.series.first?.series.type ?? "untyped")\n"
            for (labels, series) in family.series { Self.render(name, labels, series, &text) }
        }
        return text
    }

    private static func render(_ name: String, _ labels: String, _ series: Series, _ text: inout String) {
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        switch series {
        case .counter(let counter): text += "\(name)\(braces) \(counter.value)\n"
        case .gauge(let gauge): text += "\(name)\(braces) \(gauge.value)\n"
        case .reading(let read): text += "\(name)\(braces) \(read())\n"
        case .histogram(let histogram, let inSeconds):
            let unit = inSeconds ? 1e-6 : 1
            var total: UInt64 = 0
            for (index, bound) in histogram.bounds.enumerated() {
                total += histogram.counts[index].value
                text += "\(name)_bucket{le=\"\(Double(bound) * unit)\"} \(total)\n"
            }
            total += histogram.counts[histogram.bounds.count].value
            text += "\(name)_bucket{le=\"+Inf\"} \(total)\n"
            text += "\(name)_sum \(Double(histogram.sum.value) * unit)\n\(name)_count \(total)\n"
        }
    }
}
