import MartletSQL

extension Migration {
    /// The log's tables in PostgreSQL. A conversation's row says what the next number is, and is locked by whoever
    /// appends; half of its page stays empty, so that an update stays in its page and touches no index. Events lie in
    /// partitions, one for each period of time (`PostgresPartitions`); those of partition 0 are the newest ones of
    /// conversations that have been quiet since their own period was dropped. An amendment carries its content along,
    /// so that a page of history finds it without looking into other periods.
    package static let postgresLogTables = Migration(
        4, "log",
        [
            """
            CREATE TABLE log_conversations (
                id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT COLLATE "C" NOT NULL UNIQUE,
                first_seq BIGINT NOT NULL DEFAULT 1 CHECK (first_seq >= 1), last_seq BIGINT NOT NULL DEFAULT 0,
                last_time BIGINT NOT NULL DEFAULT 0) WITH (fillfactor = 50)
            """,
            "CREATE SEQUENCE log_ordinals",
            """
            CREATE TABLE log_events (
                part INTEGER NOT NULL, conversation BIGINT NOT NULL, seq BIGINT NOT NULL CHECK (seq >= 1),
                ordinal BIGINT NOT NULL, time BIGINT NOT NULL, sender BIGINT NOT NULL, kind SMALLINT NOT NULL,
                client_id TEXT COLLATE "C" NOT NULL, body BYTEA, PRIMARY KEY (conversation, seq, part))
            PARTITION BY RANGE (part)
            """,
            "CREATE TABLE log_events_0 PARTITION OF log_events FOR VALUES FROM (0) TO (1)",
            """
            CREATE TABLE log_amendments (
                conversation BIGINT NOT NULL, target BIGINT NOT NULL, seq BIGINT NOT NULL, ordinal BIGINT NOT NULL,
                kind SMALLINT NOT NULL, sender BIGINT NOT NULL, time BIGINT NOT NULL, body BYTEA,
                PRIMARY KEY (conversation, target, seq))
            """,
            "CREATE TABLE log_state (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
        ])

    /// The retry window beside the log, a partition for each day: the oldest one is dropped as a whole. Client ids come
    /// first in the key: those of our own clients grow with time, so that their rows go to the right edge of the tree.
    package static let postgresLogRetries = Migration(
        5, "log retries",
        [
            """
            CREATE TABLE log_retries (
                part INTEGER NOT NULL, client_id TEXT COLLATE "C" NOT NULL, sender BIGINT NOT NULL,
                conversation BIGINT NOT NULL, seq BIGINT NOT NULL, ordinal BIGINT NOT NULL, time BIGINT NOT NULL,
                digest BIGINT NOT NULL, PRIMARY KEY (client_id, sender, conversation, part))
            PARTITION BY RANGE (part)
            """
        ])

    /// The log's steps in PostgreSQL, in order.
    package static let postgresLog = [postgresLogTables, postgresLogRetries]
}
