extension Migration {
    /// What older families of clients and products' servers need.
    static let dialects = Migration(
        21, "dialects",
        [
            // The ids under which messages were posted lately.
            """
            CREATE TABLE posted_messages (
                app BIGINT NOT NULL, message_id TEXT NOT NULL, posted_at BIGINT NOT NULL, PRIMARY KEY (app, message_id))
            """,
            "CREATE INDEX posted_messages_by_time ON posted_messages (posted_at)",
            "CREATE INDEX friend_requests_by_sender ON friend_requests (from_user, to_user) WHERE state = 'waiting'",
            // What was written to devices that keep no cursors themselves. Last: it holds writers of users until all is done.
            """
            CREATE TABLE device_cursors (
                user_id BIGINT NOT NULL REFERENCES users (id), device TEXT NOT NULL, conversation TEXT NOT NULL,
                seq BIGINT NOT NULL, PRIMARY KEY (user_id, device, conversation))
            """,
        ])
}
