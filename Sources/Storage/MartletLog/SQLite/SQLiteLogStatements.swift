import MartletCore
import MartletSQL

/// The statements of an append. They live as long as the writer's connection.
final class SQLiteLogStatements {
    private let insertEvent, findConversation, insertConversation, newestSeq, newest: SQLiteStatement
    private let insertIndex, findIndex, eraseIndex, eraseEvent, eraseEdits: SQLiteStatement
    private let insertAmendment, readState, writeState: SQLiteStatement
    private let findRetry, insertRetry, emptyRetries: [SQLiteStatement]

    /// Which table of retries takes new records; nil until it is read.
    var generation: (index: Int, since: Instant)?

    init(_ handle: OpaquePointer) throws(Fault) {
        func make(_ sql: String) throws(Fault) -> SQLiteStatement { try SQLiteStatement(sql, handle) }
        insertEvent = try make(
            """
            INSERT INTO log_events (ordinal, conversation, seq, sender, kind, time, client_id, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """)
        findConversation = try make("SELECT id FROM log_conversations WHERE name = ?1")
        insertConversation = try make("INSERT INTO log_conversations (name) VALUES (?1) RETURNING id")
        newestSeq = try make("SELECT max(seq) FROM log_index WHERE conversation = ?1")
        newest = try make("SELECT ordinal, time FROM log_events ORDER BY ordinal DESC LIMIT 1")
        // A start may find events again that had moved already.
        insertIndex = try make(
            """
            INSERT OR IGNORE INTO log_index (conversation, seq, ordinal, sender, kind, erased)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            """)
        findIndex = try make("SELECT ordinal, kind, erased FROM log_index WHERE conversation = ?1 AND seq = ?2")
        eraseIndex = try make("UPDATE log_index SET erased = 1 WHERE conversation = ?1 AND seq = ?2")
        eraseEvent = try make("UPDATE log_events SET body = NULL WHERE ordinal = ?1")
        eraseEdits = try make(
            """
            UPDATE log_events SET body = NULL WHERE ordinal IN
                (SELECT ordinal FROM log_amendments WHERE conversation = ?1 AND target = ?2 AND kind = \(EventKind.edit.rawValue))
            """)
        insertAmendment = try make(
            "INSERT INTO log_amendments (conversation, target, seq, kind, sender, ordinal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        )
        readState = try make("SELECT value FROM log_state WHERE name = ?1")
        writeState = try make("UPDATE log_state SET value = ?1 WHERE name = ?2")
        var find: [SQLiteStatement] = []
        var insert: [SQLiteStatement] = []
        var empty: [SQLiteStatement] = []
        for table in ["log_retries_0", "log_retries_1"] {
            find.append(
                try make(
                    "SELECT seq, ordinal, time, digest FROM \(table) WHERE client_id = ?1 AND sender = ?2 AND conversation = ?3"
                ))
            insert.append(
                try make(
                    """
                    INSERT INTO \(table) (client_id, sender, conversation, seq, ordinal, time, digest)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING
                    """))
            empty.append(try make("DELETE FROM \(table)"))
        }
        (findRetry, insertRetry, emptyRetries) = (find, insert, empty)
    }

    func insert(_ draft: Draft, _ key: Int64, _ receipt: Receipt) throws(Fault) {
        insertEvent.bind(1, receipt.ordinal)
        insertEvent.bind(2, key)
        insertEvent.bind(3, receipt.seq)
        insertEvent.bind(4, draft.sender.value)
        insertEvent.bind(5, Int64(draft.kind.rawValue))
        insertEvent.bind(6, receipt.time.milliseconds)
        try insertEvent.run(text: (7, draft.clientId), blob: (8, draft.body))
    }

    // MARK: Conversations

    /// The number that stands for a conversation's name in the log's tables.
    func key(of conversation: ConversationID) throws(Fault) -> Int64 {
        if let key = try existingKey(of: conversation) { return key }
        guard let key = try value(insertConversation, text: (1, conversation.text)) else {
            throw Fault(.internalError, "internal error")
        }
        return key
    }

    func existingKey(of conversation: ConversationID) throws(Fault) -> Int64? {
        try value(findConversation, text: (1, conversation.text))
    }

    func lastSeq(_ key: Int64) throws(Fault) -> Int64 {
        newestSeq.bind(1, key)
        return try value(newestSeq) ?? 0
    }

    /// The last event of the whole log; 0 and the distant past where there is none.
    func newestEvent() throws(Fault) -> (ordinal: Int64, time: Instant) {
        defer { newest.reset() }
        guard try newest.step() else { return (0, .distantPast) }
        return (newest.integer(0), Instant(milliseconds: newest.integer(1)))
    }

    private func value(_ statement: SQLiteStatement, text: (Int32, String)? = nil) throws(Fault) -> Int64? {
        defer { statement.reset() }
        guard try statement.step(text: text), !statement.isNull(0) else { return nil }
        return statement.integer(0)
    }

    // MARK: The index

    func index(_ key: Int64, _ entry: LogTail.Entry) throws(Fault) {
        insertIndex.bind(1, key)
        insertIndex.bind(2, entry.seq)
        insertIndex.bind(3, entry.ordinal)
        insertIndex.bind(4, entry.sender.value)
        insertIndex.bind(5, Int64(entry.kind.rawValue))
        insertIndex.bind(6, entry.isErased ? 1 : 0)
        try insertIndex.run()
    }

    /// All events up to here are in the index.
    func setIndexed(through ordinal: Int64) throws(Fault) { try set("indexed_through", ordinal) }

    func event(_ key: Int64, _ seq: Int64) throws(Fault) -> (ordinal: Int64, kind: EventKind, isErased: Bool)? {
        findIndex.bind(1, key)
        findIndex.bind(2, seq)
        defer { findIndex.reset() }
        guard try findIndex.step(),
            let kind = EventKind(rawValue: Int16(truncatingIfNeeded: findIndex.integer(1)))
        else { return nil }
        return (findIndex.integer(0), kind, findIndex.integer(2) != 0)
    }

    // MARK: Amendments

    /// Takes the content of an event and of its edits away.
    func erase(_ key: Int64, _ target: Int64, ordinal: Int64) throws(Fault) {
        eraseEvent.bind(1, ordinal)
        try eraseEvent.run()
        for statement in [eraseEdits, eraseIndex] {
            statement.bind(1, key)
            statement.bind(2, target)
            try statement.run()
        }
    }

    func note(_ draft: Draft, _ key: Int64, target: Int64, _ receipt: Receipt) throws(Fault) {
        insertAmendment.bind(1, key)
        insertAmendment.bind(2, target)
        insertAmendment.bind(3, receipt.seq)
        insertAmendment.bind(4, Int64(draft.kind.rawValue))
        insertAmendment.bind(5, draft.sender.value)
        insertAmendment.bind(6, receipt.ordinal)
        try insertAmendment.run()
    }

    // MARK: The retry window

    /// The receipt of the same send, if there was one within the window.
    func earlier(_ draft: Draft, _ key: Int64, _ digest: Int64) throws(Fault) -> Receipt? {
        if let receipt = try earlier(draft, key, digest, in: current) { return receipt }
        return try earlier(draft, key, digest, in: 1 - current)
    }

    private var current: Int { generation?.index ?? 0 }

    private func earlier(
        _ draft: Draft, _ key: Int64, _ digest: Int64, in generation: Int
    ) throws(Fault) -> Receipt? {
        let statement = findRetry[generation]
        statement.bind(2, draft.sender.value)
        statement.bind(3, key)
        defer { statement.reset() }
        guard try statement.step(text: (1, draft.clientId)) else { return nil }
        guard statement.integer(3) == digest else {
            throw Fault(.clientIdReused, "this clientId was used for another payload", field: "clientId")
        }
        return Receipt(
            seq: statement.integer(0), ordinal: statement.integer(1),
            time: Instant(milliseconds: statement.integer(2)), isRepeat: true)
    }

    /// Notes the receipt of a send, unless there was the same send within the window: then returns that one's. Nearly always there was none, so the
    /// note in the current generation is tried first and tells by itself.
    func remember(_ draft: Draft, _ key: Int64, _ receipt: Receipt, _ digest: Int64) throws(Fault) -> Receipt? {
        if let receipt = try earlier(draft, key, digest, in: 1 - current) { return receipt }
        let statement = insertRetry[current]
        statement.bind(2, draft.sender.value)
        statement.bind(3, key)
        statement.bind(4, receipt.seq)
        statement.bind(5, receipt.ordinal)
        statement.bind(6, receipt.time.milliseconds)
        statement.bind(7, digest)
        try statement.run(text: (1, draft.clientId))
        return statement.changes > 0 ? nil : try earlier(draft, key, digest, in: current)
    }

    /// Empties the older generation and begins to fill it, once the newer one covers the window.
    func rotate(now: Instant, window: Duration) throws(Fault) {
        var current = try loadedGeneration()
        if current.since == .distantPast {
            current.since = now
        } else if now - current.since >= window {
            current = ((current.index + 1) % 2, now)
            try emptyRetries[current.index].run()
        } else {
            return
        }
        try set("generation", Int64(current.index))
        try set("generation_since", current.since.milliseconds)
        generation = current
    }

    private func loadedGeneration() throws(Fault) -> (index: Int, since: Instant) {
        if let generation { return generation }
        let index = try value(readState, text: (1, "generation")) ?? 0
        let since = try value(readState, text: (1, "generation_since")) ?? 0
        let loaded = (index: Int(index) & 1, since: Instant(milliseconds: since))
        generation = loaded
        return loaded
    }

    private func set(_ name: String, _ value: Int64) throws(Fault) {
        writeState.bind(1, value)
        try writeState.run(text: (2, name))
    }
}
