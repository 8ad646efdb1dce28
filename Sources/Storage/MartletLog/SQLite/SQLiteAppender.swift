import MartletCore
import MartletSQL

/// Places drafts in the log, inside the writer's transaction. Belongs to the writer's thread. It remembers the newest
/// sequence number of the conversations in use; whoever rolls a transaction back calls `forget`.
final class SQLiteAppender {
    private struct Place {
        let key: Int64
        var last: Int64
    }

    /// Conversations remembered; past that all are forgotten and those in use come back by one query each.
    private static let capacity = 200_000

    private let clock: any TimeSource
    private let window: Duration
    private var places: [ConversationID: Place] = [:]
    private var ordinal: Int64?
    private var time = Instant.distantPast
    private var statements: SQLiteLogStatements?

    init(clock: any TimeSource, window: Duration) {
        self.clock = clock
        self.window = window
    }

    /// Drops what is remembered: the transaction that it came from is gone.
    func forget() {
        places = [:]
        ordinal = nil
        statements?.generation = nil
    }

    /// Called when the connection is about to close.
    func close() { statements = nil }

    /// Appends one draft. Throws its refusal (`client_id_reused`, `unknown_message`, `already_recalled`), which leaves
    /// the transaction as it was, or a failure of the database (`unavailable`, `internal`), after which the transaction
    /// must be undone.
    func append(_ draft: Draft, _ connection: SQLiteConnection) throws(Fault) -> Receipt {
        let statements = try prepared(connection)
        let place = try place(of: draft.conversation, statements)
        let hasRetryRecord = !draft.clientId.isEmpty
        let digest = hasRetryRecord ? PayloadDigest.of(draft) : 0
        if hasRetryRecord, let earlier = try statements.earlier(draft, place.key, digest) { return earlier }
        if draft.kind.isAmendment { try amend(draft, place, statements) }

        let receipt = Receipt(seq: place.last + 1, ordinal: (ordinal ?? 0) + 1, time: time, isRepeat: false)
        try statements.insert(draft, place.key, receipt)
        if hasRetryRecord { try statements.remember(draft, place.key, receipt, digest) }
        places[draft.conversation] = Place(key: place.key, last: receipt.seq)
        ordinal = receipt.ordinal
        return receipt
    }

    /// The newest sequence number as this transaction sees it. Remembers nothing, since the transaction may yet be
    /// undone without a word.
    func lastSeq(_ conversation: ConversationID, _ connection: SQLiteConnection) throws(Fault) -> Int64 {
        if let place = places[conversation] { return place.last }
        let statements = try prepared(connection)
        guard let key = try statements.existingKey(of: conversation) else { return 0 }
        return try statements.lastSeq(key)
    }

    /// Called before the drafts of a transaction: takes the time that they all get, and changes generations when it is
    /// due.
    func begin(_ connection: SQLiteConnection) throws(Fault) {
        let statements = try prepared(connection)
        if ordinal == nil {
            let newest = try statements.newestEvent()
            ordinal = newest.ordinal
            time = max(time, newest.time)
        }
        // Never backwards, also when the machine's clock is set back: readers sort by it, and what expires is found by
        // it.
        time = max(time, clock.now)
        try statements.rotate(now: time, window: window)
    }

    private func prepared(_ connection: SQLiteConnection) throws(Fault) -> SQLiteLogStatements {
        if let statements { return statements }
        guard let handle = connection.handle else { throw Fault(.shuttingDown, "the server is stopping") }
        let made = try SQLiteLogStatements(handle)
        statements = made
        return made
    }

    private func place(of conversation: ConversationID, _ statements: SQLiteLogStatements) throws(Fault) -> Place {
        if let place = places[conversation] { return place }
        if places.count >= Self.capacity { places = [:] }
        let key = try statements.key(of: conversation)
        let place = Place(key: key, last: try statements.lastSeq(key))
        places[conversation] = place
        return place
    }

    /// Checks an amendment's target and notes the amendment; a recall erases the content and its edits.
    private func amend(_ draft: Draft, _ place: Place, _ statements: SQLiteLogStatements) throws(Fault) {
        guard let target = draft.target, target >= 1, target <= place.last,
            let state = try statements.state(place.key, target), state.kind < EventKind.firstNonMessage
        else { throw Fault(.unknownMessage, "there is no such message", field: "target") }
        guard !state.isErased else { throw Fault(.alreadyRecalled, "the message was recalled") }
        if draft.kind == .recall { try statements.erase(place.key, target) }
        try statements.note(draft, place.key, target: target, seq: place.last + 1)
    }
}
