import MartletCore
import MartletSQL

// What removes takes turns with its like on all nodes (`Database.alter`), and locks the conversations that it touches as
// appends do.
extension PostgresEventLog {
    /// Events removed by one call of `trim`.
    private static let trimmedPerCall: Int64 = 5000
    /// Conversations that one call of `expire` looks at.
    private static let conversationsPerCall = 1000

    package func trim(_ conversation: ConversationID, before seq: Int64) async throws(Fault) -> Int {
        try await database.alter { connection throws(Fault) in
            guard
                let row = try connection.row(
                    "SELECT id, first_seq, last_seq FROM log_conversations WHERE name = \(conversation) FOR UPDATE")
            else { return 0 }
            let (key, oldest) = (try row.integer("id"), try row.integer("first_seq"))
            // The newest event stays, as on every engine.
            let first = min(seq, try row.integer("last_seq"), oldest + Self.trimmedPerCall)
            guard first > oldest else { return 0 }
            let removed = try connection.run("DELETE FROM log_events WHERE conversation = \(key) AND seq < \(first)")
            try connection.run("DELETE FROM log_amendments WHERE conversation = \(key) AND target < \(first)")
            try connection.run("UPDATE log_conversations SET first_seq = \(first) WHERE id = \(key)")
            return removed
        }
    }

    /// Events go with their whole period, once that lies before `time`: first its conversations are told to begin
    /// later, some at a time, and then the period's partition is dropped.
    package func expire(before time: Instant) async throws(Fault) -> Int {
        let (now, period) = (clock.now, partitions.period)
        return try await database.alter { connection throws(Fault) in
            try connection.run("SET LOCAL lock_timeout = 500")
            // `time` was reckoned from this node's clock.
            let end = PostgresPartitions.part(
                of: time - (try PostgresPartitions.advance(of: now, connection)), period: period)
            let part: Int64
            if let begun = try Self.state("expiring", connection) {
                part = begun
            } else {
                let parts = try PostgresPartitions.parts(of: "log_events", connection)
                guard let oldest = parts.first(where: { $0 > 0 && $0 < end }) else { return 0 }
                part = oldest
                try connection.run(
                    "INSERT INTO log_state (name, value) VALUES ('expiring', \(part)), ('expired_through', 0)")
            }
            let mark = try Self.state("expired_through", connection) ?? 0
            let found = try Self.conversations(in: part, after: mark, connection)
            guard let last = found.last else {
                try connection.run(SQL(stringLiteral: "DROP TABLE IF EXISTS log_events_\(part)"))
                try connection.run("DELETE FROM log_state WHERE name IN ('expiring', 'expired_through')")
                return 1
            }
            let removed = try Self.leave(part, found, connection)
            try connection.run("UPDATE log_state SET value = \(last.key) WHERE name = 'expired_through'")
            return max(1, removed)
        }
    }

    private static func state(_ name: String, _ connection: any SQLConnection) throws(Fault) -> Int64? {
        try connection.integer("SELECT value FROM log_state WHERE name = \(name)")
    }

    /// The next conversations with events in a partition, ascending, and their newest events there. Goes from one to
    /// the next in the index, not through all events.
    private static func conversations(
        in part: Int64, after mark: Int64, _ connection: any SQLConnection
    ) throws(Fault) -> [(key: Int64, seq: Int64)] {
        let table = SQL(stringLiteral: "log_events_\(part)")
        let rows = try connection.rows(
            """
            WITH RECURSIVE walk (conversation, place) AS (
                (SELECT conversation, 1 FROM \(table) WHERE conversation > \(mark) ORDER BY conversation LIMIT 1)
                UNION ALL
                SELECT (SELECT e.conversation FROM \(table) e WHERE e.conversation > w.conversation
                    ORDER BY e.conversation LIMIT 1), w.place + 1
                FROM walk w WHERE w.conversation IS NOT NULL AND w.place < \(conversationsPerCall))
            SELECT w.conversation, (SELECT max(seq) FROM \(table) e WHERE e.conversation = w.conversation) AS seq
            FROM walk w WHERE w.conversation IS NOT NULL ORDER BY w.conversation
            """)
        var found: [(key: Int64, seq: Int64)] = []
        for row in rows { found.append((try row.integer("conversation"), try row.integer("seq"))) }
        return found
    }

    /// Makes conversations begin behind a partition. The newest event of one that has been quiet since goes to
    /// partition 0. Returns how many events are not to be seen any more.
    private static func leave(
        _ part: Int64, _ found: [(key: Int64, seq: Int64)], _ connection: any SQLConnection
    ) throws(Fault) -> Int {
        let keys = list(found.map(\.key))
        let rows = try connection.rows(
            """
            SELECT id, first_seq, last_seq FROM log_conversations
            WHERE id = ANY (string_to_array(\(keys), ',')::bigint[]) ORDER BY id FOR UPDATE
            """)
        let newest = Dictionary(found.map { ($0.key, $0.seq) }) { $1 }
        var changed: [Int64] = []
        var firsts: [Int64] = []
        var removed: Int64 = 0
        for row in rows {
            let (key, first) = (try row.integer("id"), try row.integer("first_seq"))
            let begins = min((newest[key] ?? 0) + 1, try row.integer("last_seq"))
            guard begins > first else { continue }
            changed.append(key)
            firsts.append(begins)
            removed += begins - first
        }
        try connection.run(
            """
            UPDATE log_events e SET part = 0 FROM log_conversations c
            WHERE c.id = ANY (string_to_array(\(keys), ',')::bigint[]) AND e.conversation = c.id
                AND e.seq = c.last_seq AND e.part = \(part)
            """)
        guard !changed.isEmpty else { return 0 }
        let begins: SQL = """
            unnest(string_to_array(\(list(changed)), ',')::bigint[], string_to_array(\(list(firsts)), ',')::bigint[])
                AS b (id, first)
            """
        try connection.run("UPDATE log_conversations c SET first_seq = b.first FROM \(begins) WHERE c.id = b.id")
        try connection.run(
            "DELETE FROM log_amendments a USING \(begins) WHERE a.conversation = b.id AND a.target < b.first")
        try connection.run(
            """
            DELETE FROM log_events e USING \(begins)
            WHERE e.part = 0 AND e.conversation = b.id AND e.seq < b.first
            """)
        return Int(removed)
    }
}
