import MartletSQL

extension Migration {
    /// The log's tables in SQLite. `log_events` is append-only: rows are keyed by their ordinal, so that a commit
    /// writes at the end of the file's tree. The retry window lies beside it,
    /// in two generations of at least 24 hours each: the older one is emptied when the newer one is full, instead of
    /// deleting row by row.
    package static let sqliteLogTables = Migration(
        4, "log",
        [
            """
            CREATE TABLE log_conversations (
                id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, first_seq INTEGER NOT NULL DEFAULT 1 CHECK (first_seq >= 1))
            """,
            """
            CREATE TABLE log_events (
                ordinal INTEGER PRIMARY KEY, conversation INTEGER NOT NULL REFERENCES log_conversations (id),
                seq INTEGER NOT NULL CHECK (seq >= 1), sender INTEGER NOT NULL, kind INTEGER NOT NULL, time INTEGER NOT NULL,
                client_id TEXT NOT NULL, body BLOB)
            """,
            "CREATE UNIQUE INDEX log_events_by_seq ON log_events (conversation, seq)",
            """
            CREATE TABLE log_amendments (
                conversation INTEGER NOT NULL, target INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, sender INTEGER NOT NULL,
                PRIMARY KEY (conversation, target, seq)) WITHOUT ROWID
            """,
            retries("log_retries_0"),
            retries("log_retries_1"),
            "CREATE TABLE log_state (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
            "INSERT INTO log_state (name, value) VALUES ('generation', 0), ('generation_since', 0), ('expired_through', 0)",
        ])

    /// Takes the index by conversation out of the table of events: `log_index` is brought up to date later than the events are stored, many of a
    /// conversation together, and says how far it is (`indexed_through`). An amendment names its own event by ordinal. The events' reference to
    /// their conversation goes, since the log alone writes both, and looking it up cost every append.
    static let sqliteLogIndex = Migration(
        5, "log index",
        [
            """
            CREATE TABLE log_index (
                conversation INTEGER NOT NULL, seq INTEGER NOT NULL CHECK (seq >= 1), ordinal INTEGER NOT NULL, sender INTEGER NOT NULL,
                kind INTEGER NOT NULL, erased INTEGER NOT NULL DEFAULT 0,
                PRIMARY KEY (conversation, seq)) WITHOUT ROWID
            """,
            """
            INSERT INTO log_index (conversation, seq, ordinal, sender, kind, erased)
            SELECT conversation, seq, ordinal, sender, kind, body IS NULL FROM log_events ORDER BY conversation, seq
            """,
            "INSERT INTO log_state (name, value) SELECT 'indexed_through', coalesce(max(ordinal), 0) FROM log_events",
            "ALTER TABLE log_amendments ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0",
            """
            UPDATE log_amendments SET ordinal = coalesce((
                SELECT i.ordinal FROM log_index i
                WHERE i.conversation = log_amendments.conversation AND i.seq = log_amendments.seq), 0)
            """,
            "ALTER TABLE log_events RENAME TO log_events_4",
            """
            CREATE TABLE log_events (
                ordinal INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, seq INTEGER NOT NULL, sender INTEGER NOT NULL,
                kind INTEGER NOT NULL, time INTEGER NOT NULL, client_id TEXT NOT NULL, body BLOB)
            """,
            """
            INSERT INTO log_events (ordinal, conversation, seq, sender, kind, time, client_id, body)
            SELECT ordinal, conversation, seq, sender, kind, time, client_id, body FROM log_events_4 ORDER BY ordinal
            """,
            "DROP TABLE log_events_4",
        ])

    /// The log's steps in SQLite, in order.
    package static let sqliteLog = [sqliteLogTables, sqliteLogIndex]

    // Client ids come first in the key: those of our own clients grow with time, so that their rows go to the right
    // edge of the tree.
    private static func retries(_ table: String) -> SQL {
        SQL(
            stringLiteral: """
                CREATE TABLE \(table) (
                    client_id TEXT NOT NULL, sender INTEGER NOT NULL, conversation INTEGER NOT NULL,
                    seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, time INTEGER NOT NULL, digest INTEGER NOT NULL,
                    PRIMARY KEY (client_id, sender, conversation)) WITHOUT ROWID
                """)
    }
}
