import MartletCore
import MartletSQL

/// The writer thread's side of the log: everything here runs on that thread, one call at a time, which is why it may call
/// itself Sendable.
final class LogWriting: @unchecked Sendable {
    private let appender: SQLiteAppender
    let answers: LogAnswers

    init(_ appender: SQLiteAppender, _ answers: LogAnswers) {
        self.appender = appender
        self.answers = answers
    }

    /// Finds again what the index does not have yet. The first job.
    func restore(_ connection: SQLiteConnection) throws(Fault) { try appender.restore(connection) }

    func close() { appender.close() }

    /// The transaction of everything that was written since the last call has ended. Called before anybody is answered.
    func ended(isCommitted: Bool) { if isCommitted { appender.commit() } else { appender.discard() } }

    /// A part of a transaction that needs all committed events in the index, and may take rows out of it.
    func onWholeIndex<Value>(
        _ connection: SQLiteConnection, _ body: () throws(Fault) -> Value
    ) throws(Fault) -> Value {
        try appender.part { () throws(Fault) in
            try appender.moveAll(connection)
            return try body()
        }
    }

    func lastSeq(_ conversation: ConversationID, _ connection: SQLiteConnection) throws(Fault) -> Int64 {
        try appender.lastSeq(conversation, connection)
    }

    /// The drafts of one use case: all or nothing.
    func append(_ drafts: [Draft], _ connection: SQLiteConnection) throws(Fault) -> [Event] {
        guard !drafts.isEmpty else { return [] }
        return try appender.part { () throws(Fault) in
            try appender.begin(connection)
            var events: [Event] = []
            for draft in drafts {
                let receipt = try appender.append(draft, connection)
                if !receipt.isRepeat { events.append(Event(draft, receipt)) }
            }
            try appender.moveDue(connection)
            return events
        }
    }

    /// Sends of many people: each is stored or refused by itself; a failure of the database fails them all.
    func append(_ requests: [AppendRequest], _ connection: SQLiteConnection) throws(Fault) {
        try appender.part { () throws(Fault) in
            try appender.begin(connection)
            for request in requests {
                do throws(Fault) {
                    request.outcome = .success(try appender.append(request.draft, connection))
                } catch {
                    guard !error.isOurs else { throw error }
                    request.outcome = .failure(error)
                }
            }
            try appender.moveDue(connection)
        }
    }
}
