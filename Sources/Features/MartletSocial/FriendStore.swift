import MartletCore
import MartletSQL

/// The SQL of friends, requests and blocks. Methods are one transaction each; the static ones are parts of one.
struct FriendStore: Sendable {
    let database: any Database

    struct RequestRow: Sendable {
        let id: Int64
        let from: UserID
        let message: String
        let time: Instant

        init(_ row: SQLRow) throws(Fault) {
            id = try row.integer("id")
            from = try row.user("from_user")
            message = try row.text("message")
            time = try row.instant("created_at")
        }
    }

    struct FriendRow: Sendable {
        let id: UserID
        let remark: String
    }

    // MARK: Requests

    static func requestFacts(
        _ connection: any SQLConnection, from: UserID, to: UserID
    ) throws(Fault) -> FriendRules.RequestFacts {
        FriendRules.RequestFacts(
            ties: try ties(connection, of: from, to: [to])[to] ?? .init(),
            mine: try waiting(connection, from: from, to: to), theirs: try waiting(connection, from: to, to: from),
            myFriends: try friendCount(connection, of: from), theirFriends: try friendCount(connection, of: to))
    }

    private static func waiting(_ connection: any SQLConnection, from: UserID, to: UserID) throws(Fault) -> Int64? {
        try connection.integer(
            "SELECT id FROM friend_requests WHERE to_user = \(to) AND from_user = \(from) AND state = 'waiting'")
    }

    private static func friendCount(_ connection: any SQLConnection, of user: UserID) throws(Fault) -> Int {
        Int(try connection.integer("SELECT count(*) FROM friends WHERE user_id = \(user)") ?? 0)
    }

    static func addRequest(
        _ connection: any SQLConnection, from: UserID, to: UserID, message: String, now: Instant
    ) throws(Fault) -> Int64 {
        let id = try connection.next(.friendRequest)
        try connection.run(
            """
            INSERT INTO friend_requests (id, from_user, to_user, message, state, created_at)
            VALUES (\(id), \(from), \(to), \(message), 'waiting', \(now))
            """)
        return id
    }

    /// False where the request does not wait any more.
    @discardableResult
    static func answer(
        _ connection: any SQLConnection, _ id: Int64, isAccepted: Bool, now: Instant
    ) throws(Fault) -> Bool {
        try connection.run(
            """
            UPDATE friend_requests SET state = \(isAccepted ? "accepted" : "rejected"), answered_at = \(now)
            WHERE id = \(id) AND state = 'waiting'
            """) == 1
    }

    /// Both asked and one accepted: the other request is answered as well.
    static func closeRequests(
        _ connection: any SQLConnection, between one: UserID, _ other: UserID, now: Instant
    ) throws(Fault) {
        try connection.run(
            """
            UPDATE friend_requests SET state = 'accepted', answered_at = \(now)
            WHERE state = 'waiting' AND (\(both(one, other)))
            """)
    }

    /// A block removes what waits between the two.
    static func removeRequests(_ connection: any SQLConnection, between one: UserID, _ other: UserID) throws(Fault) {
        try connection.run("DELETE FROM friend_requests WHERE state = 'waiting' AND (\(both(one, other)))")
    }

    private static func both(_ one: UserID, _ other: UserID) -> SQL {
        "to_user = \(one) AND from_user = \(other) OR to_user = \(other) AND from_user = \(one)"
    }

    func waitingRequest(_ id: Int64, to user: UserID) async throws(Fault) -> RequestRow? {
        try await database.read { connection throws(Fault) in
            try connection.row(
                """
                SELECT id, from_user, message, created_at FROM friend_requests
                WHERE id = \(id) AND to_user = \(user) AND state = 'waiting'
                """
            ).map(RequestRow.init)
        }
    }

