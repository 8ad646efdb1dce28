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

/// A query that returns one row, with a text `problem`, per breach.
struct VerifierCheck: Sendable {
    let name: String
    let query: SQL
}

/// The tables of an engine's log, as far as they differ.
package struct LogLayout: Sendable {
    let checks: [VerifierCheck]
}

/// Proves the log's contract on a database: sequences without gaps, ordinals in order, cursors within what exists,
/// nothing that points nowhere. Reads one consistent state; safe beside a running server.
package struct Verifier: Sendable {
    /// Examples named per kind of problem.
    private static let examples = 10

    private let database: any Database
    private let checks: [VerifierCheck]

    /// - Parameter log: how the engine of `database` keeps the log.
    package init(database: any Database, log: LogLayout = .sqlite) {
        self.database = database
        checks = log.checks + Self.shared
    }

    package func run() async throws(Fault) -> VerificationReport {
        let checks = checks
        return try await database.read { connection throws(Fault) in
            var problems: [String] = []
            for check in checks {
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

    /// What every engine has in the same tables.
    private static let shared = [
        VerifierCheck(
            name: "ordinal",
            query: """
                SELECT c.name || ' has ' || o.seq || ' stored before its predecessor' AS problem FROM (
                    SELECT conversation, seq, ordinal,
                        lag(ordinal) OVER (PARTITION BY conversation ORDER BY seq) AS previous FROM log_events) o
                JOIN log_conversations c ON c.id = o.conversation WHERE o.previous >= o.ordinal
                """),
        VerifierCheck(
            name: "repeated",
            query: """
                SELECT c.name || ' has client id ' || e.client_id || ' of user ' || e.sender || ' ' || count(*) || ' times' AS problem
                FROM log_events e JOIN log_conversations c ON c.id = e.conversation
                WHERE e.client_id <> '' AND e.time >= (SELECT max(time) FROM log_events) - 86400000
                GROUP BY c.name, e.sender, e.client_id HAVING count(*) > 1
                """),
        VerifierCheck(
            name: "orphan event",
            query: """
                SELECT 'event ' || e.ordinal || ' belongs to no conversation' AS problem FROM log_events e
                WHERE NOT EXISTS (SELECT 1 FROM log_conversations c WHERE c.id = e.conversation)
                """),
        VerifierCheck(
            name: "orphan member",
            query: """
                SELECT 'user ' || m.user_id || ' is a member of group ' || m.group_id || ', which was dissolved' AS problem
                FROM group_members m JOIN chat_groups g ON g.id = m.group_id WHERE g.dissolved_at IS NOT NULL
                """),
        VerifierCheck(
            name: "owner",
            query: """
                SELECT 'group ' || g.id || ' is owned by user ' || g.owner || ', who is not its one owner' AS problem FROM chat_groups g
                WHERE g.dissolved_at IS NULL AND 1 <> (
                    SELECT count(*) FROM group_members m
                    WHERE m.group_id = g.id AND m.role = 'owner' AND m.user_id = g.owner)
                """),
        VerifierCheck(
            name: "orphan participant",
            query: """
                SELECT 'user ' || p.user_id || ' of ' || p.conversation || ' does not exist' AS problem FROM participants p
                WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = p.user_id)
                """),
        VerifierCheck(
            name: "friendship",
            query: """
                SELECT 'user ' || f.user_id || ' has friend ' || f.friend_id || ', but not the other way round' AS problem FROM friends f
                WHERE NOT EXISTS (SELECT 1 FROM friends o WHERE o.user_id = f.friend_id AND o.friend_id = f.user_id)
                """),
    ]
}
