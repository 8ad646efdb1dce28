/// How long it took from a fault until each node that lives acknowledged a send that began after the fault, and until its
/// sessions heard of one that began after the fault on another node, in a conversation to which nobody sends on their own.
package struct RecoveryTimes: Sendable {
    package struct Samples: Sendable, Equatable {
        package var count = 0
        package var sent: [Duration] = []
        package var heard: [Duration] = []
    }

    private struct Watch: Sendable {
        let what: String
        let since: ContinuousClock.Instant
        var senders: Set<Int>
        var hearers: Set<Int>
    }

    private var watches: [Watch] = []
    /// By kind of fault.
    package private(set) var samples: [String: Samples] = [:]

    package init() {}

    /// Nodes that have not acknowledged or not heard anything since a fault.
    package var missing: Set<Int> { watches.reduce(into: []) { $0.formUnion($1.senders.union($1.hearers)) } }

    package mutating func struck(_ what: String, at instant: ContinuousClock.Instant, watched nodes: Set<Int>) {
        samples[what, default: Samples()].count += 1
        watches.append(Watch(what: what, since: instant, senders: nodes, hearers: nodes))
    }

    /// A send on a node was acknowledged.
    package mutating func acknowledged(
        on node: Int, begun: ContinuousClock.Instant, at instant: ContinuousClock.Instant
    ) {
        for index in watches.indices where watches[index].since <= begun {
            guard watches[index].senders.remove(node) != nil else { continue }
            samples[watches[index].what]?.sent.append(instant - watches[index].since)
        }
        forgetDone()
    }

    /// A session on a node got what was sent on another one.
    package mutating func heard(on node: Int, begun: ContinuousClock.Instant, at instant: ContinuousClock.Instant) {
        for index in watches.indices where watches[index].since <= begun {
            guard watches[index].hearers.remove(node) != nil else { continue }
            samples[watches[index].what]?.heard.append(instant - watches[index].since)
        }
        forgetDone()
    }

    private mutating func forgetDone() { watches.removeAll { $0.senders.isEmpty && $0.hearers.isEmpty } }

    /// One line per kind of fault: how often it came, and how many milliseconds nodes took, at half and at most.
    package var table: String {
        let titles = ["times", "sent p50", "max ms", "heard p50", "max ms"]
        let head = "fault".padded(32) + titles.map { $0.padded(-10) }.joined()
        return samples.keys.sorted().reduce(head) { table, what in
            let samples = samples[what] ?? Samples()
            let figures =
                [samples.count] + Self.halfAndMost(samples.sent) + Self.halfAndMost(samples.heard)
            return table + "\n" + what.padded(32) + figures.map { "\($0)".padded(-10) }.joined()
        }
    }

    private static func halfAndMost(_ times: [Duration]) -> [Int] {
        let sorted = times.sorted()
        return sorted.isEmpty
            ? [0, 0] : [sorted[sorted.count / 2].wholeMilliseconds, sorted[sorted.count - 1].wholeMilliseconds]
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}

extension String {
    /// Filled up with spaces behind it, or before it where `width` is negative.
    fileprivate func padded(_ width: Int) -> String {
        let spaces = String(repeating: " ", count: max(0, abs(width) - count))
        return width < 0 ? spaces + self : self + spaces
    }
}
