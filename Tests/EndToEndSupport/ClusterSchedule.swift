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
        /// What befalls all while a node is frozen, which finds another world when it wakes up.
        package let meanwhile: ClusterFault?
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
        let others: [ClusterFault?] = [.redisKilled, .busCut, .databaseRestarted, .databaseCut, nil, nil]
        let meanwhile = others.randomElement(using: &random) ?? nil
        return Step(
            fault: fault, node: .random(in: 0..<nodes, using: &random),
            meanwhile: fault == .nodeFrozen ? meanwhile : nil, lasts: .milliseconds(lasts),
            pause: .milliseconds(Int.random(in: 200...1500, using: &random)))
    }
}
