import MartletCore
import MartletSQL

// Every statement names its conversations. Lists go as one value, so that one prepared statement serves every length.
extension PostgresEventLog {
    /// Amendments that one page may carry; the newest ones win.
    private static let amendmentsPerPage = 10_000

    package func read(_ conversation: ConversationID, _ range: ClosedRange<Int64>, limit: Int, newest: Bool)
        async throws(Fault) -> LogPage
    {
        try await database.read { connection throws(Fault) in
            let rows = try connection.rows(
                Self.page(conversation, range, limit: limit, newest ? "DESC" : "ASC"))
            guard let place = rows.first else { return LogPage(events: [], amendments: [], bounds: .empty) }
            let bounds = try Self.bounds(place)
            var events: [Event] = []
            events.reserveCapacity(rows.count)
            for row in rows where try row.optionalInteger("seq") != nil {
                events.append(try Self.event(row, conversation))
            }
            let amendments =
                try place.flag("is_amended")
                ? try Self.amendments(try place.integer("key"), events, connection) : []
            return LogPage(events: events, amendments: amendments, bounds: bounds)
        }
    }

    private static func page(
        _ conversation: ConversationID, _ range: ClosedRange<Int64>, limit: Int, _ order: SQL
    ) -> SQL {
        """
        SELECT c.id AS key, c.first_seq, c.last_seq, c.last_time, EXISTS (
                SELECT 1 FROM log_amendments a WHERE a.conversation = c.id
                    AND a.target BETWEEN \(range.lowerBound) AND \(range.upperBound)) AS is_amended,
            e.seq, e.ordinal, e.sender, e.kind, e.time, e.client_id, e.body
        FROM log_conversations c LEFT JOIN LATERAL (
            SELECT seq, ordinal, sender, kind, time, client_id, body FROM log_events
            WHERE conversation = c.id
                AND seq BETWEEN greatest(\(range.lowerBound), c.first_seq) AND \(range.upperBound)
            ORDER BY seq \(order) LIMIT \(max(0, limit))) e ON true
        WHERE c.name = \(conversation) ORDER BY e.seq
        """
    }

    private static func amendments(_ key: Int64, _ events: [Event], _ connection: any SQLConnection) throws(Fault)
        -> [Amendment]
    {
        guard let first = events.first?.seq, let last = events.last?.seq else { return [] }
        let rows = try connection.rows(
            """
            SELECT target, seq, kind, sender, time, body FROM log_amendments
            WHERE conversation = \(key) AND target BETWEEN \(first) AND \(last)
            ORDER BY seq DESC LIMIT \(amendmentsPerPage)
            """)
        var amendments: [Amendment] = []
        for row in rows.reversed() {
            amendments.append(
                Amendment(
                    target: try row.integer("target"), seq: try row.integer("seq"), kind: try row.eventKind("kind"),
                    sender: try row.user("sender"), time: try row.instant("time"), body: try row.optionalBlob("body")))
        }
        return amendments
    }

    package func bounds(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: LogBounds] {
        guard !conversations.isEmpty else { return [:] }
        let names = Self.list(conversations)
        return try await database.read { connection throws(Fault) in
            let rows = try connection.rows(
                """
                SELECT name, first_seq, last_seq, last_time FROM log_conversations
                WHERE name = ANY (string_to_array(\(names), ',')) AND last_seq > 0
                """)
            var result: [ConversationID: LogBounds] = [:]
            result.reserveCapacity(rows.count)
            for row in rows { result[try row.conversation("name")] = try Self.bounds(row) }
            return result
        }
    }

    package func lastMessages(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: Event] {
        guard !conversations.isEmpty else { return [:] }
        let names = Self.list(conversations)
        return try await database.read { connection throws(Fault) in
            let rows = try connection.rows(
                """
                SELECT c.name, e.seq, e.ordinal, e.sender, e.kind, e.time, e.client_id, e.body
                FROM log_conversations c CROSS JOIN LATERAL (
                    SELECT seq, ordinal, sender, kind, time, client_id, body FROM log_events
                    WHERE conversation = c.id AND seq >= c.first_seq AND kind < \(EventKind.firstNonMessage)
                    ORDER BY seq DESC LIMIT 1) e
                WHERE c.name = ANY (string_to_array(\(names), ','))
                """)
            var result: [ConversationID: Event] = [:]
            for row in rows {
                let conversation = try row.conversation("name")
                result[conversation] = try Self.event(row, conversation)
            }
            return result
        }
    }

    package func unread(_ cursors: [ConversationID: Int64], for user: UserID) async throws(Fault) -> [ConversationID:
        Int]
    {
        guard !cursors.isEmpty else { return [:] }
        let wanted = Array(cursors)
        let names = Self.list(wanted.map(\.key))
        let behind = Self.list(wanted.map(\.value))
        return try await database.read { connection throws(Fault) in
            let rows = try connection.rows(
                """
                SELECT c.name, u.count FROM unnest(
                    string_to_array(\(names), ','), string_to_array(\(behind), ',')::bigint[]) AS w (name, cursor)
                JOIN log_conversations c ON c.name = w.name
                CROSS JOIN LATERAL (SELECT count(*) AS count FROM (
                    SELECT 1 FROM log_events
                    WHERE conversation = c.id AND seq > w.cursor AND seq >= c.first_seq
                        AND kind < \(EventKind.firstNonMessage) AND body IS NOT NULL AND sender <> \(user)
                    LIMIT \(Limits.unreadCount)) t) u
                """)
            var result: [ConversationID: Int] = [:]
            for row in rows { result[try row.conversation("name")] = Int(try row.integer("count")) }
            return result
        }
    }

    // MARK: Rows

    /// The text forms of conversations have no comma.
    static func list(_ conversations: [ConversationID]) -> String {
        conversations.map(\.text).joined(separator: ",")
    }

    static func list(_ numbers: [Int64]) -> String { numbers.map { String($0) }.joined(separator: ",") }

    private static func bounds(_ row: SQLRow) throws(Fault) -> LogBounds {
        LogBounds(
            first: try row.integer("first_seq"), last: try row.integer("last_seq"),
            lastTime: try row.instant("last_time"))
    }

    private static func event(_ row: SQLRow, _ conversation: ConversationID) throws(Fault) -> Event {
        Event(
            conversation: conversation, seq: try row.integer("seq"), ordinal: try row.integer("ordinal"),
            sender: try row.user("sender"), senderName: "", kind: try row.eventKind("kind"),
            clientId: try row.text("client_id"), time: try row.instant("time"), body: try row.optionalBlob("body"))
    }
}
