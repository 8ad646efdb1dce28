/// What befalls a cluster.
package enum ClusterFault: String, Sendable, CaseIterable {
    case nodeKilled = "node killed"
    case nodeLeft = "node asked to leave"
    case nodeFrozen = "node frozen"
    case redisKilled = "Redis killed"
    case redisFrozen = "Redis frozen"
    case busCut = "Redis connections cut"
    case databaseRestarted = "PostgreSQL restarted"
    case databaseSlowed = "PostgreSQL slowed"
    case databaseCut = "PostgreSQL connections cut"
    case primaryLost = "primary lost, standby promoted"
}

/// Which faults come when: the same for the same seed. In the first round each comes once, in later rounds all again but
/// the loss of the primary.
package struct ClusterSchedule: Sendable {
    package struct Step: Sendable, Equatable {
        package let fault: ClusterFault
        /// The node that it befalls, where it is one's.
        package let node: Int
        /// How long it lasts, where it does.
        package let lasts: Duration
        /// How long everybody is left alone before it.
        package let pause: Duration
    }

    private var random: SeededRandom
    private let nodes: Int
    private var round: [ClusterFault] = []
    /// Rounds that are complete once the last step's fault is over.
    package private(set) var rounds = -1

    package init(seed: UInt64, nodes: Int) {
        random = SeededRandom(seed: seed)
        self.nodes = nodes
    }

    /// Whether the next step begins a new round.
    package var isBetweenRounds: Bool { round.isEmpty }

    package mutating func next() -> Step {
        if round.isEmpty {
            rounds += 1
            round = ClusterFault.allCases.filter { rounds == 0 || $0 != .primaryLost }.shuffled(using: &random)
        }
        let fault = round.removeLast()
        let lasts =
            switch fault {
            // Sometimes longer than its lease.
            case .nodeFrozen: Int.random(in: 2000...9000, using: &random)
            case .redisKilled, .redisFrozen, .databaseSlowed: Int.random(in: 500...4000, using: &random)
            case .nodeKilled: Int.random(in: 0...2000, using: &random)
            case .nodeLeft, .busCut, .databaseRestarted, .databaseCut, .primaryLost: 0
            }
        return Step(
            fault: fault, node: .random(in: 0..<nodes, using: &random), lasts: .milliseconds(lasts),
            pause: .milliseconds(Int.random(in: 200...1500, using: &random)))
    }
}

/// How long it took from a fault until each node that lives acknowledged a send that began after the fault.
package struct RecoveryTimes: Sendable {
    private struct Watch: Sendable {
        let what: String
        let since: ContinuousClock.Instant
        var nodes: Set<Int>
    }

    private var watches: [Watch] = []
    private var counts: [String: Int] = [:]
    /// In the order of their coming.
    package private(set) var samples: [String: [Duration]] = [:]

    package init() {}

    /// Nodes that have not acknowledged anything since a fault.
    package var missing: Set<Int> { watches.reduce(into: []) { $0.formUnion($1.nodes) } }

    package mutating func struck(_ what: String, at instant: ContinuousClock.Instant, watched nodes: Set<Int>) {
        counts[what, default: 0] += 1
        watches.append(Watch(what: what, since: instant, nodes: nodes))
    }

    /// A send on a node was acknowledged.
    package mutating func acknowledged(
        on node: Int, begun: ContinuousClock.Instant, at instant: ContinuousClock.Instant
    ) {
        for index in watches.indices where watches[index].since <= begun && watches[index].nodes.contains(node) {
            watches[index].nodes.remove(node)
            samples[watches[index].what, default: []].append(instant - watches[index].since)
        }
        watches.removeAll { $0.nodes.isEmpty }
    }

    /// One line per kind of fault: how often it came, and how many milliseconds nodes took, at half and at most.
    package var table: String {
        let head = "fault".padded(32) + ["times", "p50 ms", "max ms"].map { $0.padded(-9) }.joined()
        return counts.keys.sorted().reduce(head) { table, what in
            let times = (samples[what] ?? []).sorted()
            let figures = [
                counts[what] ?? 0, times.isEmpty ? 0 : times[times.count / 2].wholeMilliseconds,
                times.last?.wholeMilliseconds ?? 0,
            ]
            return table + "\n" + what.padded(32) + figures.map { "\($0)".padded(-9) }.joined()
        }
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
