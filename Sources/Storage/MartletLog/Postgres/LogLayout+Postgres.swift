import MartletCore
import MartletSQL

extension LogLayout {
    package static let postgres = LogLayout(checks: postgresChecks)

    /// The partition that is being left: its events may lie before their conversation's beginning.
    private static let expiring: SQL = "coalesce((SELECT value FROM log_state WHERE name = 'expiring'), -1)"
    private static let period: SQL = "(SELECT value FROM log_state WHERE name = 'period')"

    private static let postgresChecks =
        sequences + [
            VerifierCheck(
                name: "partition",
                query: """
                    SELECT 'event ' || ordinal || ' lies in period ' || part AS problem FROM log_events
                    WHERE part <> 0 AND part <> 1 + time / \(period)
                    """),
            VerifierCheck(
                name: "partition",
                query: """
                    SELECT 'event ' || e.ordinal || ' of ' || c.name || ' was kept and is not the first one' AS problem
                    FROM log_events e JOIN log_conversations c ON c.id = e.conversation
                    WHERE e.part = 0 AND e.seq <> c.first_seq
                    """),
            VerifierCheck(
                name: "partition",
                query: """
                    SELECT 'client id ' || client_id || ' of user ' || sender || ' lies in day ' || part AS problem
                    FROM log_retries WHERE part <> 1 + time / \(PostgresPartitions.day)
                    """),
            VerifierCheck(
                name: "retry",
                query: """
                    SELECT 'client id ' || r.client_id || ' of user ' || r.sender || ' stands for event ' || r.ordinal
                        || ', which is another' AS problem
                    FROM log_retries r JOIN log_conversations c ON c.id = r.conversation
                    LEFT JOIN log_events e ON e.conversation = r.conversation AND e.seq = r.seq
                    WHERE r.seq >= c.first_seq
                        AND (e.ordinal IS NULL OR e.ordinal <> r.ordinal OR e.sender <> r.sender
                            OR e.client_id <> r.client_id)
                    """),
            VerifierCheck(
                name: "amendment",
                query: """
                    SELECT c.name || ' has an amendment ' || a.seq || ' of ' || a.target || ', which is not there' AS problem
                    FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                    WHERE NOT EXISTS (
                            SELECT 1 FROM log_events e WHERE e.conversation = a.conversation AND e.seq = a.seq
                                AND e.ordinal = a.ordinal AND e.kind = a.kind AND e.sender = a.sender AND e.time = a.time
                                AND e.body IS NOT DISTINCT FROM a.body)
                        OR NOT EXISTS (
                            SELECT 1 FROM log_events e WHERE e.conversation = a.conversation AND e.seq = a.target)
                    """),
            VerifierCheck(
                name: "recall",
                query: """
                    SELECT c.name || ' still holds the content of ' || a.target || ' in ' || e.seq || ', which was recalled'
                        AS problem
                    FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                    JOIN log_amendments o ON o.conversation = a.conversation AND o.target = a.target
                        AND o.kind = \(EventKind.edit.rawValue)
                    JOIN log_events e ON e.conversation = o.conversation AND e.seq = o.seq
                    WHERE a.kind = \(EventKind.recall.rawValue) AND e.body IS NOT NULL
                    """),
            VerifierCheck(
                name: "recall",
                query: """
                    SELECT c.name || ' still holds the content of ' || a.target || ', which was recalled' AS problem
                    FROM log_amendments a JOIN log_conversations c ON c.id = a.conversation
                    JOIN log_events e ON e.conversation = a.conversation AND e.seq = a.target
                    WHERE a.kind = \(EventKind.recall.rawValue) AND e.body IS NOT NULL
                    """),
            VerifierCheck(
                name: "cursor",
                query: """
                    SELECT p.conversation || ' was read by user ' || p.user_id || ' up to '
                        || greatest(p.read_seq, p.delivered_seq) || ', but ends at ' || coalesce(c.last_seq, 0) AS problem
                    FROM participants p LEFT JOIN log_conversations c ON c.name = p.conversation
                    WHERE greatest(p.read_seq, p.delivered_seq) > coalesce(c.last_seq, 0)
                    """),
        ]

    private static let sequences = [
        VerifierCheck(
            name: "sequence",
            query: """
                SELECT c.name || ' should hold ' || c.first_seq || '…' || c.last_seq || ', holds ' || coalesce(s.held, 0)
                    || ' events in ' || coalesce(s.first, 0) || '…' || coalesce(s.last, 0) AS problem
                FROM log_conversations c LEFT JOIN (
                    SELECT e.conversation, min(e.seq) AS first, max(e.seq) AS last, count(DISTINCT e.seq) AS held,
                        count(*) AS events, max(e.time) AS time
                    FROM log_events e JOIN log_conversations k ON k.id = e.conversation
                    WHERE e.seq >= k.first_seq OR e.part <> \(expiring)
                    GROUP BY e.conversation) s ON s.conversation = c.id
                WHERE s.first <> c.first_seq OR s.last <> c.last_seq OR s.held <> s.last - s.first + 1
                    OR s.held <> s.events OR s.time <> c.last_time
                    OR (s.held IS NULL AND (c.first_seq > 1 OR c.last_seq > 0))
                """)
    ]
}
