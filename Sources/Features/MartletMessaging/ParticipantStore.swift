import MartletCore
import MartletSQL

/// A user's own state of a conversation.
struct Participant: Sendable {
    let conversation: ConversationID
    let readSeq: Int64
    let deliveredSeq: Int64
    let pinned: Bool
    let muted: Bool
    /// The newest event when the user hid the conversation; 0 where it is not hidden.
    let hiddenSeq: Int64

    init(_ row: SQLRow) throws(Fault) {
        conversation = try row.conversation("conversation")
        readSeq = try row.integer("read_seq")
        deliveredSeq = try row.integer("delivered_seq")
        pinned = try row.flag("pinned")
        muted = try row.flag("muted")
        hiddenSeq = try row.integer("hidden_seq")
    }
}

/// How far one side or member has read and received.
package struct MemberCursor: Sendable, Equatable {
    package let user: UserID
    package let readSeq: Int64
    package let deliveredSeq: Int64

    package init(user: UserID, readSeq: Int64, deliveredSeq: Int64) {
        self.user = user
        self.readSeq = readSeq
        self.deliveredSeq = deliveredSeq
    }
}

/// The SQL of `participants`.
struct ParticipantStore {
    let connection: any SQLConnection

    private static let columns: SQL = "conversation, read_seq, delivered_seq, pinned, muted, hidden_seq"

    /// All conversations of a user, their inbox included where they have a cursor in it.
    func all(of user: UserID) throws(Fault) -> [Participant] {
        let rows = try connection.rows("SELECT \(Self.columns) FROM participants WHERE user_id = \(user)")
        return try rows.map { row throws(Fault) in try Participant(row) }
    }

    func find(_ user: UserID, _ conversation: ConversationID) throws(Fault) -> Participant? {
        let row = try connection.row(
            "SELECT \(Self.columns) FROM participants WHERE user_id = \(user) AND conversation = \(conversation)")
        return try row.map { row throws(Fault) in try Participant(row) }
    }

    /// The direct conversations of these users, each once.
    func directs(of users: [UserID]) throws(Fault) -> [ConversationID] {
        let rows = try connection.rows(
            """
            SELECT DISTINCT conversation FROM participants
            WHERE user_id IN (\(list: users)) AND conversation LIKE 'd:%'
            """)
        return try rows.map { row throws(Fault) in try row.conversation("conversation") }
    }

    func count(_ conversation: ConversationID) throws(Fault) -> Int64 {
        try connection.integer("SELECT count(*) FROM participants WHERE conversation = \(conversation)") ?? 0
    }

    /// Makes sure that the user has a row; one that is there stays as it is.
    func ensure(_ user: UserID, _ conversation: ConversationID, now: Instant) throws(Fault) {
        try connection.run(
            """
            INSERT INTO participants (user_id, conversation, created_at) VALUES (\(user), \(conversation), \(now))
            ON CONFLICT (user_id, conversation) DO NOTHING
            """)
    }

    /// Begins anew for somebody who joins: everything up to `seq` counts as read.
    func begin(_ user: UserID, _ conversation: ConversationID, after seq: Int64, now: Instant) throws(Fault) {
        try connection.run(
            """
            INSERT INTO participants (user_id, conversation, read_seq, delivered_seq, created_at)
            VALUES (\(user), \(conversation), \(seq), \(seq), \(now))
            ON CONFLICT (user_id, conversation) DO UPDATE
            SET read_seq = excluded.read_seq, delivered_seq = excluded.delivered_seq, pinned = 0, muted = 0, hidden_seq = 0
            """)
    }

    /// Moves cursors forward, never back.
    func advance(_ user: UserID, _ conversation: ConversationID, read: Int64, delivered: Int64, now: Instant)
        throws(Fault)
    {
        try connection.run(
            """
            INSERT INTO participants (user_id, conversation, read_seq, delivered_seq, created_at)
            VALUES (\(user), \(conversation), \(read), \(delivered), \(now))
            ON CONFLICT (user_id, conversation) DO UPDATE SET
            read_seq = CASE WHEN excluded.read_seq > participants.read_seq
                THEN excluded.read_seq ELSE participants.read_seq END,
            delivered_seq = CASE WHEN excluded.delivered_seq > participants.delivered_seq
                THEN excluded.delivered_seq ELSE participants.delivered_seq END
            """)
    }

    func set(
        _ user: UserID, _ conversation: ConversationID, pinned: Bool, muted: Bool, hiddenSeq: Int64, now: Instant
    ) throws(Fault) {
        try connection.run(
            """
            INSERT INTO participants (user_id, conversation, pinned, muted, hidden_seq, created_at)
            VALUES (\(user), \(conversation), \(pinned), \(muted), \(hiddenSeq), \(now))
            ON CONFLICT (user_id, conversation) DO UPDATE
            SET pinned = excluded.pinned, muted = excluded.muted, hidden_seq = excluded.hidden_seq
            """)
    }

    func remove(_ user: UserID, _ conversation: ConversationID) throws(Fault) {
        try connection.run("DELETE FROM participants WHERE user_id = \(user) AND conversation = \(conversation)")
    }

    func removeAll(_ conversation: ConversationID) throws(Fault) {
        try connection.run("DELETE FROM participants WHERE conversation = \(conversation)")
    }

    /// Cursors in a conversation, by ascending user, those after `user`.
    func cursors(_ conversation: ConversationID, after user: Int64, limit: Int) throws(Fault) -> [MemberCursor] {
        let rows = try connection.rows(
            """
            SELECT user_id, read_seq, delivered_seq FROM participants
            WHERE conversation = \(conversation) AND user_id > \(user) ORDER BY user_id LIMIT \(limit)
            """)
        return try rows.map { row throws(Fault) in
            MemberCursor(
                user: try row.user("user_id"), readSeq: try row.integer("read_seq"),
                deliveredSeq: try row.integer("delivered_seq"))
        }
    }

    /// The cursors of the other sides of direct conversations.
    func peers(of user: UserID, in conversations: [ConversationID]) throws(Fault) -> [ConversationID: MemberCursor] {
        guard !conversations.isEmpty else { return [:] }
        let rows = try connection.rows(
            """
            SELECT conversation, user_id, read_seq, delivered_seq FROM participants
            WHERE conversation IN (\(list: conversations)) AND user_id <> \(user)
            """)
        var cursors: [ConversationID: MemberCursor] = [:]
        for row in rows {
            cursors[try row.conversation("conversation")] = MemberCursor(
                user: try row.user("user_id"), readSeq: try row.integer("read_seq"),
                deliveredSeq: try row.integer("delivered_seq"))
        }
        return cursors
    }
}
