import MartletCore
import MartletSQL

/// What a verification found.
package struct VerificationReport: Sendable {
    /// What was looked at, by name.
    package let counts: [(name: String, count: Int64)]
    /// Each breach of the contract in one line; empty where all is well.
    package let problems: [String]

    package var isClean: Bool { problems.isEmpty }
}

/// Proves the log's contract on a database: sequences without gaps, ordinals in order, cursors within what exists,
/// nothing that points nowhere. Reads one consistent state; safe beside a running server.
package struct Verifier: Sendable {
    /// Examples named per kind of problem.
    private static let examples = 10

    private let database: any Database

    package init(database: any Database) { self.database = database }

    package func run() async throws(Fault) -> VerificationReport {
        try await database.read { connection throws(Fault) in
            var problems: [String] = []
            for check in Self.checks {
                let rows = try connection.rows("\(check.query) LIMIT \(Self.examples)")
                for row in rows { problems.append("\(check.name): \(try row.text("problem"))") }
            }
            var counts: [(name: String, count: Int64)] = []
            for table in ["users", "log_conversations", "log_events", "participants"] {
                counts.append((table, try connection.integer(SQL(stringLiteral: "SELECT count(*) FROM \(table)")) ?? 0))
            }
            return VerificationReport(counts: counts, problems: problems)
        }
    }

    /// A query that returns one row, with a text `problem`, per breach.
    private struct Check {
        let name: String
        let query: SQL
    }

    /// Up to here the index has every event.
    private static let indexed: SQL = "(SELECT value FROM log_state WHERE name = 'indexed_through')"

    private static let checks = [
        Check(
            name: "sequence",
            query: """
                SELECT c.name || ' should begin at ' || c.first_seq || ', holds ' || coalesce(s.held, 0) || ' events in '
                    || coalesce(s.first, 0) || '…' || coalesce(s.last, 0) AS problem
                FROM log_conversations c LEFT JOIN (
                    SELECT conversation, min(seq) AS first, max(seq) AS last, count(DISTINCT seq) AS held, count(*) AS events
                    FROM log_events GROUP BY conversation) s ON s.conversation = c.id
                WHERE s.first <> c.first_seq OR s.held <> s.last - s.first + 1 OR s.held <> s.events
                    OR (s.held IS NULL AND c.first_seq > 1)
                """),
        Check(
            name: "ordinal",
            query: """
                SELECT c.name || ' has ' || o.seq || ' stored before its predecessor' AS problem FROM (
                    SELECT conversation, seq, ordinal,
                        lag(ordinal) OVER (PARTITION BY conversation ORDER BY seq) AS previous FROM log_events) o
                JOIN log_conversations c ON c.id = o.conversation WHERE o.previous >= o.ordinal
                """),
        Check(
            name: "index",
            query: """
                SELECT 'event ' || i.ordinal || ' is not what the index says' AS problem
                FROM log_index i LEFT JOIN log_events e ON e.ordinal = i.ordinal
                WHERE e.ordinal IS NULL OR e.conversation <> i.conversation OR e.seq <> i.seq OR e.sender <> i.sender
                    OR e.kind <> i.kind
                    OR (e.kind < \(EventKind.firstNonMessage) AND i.erased <> (e.body IS NULL))
                """),
        Check(
            name: "index",
            query: """
                SELECT 'event ' || e.ordinal || ' is not in it' AS problem FROM log_events e
                WHERE e.ordinal <= \(indexed) AND NOT EXISTS (
                    SELECT 1 FROM log_index i WHERE i.conversation = e.conversation AND i.seq = e.seq)
                """),
        Check(
            name: "repeated",
            query: """
                SELECT c.name || ' has client id ' || e.client_id || ' of user ' || e.sender || ' ' || count(*) || ' times' AS problem
                FROM log_events e JOIN log_conversations c ON c.id = e.conversation
                WHERE e.client_id <> '' AND e.time >= (SELECT max(time) FROM log_events) - 86400000
                GROUP BY c.name, e.sender, e.client_id HAVING count(*) > 1
                """),
        Check(
            name: "orphan event",
            query: """
                SELECT 'event ' || e.ordinal || ' belongs to no conversation' AS problem FROM log_events e
                WHERE NOT EXISTS (SELECT 1 FROM log_conversations c WHERE c.id = e.conversation)
                """),
        Check(
            name: "retry",
            query: retryCheck("log_retries_0")),
        Check(
            name: "retry",
            query: retryCheck("log_retries_1")),
        Check(
            name: "amendment",
            query: """
                SELECT c.name || ' has an amendment ' || a.seq || ' of ' || a.target || ', which is not there' AS problem
                FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                WHERE NOT EXISTS (
                        SELECT 1 FROM log_events e WHERE e.ordinal = a.ordinal AND e.conversation = a.conversation
                            AND e.seq = a.seq AND e.kind = a.kind)
                    OR (NOT EXISTS (
                            SELECT 1 FROM log_index i WHERE i.conversation = a.conversation AND i.seq = a.target)
                        AND NOT EXISTS (
                            SELECT 1 FROM log_events e WHERE e.ordinal > \(indexed)
                                AND e.conversation = a.conversation AND e.seq = a.target))
                """),
        Check(
            name: "recall",
            query: """
                SELECT c.name || ' still holds the content of ' || a.target || ' in ' || e.seq || ', which was recalled' AS problem
                FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                JOIN log_amendments o ON o.conversation = a.conversation AND o.target = a.target
                    AND o.kind = \(EventKind.edit.rawValue)
                JOIN log_events e ON e.ordinal = o.ordinal
                WHERE a.kind = \(EventKind.recall.rawValue) AND e.body IS NOT NULL
                """),
        Check(
            name: "recall",
            query: """
                SELECT c.name || ' still holds the content of ' || a.target || ', which was recalled' AS problem
                FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                WHERE a.kind = \(EventKind.recall.rawValue) AND (
                    EXISTS (
                        SELECT 1 FROM log_index i JOIN log_events e ON e.ordinal = i.ordinal
                        WHERE i.conversation = a.conversation AND i.seq = a.target AND e.body IS NOT NULL)
                    OR EXISTS (
                        SELECT 1 FROM log_events e WHERE e.ordinal > \(indexed)
                            AND e.conversation = a.conversation AND e.seq = a.target AND e.body IS NOT NULL))
                """),
        Check(
            name: "cursor",
            query: """
                SELECT p.conversation || ' was read by user ' || p.user_id || ' up to '
                    || CASE WHEN p.read_seq > p.delivered_seq THEN p.read_seq ELSE p.delivered_seq END || ', but ends at ' || coalesce(s.last, 0) AS problem
                FROM participants p LEFT JOIN log_conversations c ON c.name = p.conversation
                LEFT JOIN (SELECT conversation, max(seq) AS last FROM (
                    SELECT conversation, max(seq) AS seq FROM log_index GROUP BY conversation UNION ALL
                    SELECT conversation, max(seq) AS seq FROM log_events WHERE ordinal > \(indexed) GROUP BY conversation) t
                    GROUP BY conversation) s ON s.conversation = c.id
                WHERE p.read_seq > coalesce(s.last, 0) OR p.delivered_seq > coalesce(s.last, 0)
                """),
        Check(
            name: "orphan member",
            query: """
                SELECT 'user ' || m.user_id || ' is a member of group ' || m.group_id || ', which was dissolved' AS problem
                FROM group_members m JOIN chat_groups g ON g.id = m.group_id WHERE g.dissolved_at IS NOT NULL
                """),
        Check(
            name: "owner",
            query: """
                SELECT 'group ' || g.id || ' is owned by user ' || g.owner || ', who is not its one owner' AS problem FROM chat_groups g
                WHERE g.dissolved_at IS NULL AND 1 <> (
                    SELECT count(*) FROM group_members m
                    WHERE m.group_id = g.id AND m.role = 'owner' AND m.user_id = g.owner)
                """),
        Check(
            name: "orphan participant",
            query: """
                SELECT 'user ' || p.user_id || ' of ' || p.conversation || ' does not exist' AS problem FROM participants p
                WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = p.user_id)
                """),
        Check(
            name: "friendship",
            query: """
                SELECT 'user ' || f.user_id || ' has friend ' || f.friend_id || ', but not the other way round' AS problem FROM friends f
                WHERE NOT EXISTS (SELECT 1 FROM friends o WHERE o.user_id = f.friend_id AND o.friend_id = f.user_id)
                """),
    ]

    private static func retryCheck(_ table: String) -> SQL {
        SQL(
            stringLiteral: """
                SELECT 'client id ' || r.client_id || ' of user ' || r.sender || ' stands for event ' || r.ordinal || ', which is another' AS problem
                FROM \(table) r JOIN log_conversations c ON c.id = r.conversation
                LEFT JOIN log_events e ON e.ordinal = r.ordinal
                WHERE r.seq >= c.first_seq
                    AND (e.ordinal IS NULL OR e.conversation <> r.conversation OR e.seq <> r.seq OR e.client_id <> r.client_id)
                """)
    }
}
