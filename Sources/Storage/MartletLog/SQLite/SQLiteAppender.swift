import MartletCore
import MartletSQL

/// Places drafts in the log, inside the writer's transaction. Belongs to the writer's thread. It remembers the newest
/// sequence number of the conversations in use; `commit` or `discard` tells how the transaction ended.
final class SQLiteAppender {
    private struct Place {
        let key: Int64
        var last: Int64
    }

    /// Conversations remembered; past that all are forgotten and those in use come back by one query each.
    private static let capacity = 200_000

    private let clock: any TimeSource
    private let window: Duration
    private let indexer: LogIndexer
    /// Those with events of the open transaction are all in it.
    private var places: [ConversationID: Place] = [:]
    private var ordinal: Int64?
    private var time = Instant.distantPast
    private var statements: SQLiteLogStatements?

    init(clock: any TimeSource, window: Duration, indexer: LogIndexer) {
        self.clock = clock
        self.window = window
        self.indexer = indexer
    }

    /// Places the events that the index lacks in the tail; the end of the transaction makes them visible.
    func restore(_ connection: SQLiteConnection) throws(Fault) {
        let rows = try connection.rows(
            """
            SELECT c.name, e.conversation, e.ordinal, e.seq, e.time, e.sender, e.kind, e.body IS NULL AS erased
            FROM log_events e JOIN log_conversations c ON c.id = e.conversation
            WHERE e.ordinal > (SELECT value FROM log_state WHERE name = 'indexed_through') ORDER BY e.ordinal
            """)
        for row in rows {
            let entry = LogTail.Entry(
                seq: try row.integer("seq"), ordinal: try row.integer("ordinal"), time: try row.instant("time"),
                sender: try row.user("sender"), kind: try row.eventKind("kind"), isErased: try row.flag("erased"))
            indexer.place(try row.conversation("name"), key: try row.integer("conversation"), entry)
        }
    }

    // MARK: Transactions

    /// Part of a transaction: where `body` throws, what it did to the log is forgotten with what it did to the database.
    func part<Value>(_ body: () throws(Fault) -> Value) throws(Fault) -> Value {
        let mark = indexer.mark
        let before = ordinal
        do throws(Fault) {
            return try body()
        } catch {
            // A conversation that the part made is gone too.
            places = indexer.rollBack(to: mark).mapValues { Place(key: $0.key, last: $0.last) }
            ordinal = before
            statements?.generation = nil
            throw error
        }
    }

    /// The transaction is committed; behind this readers see what it stored.
    func commit() {
        indexer.commit()
        if places.count > Self.capacity { places = [:] }
    }

    /// Drops what is remembered: the transaction that it came from is gone.
    func discard() {
        indexer.discard()
        places = [:]
        ordinal = nil
        statements?.generation = nil
    }

    /// Moves to the index what is due. Called behind the drafts of a part of a transaction.
    func moveDue(_ connection: SQLiteConnection) throws(Fault) { try indexer.moveDue(try prepared(connection)) }

    /// Brings the index up to date but for the open transaction.
    func moveAll(_ connection: SQLiteConnection) throws(Fault) { try indexer.moveAll(try prepared(connection)) }

    /// Called when the connection is about to close.
    func close() { statements = nil }

    /// Appends one draft. Throws its refusal (`client_id_reused`, `unknown_message`, `already_recalled`), which leaves
    /// the transaction as it was, or a failure of the database (`unavailable`, `internal`), after which the transaction
    /// must be undone.
    func append(_ draft: Draft, _ connection: SQLiteConnection) throws(Fault) -> Receipt {
        let statements = try prepared(connection)
        let place = try place(of: draft.conversation, statements)
        let receipt = Receipt(seq: place.last + 1, ordinal: (ordinal ?? 0) + 1, time: time, isRepeat: false)
        if draft.clientId.isEmpty {
            if draft.kind.isAmendment { try amend(draft, place, receipt, statements) }
        } else {
            let digest = PayloadDigest.of(draft)
            if draft.kind.isAmendment {
                // A retry of what could not be done twice is a retry first.
                if let earlier = try statements.earlier(draft, place.key, digest) { return earlier }
                try amend(draft, place, receipt, statements)
            }
            if let earlier = try statements.remember(draft, place.key, receipt, digest) { return earlier }
        }
        try statements.insert(draft, place.key, receipt)
        indexer.place(
            draft.conversation, key: place.key,
            LogTail.Entry(
                seq: receipt.seq, ordinal: receipt.ordinal, time: receipt.time, sender: draft.sender, kind: draft.kind))
        places[draft.conversation] = Place(key: place.key, last: receipt.seq)
        ordinal = receipt.ordinal
        return receipt
    }

    /// The newest sequence number as this transaction sees it. Remembers nothing, since the transaction may yet be
    /// undone without a word.
    func lastSeq(_ conversation: ConversationID, _ connection: SQLiteConnection) throws(Fault) -> Int64 {
        if let place = places[conversation] { return place.last }
        let statements = try prepared(connection)
        if let last = indexer.lastSeq(conversation) { return last }
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
        let key = try statements.key(of: conversation)
        let last: Int64
        if let committed = indexer.lastSeq(conversation) {
            last = committed
        } else {
            last = try statements.lastSeq(key)
        }
        let place = Place(key: key, last: last)
        places[conversation] = place
        return place
    }

    /// Checks an amendment's target and notes the amendment; a recall erases the content and its edits.
    private func amend(
        _ draft: Draft, _ place: Place, _ receipt: Receipt, _ statements: SQLiteLogStatements
    ) throws(Fault) {
        guard let target = draft.target, target >= 1, target <= place.last,
            let event = try event(draft.conversation, place.key, target, statements), event.kind.isMessage
        else { throw Fault(.unknownMessage, "there is no such message", field: "target") }
        guard !event.isErased else { throw Fault(.alreadyRecalled, "the message was recalled") }
        if draft.kind == .recall {
            try statements.erase(place.key, target, ordinal: event.ordinal)
            indexer.erase(draft.conversation, target)
        }
        try statements.note(draft, place.key, target: target, receipt)
    }

    private func event(
        _ conversation: ConversationID, _ key: Int64, _ seq: Int64, _ statements: SQLiteLogStatements
    ) throws(Fault) -> (ordinal: Int64, kind: EventKind, isErased: Bool)? {
        if let entry = indexer.entry(conversation, seq) { return (entry.ordinal, entry.kind, entry.isErased) }
        return try statements.event(key, seq)
    }
}

extension SQLRow {
    /// A kind of event. One that this program does not know throws `internal`.
    func eventKind(_ name: String) throws(Fault) -> EventKind {
        guard let kind = EventKind(rawValue: Int16(truncatingIfNeeded: try integer(name))) else {
            throw Fault(.internalError, "internal error")
        }
        return kind
    }
}
