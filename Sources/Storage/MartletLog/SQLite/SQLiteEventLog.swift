import MartletCore
import MartletSQL
import Synchronization

/// The log on SQLite. Sends of all event loops gather while the writer commits and go into its next transaction
/// together.
package final class SQLiteEventLog: EventLog {
    /// Sends that may wait for the writer; what comes past that is refused.
    private static let capacity = 100_000
    /// Sends in one transaction.
    private static let batchSize = 8192

    private struct Inbox: ~Copyable {
        var requests: [AppendRequest] = []
        var isScheduled = false
    }

    let database: SQLiteDatabase
    let writing: LogWriting
    let tail = LogTail()
    private let inbox = Mutex(Inbox())

    /// Opens the log: reads what the index does not have yet.
    ///
    /// - Parameters:
    ///   - window: how long retries are recognised at least; the protocol promises 24 hours.
    ///   - unindexed: events that the index on the disk may lack; they take 40 bytes of memory each.
    ///   - onCommit: gets the events of each commit, in order, on the writer's thread.
    package init(
        _ database: SQLiteDatabase, clock: any TimeSource, window: Duration = .seconds(24 * 3600),
        unindexed: Int = 65_536, metrics: LogMetrics = LogMetrics(),
        onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws(Fault) {
        self.database = database
        let indexer = LogIndexer(tail, capacity: unindexed)
        let appender = SQLiteAppender(clock: clock, window: window, indexer: indexer)
        writing = LogWriting(appender, LogAnswers(metrics, onCommit))
        let writing = writing
        database.onTransactionEnd { writing.ended(isCommitted: $0) }
        // As the writer's first job: the transaction's end makes what was found visible.
        try await database.perform { connection throws(Fault) in try writing.restore(connection) }
    }

    package func submit(_ requests: [AppendRequest]) {
        guard !requests.isEmpty else { return }
        let outcome: (accepted: Bool, schedules: Bool) = inbox.withLock { inbox in
            guard inbox.requests.count + requests.count <= Self.capacity else { return (false, false) }
            inbox.requests.append(contentsOf: requests)
            defer { inbox.isScheduled = true }
            return (true, !inbox.isScheduled)
        }
        if outcome.schedules { database.submit(BatchJob(self)) }
        if !outcome.accepted {
            let fault = Fault(.overloaded, "too many messages wait to be stored", retryAfter: .seconds(1))
            writing.answers.refuse(requests, fault)
        }
    }

    /// Sends that wait for the writer.
    package var queueDepth: Int { inbox.withLock { $0.requests.count } }

    /// Called by the batch job as it begins, or where it can't; what comes later goes into the next one.
    fileprivate func take() -> [AppendRequest] {
        let (batch, hasMore) = inbox.withLock { inbox in
            inbox.isScheduled = inbox.requests.count > Self.batchSize
            guard inbox.isScheduled else {
                defer { inbox.requests = [] }
                return (inbox.requests, false)
            }
            defer { inbox.requests.removeFirst(Self.batchSize) }
            return (Array(inbox.requests.prefix(Self.batchSize)), true)
        }
        if hasMore { database.submit(BatchJob(self)) }
        return batch
    }

    /// Transactions go one after another in any case.
    package func transact<Value: Sendable>(
        on conversation: ConversationID?,
        _ body: @escaping @Sendable (any SQLConnection, inout [Draft]) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        let writing = writing
        let (value, _) = try await database.perform {
            (connection: SQLiteConnection) throws(Fault) -> (Value, [Event]) in
            var drafts: [Draft] = []
            let value = try body(connection, &drafts)
            return (value, try writing.append(drafts, connection))
        } finished: { result in
            if case .success((_, let events)) = result { writing.answers.announce(events) }
        }
        return value
    }

    package func lastSeq(_ conversation: ConversationID, in connection: any SQLConnection) throws(Fault) -> Int64 {
        guard let connection = connection as? SQLiteConnection else {
            throw Fault(.internalError, "internal error")
        }
        return try writing.lastSeq(conversation, connection)
    }

    /// Stops taking sends, stores those that were taken, and closes the database. Blocks.
    package func close() {
        database.close { [writing] in writing.close() }
    }
}

/// The sends of one transaction.
private final class BatchJob: SQLiteJob, @unchecked Sendable {
    private let log: SQLiteEventLog
    // Touched by the writer's thread only.
    private var requests: [AppendRequest] = []
    private var started = ContinuousClock.now

    init(_ log: SQLiteEventLog) { self.log = log }

    func run(_ connection: SQLiteConnection) throws(Fault) {
        started = .now
        requests = log.take()
        try log.writing.append(requests, connection)
    }

    func finish(_ failure: Fault?) {
        if let failure {
            // The transaction may have ended before it was this job's turn.
            if requests.isEmpty { requests = log.take() }
            log.writing.answers.refuse(requests, failure)
        } else {
            log.writing.answers.finish(requests, took: .now - started)
        }
    }

    func refuse(_ fault: Fault) { log.writing.answers.refuse(log.take(), fault) }
}
