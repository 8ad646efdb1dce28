import MartletCore
import MartletSQL

extension SQLiteEventLog {
    /// Amendments that one page may carry; the newest ones win.
    private static let amendmentsPerPage = 10_000
    /// Events removed by one call of `trim`.
    private static let trimmedPerCall: Int64 = 5000
    /// Names in one `IN (…)`.
    private static let namesPerQuery = 500

    package func read(_ conversation: ConversationID, _ range: ClosedRange<Int64>, limit: Int, newest: Bool)
        async throws(Fault) -> LogPage
    {
        try await database.read { connection throws(Fault) in
            guard let bounds = try Self.bounds([conversation], connection)[conversation],
                let key = try Self.key(of: conversation, connection)
            else { return LogPage(events: [], amendments: [], bounds: .empty) }
            let order: SQL = newest ? "DESC" : "ASC"
            var rows = try connection.rows(
                """
                SELECT ordinal, seq, sender, kind, time, client_id, body FROM log_events
                WHERE conversation = \(key) AND seq BETWEEN \(range.lowerBound) AND \(range.upperBound)
                ORDER BY seq \(order) LIMIT \(limit)
                """)
            if newest { rows.reverse() }
            var events: [Event] = []
            events.reserveCapacity(rows.count)
            for row in rows { events.append(try Self.event(row, conversation)) }
            return LogPage(events: events, amendments: try Self.amendments(key, events, connection), bounds: bounds)
        }
    }

    private static func amendments(_ key: Int64, _ events: [Event], _ connection: any SQLConnection) throws(Fault)
        -> [Amendment]
    {
        guard let first = events.first?.seq, let last = events.last?.seq else { return [] }
        let rows = try connection.rows(
            """
            SELECT a.target, a.seq, a.kind, a.sender, e.time, e.body FROM log_amendments a
            JOIN log_events e ON e.conversation = a.conversation AND e.seq = a.seq
            WHERE a.conversation = \(key) AND a.target BETWEEN \(first) AND \(last)
            ORDER BY a.seq DESC LIMIT \(amendmentsPerPage)
            """)
        var amendments: [Amendment] = []
        for row in rows.reversed() {
            amendments.append(
                Amendment(
                    target: try row.integer("target"), seq: try row.integer("seq"), kind: try kind(row),
                    sender: try row.user("sender"),
                    time: try row.instant("time"), body: try row.optionalBlob("body")))
        }
        return amendments
    }

    package func bounds(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: LogBounds] {
        try await database.read { connection throws(Fault) in try Self.bounds(conversations, connection) }
    }

    private static func bounds(
        _ conversations: [ConversationID], _ connection: any SQLConnection
    ) throws(Fault) -> [ConversationID: LogBounds] {
        var result: [ConversationID: LogBounds] = [:]
        for start in stride(from: 0, to: conversations.count, by: namesPerQuery) {
            let names = Array(conversations[start..<min(start + namesPerQuery, conversations.count)])
            let rows = try connection.rows(
                """
                SELECT c.name, c.first_seq, e.seq, e.time FROM log_conversations c
                JOIN log_events e ON e.conversation = c.id
                    AND e.seq = (SELECT max(seq) FROM log_events WHERE conversation = c.id)
                WHERE c.name IN (\(list: names))
                """)
            for row in rows {
                result[try row.conversation("name")] = LogBounds(
                    first: try row.integer("first_seq"), last: try row.integer("seq"), lastTime: try row.instant("time")
                )
            }
        }
        return result
    }

    package func lastMessages(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: Event] {
        try await database.read { connection throws(Fault) in
            var result: [ConversationID: Event] = [:]
            for conversation in conversations {
                guard let key = try Self.key(of: conversation, connection) else { continue }
                let row = try connection.row(
                    """
                    SELECT ordinal, seq, sender, kind, time, client_id, body FROM log_events
                    WHERE conversation = \(key) AND kind < \(EventKind.firstNonMessage) ORDER BY seq DESC LIMIT 1
                    """)
                if let row { result[conversation] = try Self.event(row, conversation) }
            }
            return result
        }
    }