    /// Those that wait for a user, newest first.
    func requests(to user: UserID, before: Int64?, limit: Int) async throws(Fault) -> [RequestRow] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                """
                SELECT id, from_user, message, created_at FROM friend_requests
                WHERE to_user = \(user) AND state = 'waiting' AND id < \(before ?? Int64.max)
                ORDER BY id DESC LIMIT \(limit)
                """
            ).map(RequestRow.init)
        }
    }

    // MARK: Friends

    static func befriend(
        _ connection: any SQLConnection, _ one: UserID, _ other: UserID, now: Instant
    ) throws(Fault) {
        try connection.run(
            """
            INSERT INTO friends (user_id, friend_id, created_at)
            VALUES (\(one), \(other), \(now)), (\(other), \(one), \(now)) ON CONFLICT (user_id, friend_id) DO NOTHING
            """)
    }

    /// False where the two were no friends.
    static func part(_ connection: any SQLConnection, _ one: UserID, _ other: UserID) throws(Fault) -> Bool {
        try connection.run(
            """
            DELETE FROM friends
            WHERE user_id = \(one) AND friend_id = \(other) OR user_id = \(other) AND friend_id = \(one)
            """) > 0
    }

    /// False where the two are no friends.
    static func setRemark(
        _ connection: any SQLConnection, _ remark: String, of user: UserID, on friend: UserID
    ) throws(Fault) -> Bool {
        try connection.run(
            "UPDATE friends SET remark = \(remark) WHERE user_id = \(user) AND friend_id = \(friend)") == 1
    }

    /// By ascending id.
    func friends(of user: UserID, after: UserID?, limit: Int) async throws(Fault) -> [FriendRow] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                """
                SELECT friend_id, remark FROM friends WHERE user_id = \(user) AND friend_id > \(after?.value ?? 0)
                ORDER BY friend_id LIMIT \(limit)
                """
            ).map { row throws(Fault) in FriendRow(id: try row.user("friend_id"), remark: try row.text("remark")) }
        }
    }

    /// Friends and those whom the user asked and who did not answer yet, by ascending id.
    func contacts(of user: UserID, limit: Int) async throws(Fault) -> [UserID] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                """
                SELECT friend_id AS contact FROM friends WHERE user_id = \(user)
                UNION
                SELECT to_user FROM friend_requests WHERE from_user = \(user) AND state = 'waiting'
                ORDER BY contact LIMIT \(limit)
                """
            ).map { row throws(Fault) in try row.user("contact") }
        }
    }

    // MARK: Blocks

    /// False where the block was there already.
    static func block(
        _ connection: any SQLConnection, _ user: UserID, by blocker: UserID, now: Instant
    ) throws(Fault) -> Bool {
        try connection.run(
            """
            INSERT INTO blocks (user_id, blocked_id, created_at) VALUES (\(blocker), \(user), \(now))
            ON CONFLICT (user_id, blocked_id) DO NOTHING
            """) == 1
    }

    /// False where there was none.
    static func unblock(_ connection: any SQLConnection, _ user: UserID, by blocker: UserID) throws(Fault) -> Bool {
        try connection.run("DELETE FROM blocks WHERE user_id = \(blocker) AND blocked_id = \(user)") == 1
    }

    static func blockedCount(_ connection: any SQLConnection, of user: UserID) throws(Fault) -> Int {
        Int(try connection.integer("SELECT count(*) FROM blocks WHERE user_id = \(user)") ?? 0)
    }

    /// By ascending id.
    func blocked(by user: UserID, after: UserID?, limit: Int) async throws(Fault) -> [UserID] {
        try await database.read { connection throws(Fault) in
            try connection.rows(
                """
                SELECT blocked_id FROM blocks WHERE user_id = \(user) AND blocked_id > \(after?.value ?? 0)
                ORDER BY blocked_id LIMIT \(limit)
                """
            ).map { row throws(Fault) in try row.user("blocked_id") }
        }
    }

    // MARK: Ties

    /// What lies between a user and each of `others`; those with nothing between are left out.
    static func ties(
        _ connection: any SQLConnection, of user: UserID, to others: [UserID]
    ) throws(Fault) -> [UserID: FriendRules.Ties] {
        let rows = try connection.rows(
            """
            SELECT friend_id AS other, 'friend' AS tie FROM friends
            WHERE user_id = \(user) AND friend_id IN (\(list: others))
            UNION ALL
            SELECT blocked_id, 'mine' FROM blocks WHERE user_id = \(user) AND blocked_id IN (\(list: others))
            UNION ALL
            SELECT user_id, 'theirs' FROM blocks WHERE blocked_id = \(user) AND user_id IN (\(list: others))
            """)
        var ties: [UserID: FriendRules.Ties] = [:]
        for row in rows {
            let other = try row.user("other")
            switch try row.text("tie") {
            case "friend": ties[other, default: .init()].isFriend = true
            case "mine": ties[other, default: .init()].blockedByMe = true
            default: ties[other, default: .init()].blockedByThem = true
            }
        }
        return ties
    }

    /// As above, for any number of others.
    func ties(of user: UserID, to others: [UserID]) async throws(Fault) -> [UserID: FriendRules.Ties] {
        try await database.read { connection throws(Fault) in
            var ties: [UserID: FriendRules.Ties] = [:]
            for start in stride(from: 0, to: others.count, by: 300) {
                let part = try Self.ties(
                    connection, of: user, to: Array(others[start..<min(start + 300, others.count)]))
                ties.merge(part) { _, new in new }
            }
            return ties
        }
    }
}
