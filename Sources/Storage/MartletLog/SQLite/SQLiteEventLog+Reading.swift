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
        let stretch = tail.stretch(of: conversation)
        return try await database.read { connection throws(Fault) in
            guard let place = try Self.place(of: conversation, connection) else {
                return LogPage(events: [], amendments: [], bounds: .empty)
            }
            let bounds = try Self.bounds([conversation: stretch], connection)[conversation] ?? .empty
            let found = stretch.within(max(range.lowerBound, place.first)...max(range.upperBound, place.first))
            var events: [Event] = []
            if newest {
                events = try Self.indexed(
                    conversation, place.key, range, below: stretch, limit: limit - found.count, "DESC", connection)
                events.reverse()
                events += try Self.stored(found.suffix(limit), conversation, connection)
            } else {
                events = try Self.indexed(
                    conversation, place.key, range, below: stretch, limit: limit, "ASC", connection)
                events += try Self.stored(found.prefix(limit - events.count), conversation, connection)
            }
            return LogPage(
                events: events, amendments: try Self.amendments(place.key, events, connection), bounds: bounds)
        }
    }

    /// The events that the index has, but for those of the stretch, which may be in both.
    private static func indexed(
        _ conversation: ConversationID, _ key: Int64, _ range: ClosedRange<Int64>, below stretch: LogTail.Stretch,
        limit: Int, _ order: SQL, _ connection: any SQLConnection
    ) throws(Fault) -> [Event] {
        guard limit > 0 else { return [] }
        let end = min(range.upperBound, (stretch.first?.seq ?? .max) - 1)
        let rows = try connection.rows(
            """
            SELECT e.ordinal, e.seq, e.sender, e.kind, e.time, e.client_id, e.body FROM log_index i
            JOIN log_events e ON e.ordinal = i.ordinal
            WHERE i.conversation = \(key) AND i.seq BETWEEN \(range.lowerBound) AND \(end)
            ORDER BY i.seq \(order) LIMIT \(limit)
            """)
        var events: [Event] = []
        events.reserveCapacity(rows.count)
        for row in rows { events.append(try event(row, conversation)) }
        return events
    }

    /// The events of a stretch.
    private static func stored(
        _ entries: some Sequence<LogTail.Entry>, _ conversation: ConversationID, _ connection: any SQLConnection
    ) throws(Fault) -> [Event] {
        var events: [Event] = []
        for entry in entries {
            let row = try connection.row(
                """
                SELECT ordinal, seq, sender, kind, time, client_id, body FROM log_events WHERE ordinal = \(entry.ordinal)
                """)
            // One that was stored behind this read's beginning is not seen by it.
            if let row { events.append(try event(row, conversation)) }
        }
        return events
    }

    private static func amendments(_ key: Int64, _ events: [Event], _ connection: any SQLConnection) throws(Fault)
        -> [Amendment]
    {
        guard let first = events.first?.seq, let last = events.last?.seq else { return [] }
        let rows = try connection.rows(
            """
            SELECT a.target, a.seq, a.kind, a.sender, e.time, e.body FROM log_amendments a
            JOIN log_events e ON e.ordinal = a.ordinal
            WHERE a.conversation = \(key) AND a.target BETWEEN \(first) AND \(last)
            ORDER BY a.seq DESC LIMIT \(amendmentsPerPage)
            """)
        var amendments: [Amendment] = []
        for row in rows.reversed() {
            amendments.append(
                Amendment(
                    target: try row.integer("target"), seq: try row.integer("seq"), kind: try row.eventKind("kind"),
                    sender: try row.user("sender"),
                    time: try row.instant("time"), body: try row.optionalBlob("body")))
        }
        return amendments
    }

    package func bounds(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: LogBounds] {
        var stretches = tail.stretches(of: conversations)
        for conversation in conversations where stretches[conversation] == nil { stretches[conversation] = [] }
        let wanted = stretches
        return try await database.read { connection throws(Fault) in try Self.bounds(wanted, connection) }
    }

    /// - Parameter wanted: the conversations and their stretches of the tail.
    private static func bounds(
        _ wanted: [ConversationID: LogTail.Stretch], _ connection: any SQLConnection
    ) throws(Fault) -> [ConversationID: LogBounds] {
        var result: [ConversationID: LogBounds] = [:]
        let conversations = Array(wanted.keys)
        for start in stride(from: 0, to: conversations.count, by: namesPerQuery) {
            let names = Array(conversations[start..<min(start + namesPerQuery, conversations.count)])
            let rows = try connection.rows(
                """
                SELECT c.name, c.first_seq, e.seq, e.time FROM log_conversations c
                LEFT JOIN log_events e ON e.ordinal = (
                    SELECT ordinal FROM log_index WHERE conversation = c.id ORDER BY seq DESC LIMIT 1)
                WHERE c.name IN (\(list: names))
                """)
            for row in rows {
                let conversation = try row.conversation("name")
                let first = try row.integer("first_seq")
                if let last = wanted[conversation]?.last {
                    result[conversation] = LogBounds(first: first, last: last.seq, lastTime: last.time)
                } else if let last = try row.optionalInteger("seq") {
                    result[conversation] = LogBounds(first: first, last: last, lastTime: try row.instant("time"))
                }
            }
        }
        return result
    }

    package func lastMessages(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: Event] {
        let stretches = tail.stretches(of: conversations)
        return try await database.read { connection throws(Fault) in
            var result: [ConversationID: Event] = [:]
            for conversation in conversations {
                let stretch = stretches[conversation] ?? []
                if let newest = stretch.last(where: \.kind.isMessage) {
                    result[conversation] = try Self.stored([newest], conversation, connection).first
                } else if let key = try Self.place(of: conversation, connection)?.key {
                    let row = try connection.row(
                        """
                        SELECT e.ordinal, e.seq, e.sender, e.kind, e.time, e.client_id, e.body FROM log_index i
                        JOIN log_events e ON e.ordinal = i.ordinal
                        WHERE i.conversation = \(key) AND i.kind < \(EventKind.firstNonMessage)
                        ORDER BY i.seq DESC LIMIT 1
                        """)
                    if let row { result[conversation] = try Self.event(row, conversation) }
                }
            }
            return result
        }
    }

    package func unread(_ cursors: [ConversationID: Int64], for user: UserID) async throws(Fault) -> [ConversationID:
        Int]
    {
        let stretches = tail.stretches(of: cursors.keys)
        return try await database.read { connection throws(Fault) in
            var result: [ConversationID: Int] = [:]
            for (conversation, cursor) in cursors {
                guard let place = try Self.place(of: conversation, connection) else { continue }
                let stretch = stretches[conversation] ?? []
                let end = stretch.first?.seq ?? .max
                var count = stretch.count { $0.isUnread && $0.seq > cursor && $0.sender != user }
                if cursor < end - 1 {
                    let indexed = try connection.integer(
                        """
                        SELECT count(*) FROM (SELECT 1 FROM log_index
                            WHERE conversation = \(place.key) AND seq > \(cursor) AND seq < \(end)
                                AND kind < \(EventKind.firstNonMessage) AND erased = 0 AND sender <> \(user)
                            LIMIT \(Limits.unreadCount)) AS unread
                        """)
                    count += Int(indexed ?? 0)
                }
                result[conversation] = min(count, Limits.unreadCount)
            }
            return result
        }
    }

    // MARK: Removing

    package func trim(_ conversation: ConversationID, before seq: Int64) async throws(Fault) -> Int {
        let writing = writing
        return try await database.perform { connection throws(Fault) in
            try writing.onWholeIndex(connection) { () throws(Fault) in
                try Self.trim(conversation, before: seq, connection)
            }
        }
    }

    /// All events are in the index.
    private static func trim(_ conversation: ConversationID, before seq: Int64, _ connection: any SQLConnection)
        throws(Fault) -> Int
    {
        guard let place = try place(of: conversation, connection),
            let last = try connection.integer("SELECT max(seq) FROM log_index WHERE conversation = \(place.key)")
        else { return 0 }
        // The newest event stays: the next sequence number is counted from it.
        let first = min(seq, last, place.first + trimmedPerCall)
        guard first > place.first else { return 0 }
        let removed = try connection.run(
            """
            DELETE FROM log_events WHERE ordinal IN
                (SELECT ordinal FROM log_index WHERE conversation = \(place.key) AND seq < \(first))
            """)
        try connection.run("DELETE FROM log_index WHERE conversation = \(place.key) AND seq < \(first)")
        try connection.run(
            "DELETE FROM log_amendments WHERE conversation = \(place.key) AND (target < \(first) OR seq < \(first))")
        try connection.run("UPDATE log_conversations SET first_seq = \(first) WHERE id = \(place.key)")
        return removed
    }

    package func expire(before time: Instant) async throws(Fault) -> Int {
        let writing = writing
        return try await database.perform { connection throws(Fault) in
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
            guard !rows.isEmpty else { return 0 }
            return try writing.onWholeIndex(connection) { () throws(Fault) in
                var removed = 0
                var through = mark
                for row in rows {
                    removed += try Self.trim(
                        try row.conversation("name"), before: try row.integer("seq") + 1, connection)
                    through = max(through, try row.integer("ordinal"))
                }
                try connection.run("UPDATE log_state SET value = \(through) WHERE name = 'expired_through'")
                return max(removed, 1)
            }
        }
    }

    // MARK: Rows

    private static func place(
        of conversation: ConversationID, _ connection: any SQLConnection
    ) throws(Fault) -> (key: Int64, first: Int64)? {
        guard
            let row = try connection.row(
                "SELECT id, first_seq FROM log_conversations WHERE name = \(conversation)")
        else { return nil }
        return (try row.integer("id"), try row.integer("first_seq"))
    }

    private static func event(_ row: SQLRow, _ conversation: ConversationID) throws(Fault) -> Event {
        Event(
            conversation: conversation, seq: try row.integer("seq"), ordinal: try row.integer("ordinal"),
            sender: try row.user("sender"),
            senderName: "", kind: try row.eventKind("kind"), clientId: try row.text("client_id"),
            time: try row.instant("time"),
            body: try row.optionalBlob("body"))
    }
}
