extension Migration {
    /// Keys that other programs of the operator call with. Only their hashes are kept; `app` NULL is every app.
    static let apiKeys = Migration(
        20, "api_keys",
        [
            """
            CREATE TABLE api_keys (
                id BIGINT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, app BIGINT,
                created_at BIGINT NOT NULL, revoked_at BIGINT)
            """
        ])
}
