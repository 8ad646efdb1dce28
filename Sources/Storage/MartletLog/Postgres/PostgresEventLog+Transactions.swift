import MartletCore
import MartletSQL
import Synchronization

extension PostgresEventLog {
    package func transact<Value: Sendable>(
        on conversation: ConversationID?,
        _ body: @escaping @Sendable (any SQLConnection, inout [Draft]) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        let touched = TouchedConversations()
        let turn = conversation.map(PostgresBuckets.turn)
        let (value, events) = try await turns.take(turn) { () throws(Fault) -> (Value, [Event]) in
            for _ in 0..<2 {
                do throws(Fault) {
                    return try await transactOnce(turn, touched, body)
                } catch {
                    // Somebody dropped what was known to be there, or the server is one that never had it.
                    guard touched.lacksPartition else { throw error }
                    partitions.forget()
                }
            }
            throw Fault(.unavailable, "the log is not ready for this time", retryAfter: .seconds(1))
        }
        answers.announce(events)
        return value
    }

    private func transactOnce<Value: Sendable>(
        _ turn: Int32?, _ touched: TouchedConversations,
        _ body: @escaping @Sendable (any SQLConnection, inout [Draft]) throws(Fault) -> Value
    ) async throws(Fault) -> (Value, [Event]) {
        // One time, so that the partitions are those of the events.
        let now = clock.now
        try await makePartitions(for: now)
        let partitions = partitions
        return try await database.write(turn: turn, lockingOnRetry: { touched.buckets }) {
            connection throws(Fault) -> (Value, [Event]) in
            touched.lacksPartition = false
            var drafts: [Draft] = []
            let value = try body(LogTransaction(connection: connection, touched: touched), &drafts)
            guard !drafts.isEmpty else { return (value, []) }
            touched.note(drafts.map(\.conversation))
            return (value, try Self.place(drafts, at: now, partitions, touched, connection))
        }
    }

    /// All drafts of a transaction, or the first one's fault. Returns the events that are new.
    private static func place(
        _ drafts: [Draft], at now: Instant, _ partitions: PostgresPartitions, _ touched: TouchedConversations,
        _ connection: any SQLConnection
    ) throws(Fault) -> [Event] {
        guard let transaction = connection as? PostgresTransaction else {
            throw Fault(.internalError, "internal error")
        }
        let outcomes: [AppendOutcome]
        do throws(PostgresFailure) {
            outcomes = try PostgresPlacing(connection: transaction, partitions: partitions, now: now)
                .place(drafts, shares: false).outcomes
        } catch {
            touched.lacksPartition = error.sqlState == PostgresPartitions.missing
            // The transaction has noted it, and knows whether to try again.
            throw error.fault
        }
        var events: [Event] = []
        for (draft, outcome) in zip(drafts, outcomes) {
            let receipt = try outcome.get()
            if !receipt.isRepeat { events.append(Event(draft, receipt)) }
        }
        return events
    }

    /// Makes the partitions of a time, unless they are known to be there. Those who come meanwhile wait for the same.
    func makePartitions(for now: Instant) async throws(Fault) {
        guard !partitions.cover(now) else { return }
        let task = making.withLock { making in
            // Awaited right below, by each that asks.
            let task = making ?? Task { await makePartitionsOnce(for: now) }
            making = task
            return task
        }
        try await task.value.get()
    }

    private func makePartitionsOnce(for now: Instant) async -> Result<Void, Fault> {
        let partitions = partitions
        defer { making.withLock { $0 = nil } }
        do throws(Fault) {
            try await database.alter { connection throws(Fault) in try partitions.make(for: now, connection) }
            partitions.made(for: now)
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    package func lastSeq(_ conversation: ConversationID, in connection: any SQLConnection) throws(Fault) -> Int64 {
        (connection as? LogTransaction)?.touched.note([conversation])
        // Whoever asks builds on the answer: it stays true until the transaction's end.
        return try connection.integer(
            "SELECT last_seq FROM log_conversations WHERE name = \(conversation) FOR UPDATE") ?? 0
    }
}

/// The connection of a transaction of the log, which notes the conversations that it touches.
private struct LogTransaction: SQLConnection {
    let connection: any SQLConnection
    let touched: TouchedConversations

    func rows(_ sql: SQL) throws(Fault) -> [SQLRow] { try connection.rows(sql) }

    func run(_ sql: SQL) throws(Fault) -> Int { try connection.run(sql) }
}

/// The conversations of one transaction, over all its attempts: those to be locked where plain appends get in its way
/// again and again.
private final class TouchedConversations: Sendable {
    private let conversations = Mutex<Set<ConversationID>>([])
    private let isPartitionMissing = Mutex(false)

    /// Whether the last attempt failed because no partition takes its events.
    var lacksPartition: Bool {
        get { isPartitionMissing.withLock { $0 } }
        set { isPartitionMissing.withLock { $0 = newValue } }
    }

    func note(_ touched: [ConversationID]) { conversations.withLock { $0.formUnion(touched) } }

    var buckets: [Int32] { conversations.withLock { PostgresBuckets.buckets(of: $0) } }
}
