extension Migration {
    /// Every step so far, for a database whose log tables are written in `engine`'s way.
    package static func all(log: [Migration]) -> [Migration] {
        ([accounts, social, messaging, apiKeys, dialects] + log).sorted { $0.number < $1.number }
    }

    // Types are those that both engines understand: BIGINT, SMALLINT, TEXT. Flags are SMALLINT 0 or 1, times BIGINT
    // milliseconds.

    static let accounts = Migration(
        1, "accounts",
        [
            "CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
            """
            CREATE TABLE users (
                id BIGINT PRIMARY KEY, app BIGINT NOT NULL,
                username TEXT NOT NULL, username_key TEXT NOT NULL,
                password TEXT, nickname TEXT NOT NULL DEFAULT '', avatar TEXT NOT NULL DEFAULT '', bio TEXT NOT NULL DEFAULT '',
                email TEXT NOT NULL DEFAULT '', phone TEXT NOT NULL DEFAULT '',
                role TEXT NOT NULL CHECK (role IN ('guest', 'user', 'admin')),
                strangers SMALLINT NOT NULL DEFAULT 1 CHECK (strangers IN (0, 1)),
                banned_until BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL,
                UNIQUE (app, username_key))
            """,
            """
            CREATE TABLE token_families (
                id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users (id), device TEXT NOT NULL,
                created_at BIGINT NOT NULL, revoked_at BIGINT)
            """,
            "CREATE INDEX token_families_by_user ON token_families (user_id)",
            """
            CREATE TABLE refresh_tokens (
                hash TEXT PRIMARY KEY, family BIGINT NOT NULL REFERENCES token_families (id),
                created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT)
            """,
            "CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family)",
            "CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at)",
            """
            CREATE TABLE revocations (
                id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL, family BIGINT NOT NULL DEFAULT 0,
                reason TEXT NOT NULL, at BIGINT NOT NULL)
            """,
        ])

    static let social = Migration(
        2, "social",
        [
            """
            CREATE TABLE friend_requests (
                id BIGINT PRIMARY KEY, from_user BIGINT NOT NULL REFERENCES users (id), to_user BIGINT NOT NULL REFERENCES users (id),
                message TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'rejected')),
                created_at BIGINT NOT NULL, answered_at BIGINT)
            """,
            "CREATE UNIQUE INDEX friend_requests_waiting ON friend_requests (to_user, from_user) WHERE state = 'waiting'",
            """
            CREATE TABLE friends (
                user_id BIGINT NOT NULL REFERENCES users (id), friend_id BIGINT NOT NULL REFERENCES users (id),
                remark TEXT NOT NULL DEFAULT '', created_at BIGINT NOT NULL, PRIMARY KEY (user_id, friend_id))
            """,
            """
            CREATE TABLE blocks (
                user_id BIGINT NOT NULL REFERENCES users (id), blocked_id BIGINT NOT NULL REFERENCES users (id),
                created_at BIGINT NOT NULL, PRIMARY KEY (user_id, blocked_id))
            """,
        ])

    static let messaging = Migration(
        3, "messaging",
        [
            """
            CREATE TABLE chat_groups (
                id BIGINT PRIMARY KEY, app BIGINT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
                announcement TEXT NOT NULL DEFAULT '',
                join_mode TEXT NOT NULL CHECK (join_mode IN ('open', 'approval', 'closed')),
                owner BIGINT NOT NULL REFERENCES users (id), muted_until BIGINT NOT NULL DEFAULT 0,
                created_at BIGINT NOT NULL, dissolved_at BIGINT)
            """,
            """
            CREATE TABLE group_members (
                group_id BIGINT NOT NULL REFERENCES chat_groups (id), user_id BIGINT NOT NULL REFERENCES users (id),
                role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')), muted_until BIGINT NOT NULL DEFAULT 0,
                joined_at BIGINT NOT NULL, from_seq BIGINT NOT NULL, PRIMARY KEY (group_id, user_id))
            """,
            "CREATE INDEX group_members_by_user ON group_members (user_id, group_id)",
            """
            CREATE TABLE group_requests (
                id BIGINT PRIMARY KEY, group_id BIGINT NOT NULL REFERENCES chat_groups (id),
                user_id BIGINT NOT NULL REFERENCES users (id), message TEXT NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'rejected')),
                created_at BIGINT NOT NULL, answered_at BIGINT)
            """,
            "CREATE UNIQUE INDEX group_requests_waiting ON group_requests (group_id, user_id) WHERE state = 'waiting'",
            """
            CREATE TABLE group_invitations (
                group_id BIGINT NOT NULL REFERENCES chat_groups (id), user_id BIGINT NOT NULL REFERENCES users (id),
                invited_by BIGINT NOT NULL REFERENCES users (id), created_at BIGINT NOT NULL, PRIMARY KEY (group_id, user_id))
            """,
            "CREATE INDEX group_invitations_by_user ON group_invitations (user_id)",
            // A user's own state of a conversation. Direct conversations and groups have a row for each side or member;
            // rooms have none.
            """
            CREATE TABLE participants (
                user_id BIGINT NOT NULL REFERENCES users (id), conversation TEXT NOT NULL,
                read_seq BIGINT NOT NULL DEFAULT 0, delivered_seq BIGINT NOT NULL DEFAULT 0,
                pinned SMALLINT NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)), muted SMALLINT NOT NULL DEFAULT 0 CHECK (muted IN (0, 1)),
                hidden_seq BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL, PRIMARY KEY (user_id, conversation))
            """,
            "CREATE INDEX participants_by_conversation ON participants (conversation, user_id)",
        ])
}