    package func unread(_ cursors: [ConversationID: Int64], for user: UserID) async throws(Fault) -> [ConversationID:
        Int]
    {
        try await database.read { connection throws(Fault) in
            var result: [ConversationID: Int] = [:]
            for (conversation, cursor) in cursors {
                guard let key = try Self.key(of: conversation, connection) else { continue }
                let count = try connection.integer(
                    """
                    SELECT count(*) FROM (SELECT 1 FROM log_events
                        WHERE conversation = \(key) AND seq > \(cursor) AND kind < \(EventKind.firstNonMessage)
                            AND sender <> \(user) AND body IS NOT NULL
                        LIMIT \(Limits.unreadCount)) AS unread
                    """)
                result[conversation] = Int(count ?? 0)
            }
            return result
        }
    }

    package func trim(_ conversation: ConversationID, before seq: Int64) async throws(Fault) -> Int {
        try await database.write { connection throws(Fault) in try Self.trim(conversation, before: seq, connection) }
    }

    private static func trim(_ conversation: ConversationID, before seq: Int64, _ connection: any SQLConnection)
        throws(Fault) -> Int
    {
        guard let key = try key(of: conversation, connection),
            let bounds = try bounds([conversation], connection)[conversation]
        else { return 0 }
        // The newest event stays: the next sequence number is counted from it.
        let first = min(seq, bounds.last, bounds.first + trimmedPerCall)
        guard first > bounds.first else { return 0 }
        let removed = try connection.run("DELETE FROM log_events WHERE conversation = \(key) AND seq < \(first)")
        try connection.run(
            "DELETE FROM log_amendments WHERE conversation = \(key) AND (target < \(first) OR seq < \(first))")
        try connection.run("UPDATE log_conversations SET first_seq = \(first) WHERE id = \(key)")
        return removed
    }

    package func expire(before time: Instant) async throws(Fault) -> Int {
        try await database.write { connection throws(Fault) in
            // Ordinals grow with time: what lies before the mark was dealt with already, and nothing old lies behind
            // the first that is young. So one bounded stretch tells all; looking for old events in the whole table
            // would stop every writer meanwhile.
            let mark = try connection.integer("SELECT value FROM log_state WHERE name = 'expired_through'") ?? 0
            let rows = try connection.rows(
                """
                SELECT c.name, max(e.seq) AS seq, max(e.ordinal) AS ordinal FROM (
                    SELECT conversation, seq, ordinal, time FROM log_events WHERE ordinal > \(mark)
                    ORDER BY ordinal LIMIT \(Self.trimmedPerCall)) e
                JOIN log_conversations c ON c.id = e.conversation WHERE e.time < \(time) GROUP BY c.name
                """)
            var removed = 0
            var through = mark
            for row in rows {
                removed += try Self.trim(try row.conversation("name"), before: try row.integer("seq") + 1, connection)
                through = max(through, try row.integer("ordinal"))
            }
            try connection.run("UPDATE log_state SET value = \(through) WHERE name = 'expired_through'")
            return rows.isEmpty ? 0 : max(removed, 1)
        }
    }

    // MARK: Rows

    private static func key(of conversation: ConversationID, _ connection: any SQLConnection) throws(Fault) -> Int64? {
        try connection.integer("SELECT id FROM log_conversations WHERE name = \(conversation)")
    }

    private static func kind(_ row: SQLRow) throws(Fault) -> EventKind {
        guard let kind = EventKind(rawValue: Int16(truncatingIfNeeded: try row.integer("kind"))) else {
            throw Fault(.internalError, "internal error")
        }
        return kind
    }

    private static func event(_ row: SQLRow, _ conversation: ConversationID) throws(Fault) -> Event {
        Event(
            conversation: conversation, seq: try row.integer("seq"), ordinal: try row.integer("ordinal"),
            sender: try row.user("sender"),
            senderName: "", kind: try kind(row), clientId: try row.text("client_id"), time: try row.instant("time"),
            body: try row.optionalBlob("body"))
    }
}
