import MartletSQL

extension Migration {
    /// The log's tables in SQLite. `log_events` is append-only: rows are keyed by their ordinal, so that a commit
    /// writes at the end of the file's tree, and one index finds them by conversation. The retry window lies beside it,
    /// in two generations of at least 24 hours each: the older one is emptied when the newer one is full, instead of
    /// deleting row by row.
    package static let sqliteLog = Migration(
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
