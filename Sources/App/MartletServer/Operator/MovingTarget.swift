import MartletCore
import MartletLog
import MartletSQL

/// The PostgreSQL side of a move: one connection, on the mover's thread.
final class MovingTarget: SQLConnection {
    /// What a mover calls itself in the server's activity view.
    static let name = "martlet-moving"
    /// What a batch may take.
    private static let statementTimeout = Duration.seconds(300)
    /// The advisory lock of a mover, beside those of the schema and of the log.
    private static let lock = 1002
    private static let rowsPerFetch = 2000

    private let connection: PostgresConnection
    private(set) var period: Int64 = 0
    private var partitions: (events: Set<Int64>, retries: Set<Int64>) = ([], [])

    /// Connects, and keeps other movers away until it is closed. Its commits do not wait for the disk, since a batch
    /// and its mark are lost together or not at all; `finish` waits for all of them.
    init(_ url: PostgresURL) throws(Fault) {
        do throws(PostgresFailure) {
            connection = try PostgresConnection(url, statementTimeout: Self.statementTimeout, name: Self.name)
        } catch {
            throw error.fault
        }
        try run("SET synchronous_commit = off")
        try run("SET lock_timeout = 5000")
        do throws(Fault) {
            _ = try rows(SQL(stringLiteral: "SELECT pg_advisory_lock(\(PostgresLock.space), \(Self.lock))"))
        } catch {
            throw connection.isUsable ? Self.taken : error
        }
        try run("SET lock_timeout = 0")
    }

    private static let taken = Fault(.unavailable, "another move into this database is at work")

    func close() { connection.close() }

    func rows(_ sql: SQL) throws(Fault) -> [SQLRow] { try execute([PostgresStatement(sql, isKept: false)])[0].rows }

    @discardableResult
    func run(_ sql: SQL) throws(Fault) -> Int { try execute([PostgresStatement(sql, isKept: false)])[0].changed }

    /// One round trip, one transaction unless one is open. Returns as many results.
    private func execute(_ statements: [PostgresStatement]) throws(Fault) -> [PostgresResult] {
        do throws(PostgresFailure) {
            let results = try connection.pipeline(statements)
            guard results.count == statements.count else {
                throw PostgresFailure(.refused, "\(results.count) results of \(statements.count) statements")
            }
            return results
        } catch {
            throw error.fault
        }
    }

    // MARK: Storing

    /// Notes what is moved here, where that is not noted yet. Throws where another mover has come in between.
    func begin(_ source: MovingIdentity) throws(Fault) {
        try run(MovingState.creation)
        try run(
            """
            INSERT INTO moving_state (step, key_1, key_2)
            VALUES (\(MovingState.whole), \(source.origin), \(source.content))
            ON CONFLICT (step) DO NOTHING
            """)
        let noted = try integer(
            """
            SELECT count(*) FROM moving_state
            WHERE step = \(MovingState.whole) AND key_1 = \(source.origin) AND key_2 = \(source.content) AND is_done = 0
            """)
        guard noted == 1 else { throw Self.taken }
        period = try PostgresLogParts.period(self)
    }

    /// Stores a batch and its mark, both or neither.
    func store(_ batch: MovingBatch, of table: MovingTable, _ mark: MovingState.Mark) throws(Fault) {
        try makePartitions(of: table, batch.times)
        var statements = [MovingState.setting(mark, of: table)]
        if batch.count > 0 {
            statements.append(PostgresStatement(text: table.insertion(period: period), batch.parameters))
        }
        _ = try execute(statements)
    }

    private func makePartitions(of table: MovingTable, _ times: [Instant]) throws(Fault) {
        switch table.partition {
        case .none: return
        case .events:
            let parts = Set(times.map { PostgresLogParts.events($0, period: period) }).subtracting(partitions.events)
            guard !parts.isEmpty else { return }
            try inTransaction { () throws(Fault) in try PostgresLogParts.make(events: parts.sorted(), self) }
            partitions.events.formUnion(parts)
        case .retries:
            let parts = Set(times.map { PostgresLogParts.retries($0) }).subtracting(partitions.retries)
            guard !parts.isEmpty else { return }
            try inTransaction { () throws(Fault) in try PostgresLogParts.make(retries: parts.sorted(), self) }
            partitions.retries.formUnion(parts)
        }
    }

