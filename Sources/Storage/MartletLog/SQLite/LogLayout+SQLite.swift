import MartletCore
import MartletSQL

extension LogLayout {
    package static let sqlite = LogLayout(checks: sqliteChecks)

    /// Up to here the index has every event.
    private static let indexed: SQL = "(SELECT value FROM log_state WHERE name = 'indexed_through')"

    private static let sqliteChecks = [
        VerifierCheck(
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
        VerifierCheck(
            name: "index",
            query: """
                SELECT 'event ' || i.ordinal || ' is not what the index says' AS problem
                FROM log_index i LEFT JOIN log_events e ON e.ordinal = i.ordinal
                WHERE e.ordinal IS NULL OR e.conversation <> i.conversation OR e.seq <> i.seq OR e.sender <> i.sender
                    OR e.kind <> i.kind
                    OR (e.kind < \(EventKind.firstNonMessage) AND i.erased <> (e.body IS NULL))
                """),
        VerifierCheck(
            name: "index",
            query: """
                SELECT 'event ' || e.ordinal || ' is not in it' AS problem FROM log_events e
                WHERE e.ordinal <= \(indexed) AND NOT EXISTS (
                    SELECT 1 FROM log_index i WHERE i.conversation = e.conversation AND i.seq = e.seq)
                """),
        VerifierCheck(
            name: "retry",
            query: retryCheck("log_retries_0")),
        VerifierCheck(
            name: "retry",
            query: retryCheck("log_retries_1")),
        VerifierCheck(
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
        VerifierCheck(
            name: "recall",
            query: """
                SELECT c.name || ' still holds the content of ' || a.target || ' in ' || e.seq || ', which was recalled' AS problem
                FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                JOIN log_amendments o ON o.conversation = a.conversation AND o.target = a.target
                    AND o.kind = \(EventKind.edit.rawValue)
                JOIN log_events e ON e.ordinal = o.ordinal
                WHERE a.kind = \(EventKind.recall.rawValue) AND e.body IS NOT NULL
                """),
        VerifierCheck(
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
        VerifierCheck(
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
