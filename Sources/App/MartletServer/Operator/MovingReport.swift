/// What became of a move.
package struct MovingReport: Sendable {
    /// True where an earlier run had finished it; then nothing was done.
    package var wasFinished = false
    /// True where an earlier run had begun it.
    package var isResumed = false
    /// Rows of each table that are moved, by this run or before.
    package var rows: [(table: String, count: Int64)] = []
    /// Rows that this run moved.
    package var moved: Int64 = 0
    /// How long it took this run to move them.
    package var time = Duration.zero
    /// What verification found, on either side.
    package var problems: [String] = []
    /// In what the two sides differ.
    package var differences: [String] = []

    /// Whether PostgreSQL has everything, as it was.
    package var isSound: Bool { problems.isEmpty && differences.isEmpty }

    package var rowsPerSecond: Int { Int(Double(moved) / max(0.001, time / .seconds(1))) }
}

/// What a move is at.
package enum MovingPhase: Sendable, Equatable {
    case copying, verifying, comparing
}

/// How a caller watches a move, and ends it.
package struct MovingWatch: Sendable {
    /// Gets what is done of how many rows; rows are counted nearly. On any thread.
    let progress: @Sendable (MovingPhase, Int64, Int64) -> Void
    /// Asked between two batches. On any thread.
    let isStopped: @Sendable () -> Bool

    package init(
        progress: @escaping @Sendable (MovingPhase, Int64, Int64) -> Void, isStopped: @escaping @Sendable () -> Bool
    ) {
        self.progress = progress
        self.isStopped = isStopped
    }

    func requireGoingOn() throws(OperatorFailure) {
        if isStopped() {
            throw OperatorFailure(.failed, "stopped; what is moved stays: the same command goes on from there")
        }
    }
}