    /// A connection on which something failed is not used any more, so that nothing is undone here.
    private func inTransaction(_ body: () throws(Fault) -> Void) throws(Fault) {
        try run("BEGIN")
        try body()
        try run("COMMIT")
    }

    /// Sets the log's counters behind what was moved, and tells the planner of all tables.
    ///
    /// - Parameters:
    ///   - conversation: the greatest key of a conversation, 0 where there is none.
    ///   - ordinal: of the newest event, 0 where there is none.
    func settle(conversation: Int64, ordinal: Int64, _ tables: [MovingTable]) throws(Fault) {
        if conversation > 0 {
            _ = try rows(
                "SELECT setval(pg_get_serial_sequence('log_conversations', 'id')::regclass, \(conversation)) AS value")
        }
        if ordinal > 0 { _ = try rows("SELECT setval('log_ordinals'::regclass, \(ordinal)) AS value") }
        for table in Set(tables.map(\.target)).sorted() { try run(SQL(stringLiteral: "ANALYZE \(table)")) }
    }

    /// Notes that everything is here. Behind it all of the move is on the disk.
    func finish() throws(Fault) {
        try run("SET synchronous_commit = on")
        try run("UPDATE moving_state SET is_done = 1 WHERE step = \(MovingState.whole)")
    }

    // MARK: Reading

    /// Reads many rows some at a time, all of one moment, for as long as `read` returns true.
    func each(_ query: String, _ read: ([SQLRow]) throws(Fault) -> Bool) throws(Fault) {
        try run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try run(SQL(stringLiteral: "DECLARE moving NO SCROLL CURSOR FOR \(query)"))
        while true {
            let rows = try rows(SQL(stringLiteral: "FETCH \(Self.rowsPerFetch) FROM moving"))
            guard !rows.isEmpty, try read(rows) else { break }
        }
        try run("COMMIT")
    }
}

/// Rows on their way, column by column.
struct MovingBatch {
    let count: Int
    let parameters: [PostgresParameter]
    /// Of rows that belong to a partition of the log.
    let times: [Instant]
    /// About what they take in memory.
    let bytes: Int
    /// The key's values of the last row; nil where there is none.
    let lastKey: [SQLValue]?

    init(_ rows: [SQLRow], of table: MovingTable) throws(Fault) {
        count = rows.count
        var parameters: [PostgresParameter] = []
        var bytes = 0
        for column in table.columns { parameters.append(try Self.parameter(column, rows, &bytes)) }
        self.parameters = parameters
        self.bytes = bytes
        var times: [Instant] = []
        if table.partition != .none {
            times.reserveCapacity(rows.count)
            for row in rows { times.append(try row.instant("time")) }
        }
        self.times = times
        lastKey = try rows.last.map { row throws(Fault) in try table.mark(of: row) }
    }

    private static func parameter(
        _ column: MovingTable.Column, _ rows: [SQLRow], _ bytes: inout Int
    ) throws(Fault) -> PostgresParameter {
        switch column.kind {
        case .integer:
            var values: [Int64?] = []
            values.reserveCapacity(rows.count)
            for row in rows { values.append(try row.optionalInteger(column.name)) }
            bytes += rows.count * 8
            return .optionalIntegers(values)
        case .text:
            var values: [String?] = []
            values.reserveCapacity(rows.count)
            for row in rows {
                let value = try row.optionalText(column.name)
                bytes += value?.utf8.count ?? 0
                values.append(value)
            }
            return .texts(values)
        case .bytes:
            var values: [[UInt8]?] = []
            values.reserveCapacity(rows.count)
            for row in rows {
                let value = try row.optionalBlob(column.name)
                bytes += value?.count ?? 0
                values.append(value)
            }
            return .blobs(values)
        }
    }
}
