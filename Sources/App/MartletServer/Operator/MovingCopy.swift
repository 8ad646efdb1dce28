import MartletCore
import MartletSQL

/// Copies tables from one moment of an SQLite database, batch by batch, from where an earlier run stopped.
struct MovingCopy {
    struct Result: Sendable {
        /// Rows that are in the target.
        var rows: [(table: String, count: Int64)] = []
        /// Rows that this run brought there.
        var moved: Int64 = 0
        var time = Duration.zero
    }

    /// Rows of the first batch of a table, and of any other.
    private static let rows = (first: 500, most: 5000)
    /// Bytes that a batch should not exceed by far.
    private static let bytes = 4 << 20

    let source: any SQLConnection
    let target: MovingTarget
    let watch: MovingWatch

    func run(_ identity: MovingIdentity) throws(OperatorFailure) -> Result {
        let start = ContinuousClock.now
        var result = Result()
        let tables = try OperatorFailure.of { () throws(Fault) in try MovingPlan.tables(of: source) }
        let (marks, total) = try OperatorFailure.of { () throws(Fault) in
            try target.begin(identity)
            return (try self.marks(of: tables), try self.total(of: tables))
        }
        var done = marks.reduce(0) { $0 + $1.count }
        watch.progress(.copying, done, total)
        for (table, mark) in zip(tables, marks) {
            var mark = mark
            var limit = Self.rows.first
            while !mark.isDone {
                try watch.requireGoingOn()
                let count = try OperatorFailure.of { () throws(Fault) in try next(table, &mark, &limit) }
                result.moved += count
                done += count
                watch.progress(.copying, min(done, total), total)
            }
            result.rows.append((table.name, mark.count))
        }
        try OperatorFailure.of { () throws(Fault) in try settle(tables) }
        watch.progress(.copying, total, total)
        result.time = .now - start
        return result
    }

    /// Copies one batch. Returns how many rows it had.
    private func next(_ table: MovingTable, _ mark: inout MovingState.Mark, _ limit: inout Int) throws(Fault) -> Int64 {
        let batch = try MovingBatch(try source.rows(table.page(after: mark.key, limit: limit)), of: table)
        mark.isDone = batch.count < limit
        mark.key = batch.lastKey ?? mark.key
        mark.count += Int64(batch.count)
        try target.store(batch, of: table, mark)
        if batch.count > 0 {
            limit = max(10, min(Self.rows.most, Self.bytes / max(1, batch.bytes / batch.count)))
        }
        return Int64(batch.count)
    }

    private func marks(of tables: [MovingTable]) throws(Fault) -> [MovingState.Mark] {
        let stored = try MovingState.marks(target)
        var marks: [MovingState.Mark] = []
        for table in tables {
            let mark = try stored[table.name].map { row throws(Fault) in try MovingState.mark(row, of: table) }
            marks.append(mark ?? MovingState.Mark())
        }
        return marks
    }

    private func total(of tables: [MovingTable]) throws(Fault) -> Int64 {
        var total: Int64 = 0
        for table in tables { total += try MovingPlan.count(table, source) }
        return total
    }

    private func settle(_ tables: [MovingTable]) throws(Fault) {
        try target.settle(
            conversation: try source.integer("SELECT max(id) FROM log_conversations") ?? 0,
            ordinal: try source.integer("SELECT max(ordinal) FROM log_events") ?? 0, tables)
    }
}
