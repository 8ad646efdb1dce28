import MartletCore
import MartletSQL

/// An invitation that waits for an answer.
package struct GroupInvitation: Sendable, Equatable {
    package let group: GroupID
    package let name: String
    package let by: UserID
    /// What people see of the one who invited.
    package let byName: String
    package let time: Instant
}

extension GroupStore {
    // MARK: Requests

    /// Notes the wish of a user to join. Returns the request's number and whether it is new; a wish that waits already gets the new words.
    func request(_ user: UserID, to group: GroupID, message: String, now: Instant) throws(Fault) -> (
        id: Int64, isNew: Bool
    ) {
        let waiting = try connection.integer(
            "SELECT id FROM group_requests WHERE group_id = \(group) AND user_id = \(user) AND state = 'waiting'")
        if let waiting {
            try connection.run("UPDATE group_requests SET message = \(message) WHERE id = \(waiting)")
            return (waiting, false)
        }
        let id = try connection.next(.groupRequest)
        try connection.run(
            """
            INSERT INTO group_requests (id, group_id, user_id, message, state, created_at)
            VALUES (\(id), \(group), \(user), \(message), 'waiting', \(now))
            """)
        return (id, true)
    }

    private static let requestColumns: SQL = "id, group_id, user_id, message, created_at"

    func waitingRequest(_ id: Int64) throws(Fault) -> GroupRequest? {
        let row = try connection.row(
            "SELECT \(Self.requestColumns) FROM group_requests WHERE id = \(id) AND state = 'waiting'")
        return try row.map { row throws(Fault) in try Self.request(row) }
    }

    /// Requests that wait, oldest first, those after `id`.
    func waitingRequests(to group: GroupID, after id: Int64, limit: Int) throws(Fault) -> [GroupRequest] {
        let rows = try connection.rows(
            """
            SELECT \(Self.requestColumns) FROM group_requests
            WHERE group_id = \(group) AND state = 'waiting' AND id > \(id) ORDER BY id LIMIT \(limit)
            """)
        return try rows.map { row throws(Fault) in try Self.request(row) }
    }

    private static func request(_ row: SQLRow) throws(Fault) -> GroupRequest {
        GroupRequest(
            id: try row.integer("id"), group: try row.group("group_id"), user: try row.user("user_id"),
            message: try row.text("message"), time: try row.instant("created_at"))
    }

    /// Ends what waits for users who are in now, or for one who was refused.
    func closeRequests(of users: [UserID], to group: GroupID, accepted: Bool, now: Instant) throws(Fault) {
        try connection.run(
            """
            UPDATE group_requests SET state = \(accepted ? "accepted" : "rejected"), answered_at = \(now)
            WHERE group_id = \(group) AND user_id IN (\(list: users)) AND state = 'waiting'
            """)
    }

    // MARK: Invitations

    /// Returns false where the user was invited already.
    func invite(_ user: UserID, to group: GroupID, by inviter: UserID, now: Instant) throws(Fault) -> Bool {
        let added = try connection.run(
            """
            INSERT INTO group_invitations (group_id, user_id, invited_by, created_at)
            VALUES (\(group), \(user), \(inviter), \(now)) ON CONFLICT (group_id, user_id) DO NOTHING
            """)
        return added > 0
    }

    func isInvited(_ user: UserID, to group: GroupID) throws(Fault) -> Bool {
        try connection.row("SELECT 1 FROM group_invitations WHERE group_id = \(group) AND user_id = \(user)") != nil
    }

    func removeInvitations(of users: [UserID], to group: GroupID) throws(Fault) {
        try connection.run("DELETE FROM group_invitations WHERE group_id = \(group) AND user_id IN (\(list: users))")
    }

    /// A user's invitations by ascending group, those after `group`; `byName` is still empty.
    func invitations(of user: UserID, after group: Int64, limit: Int) throws(Fault) -> [GroupInvitation] {
        let rows = try connection.rows(
            """
            SELECT i.group_id, g.name, i.invited_by, i.created_at
            FROM group_invitations AS i JOIN chat_groups AS g ON g.id = i.group_id
            WHERE i.user_id = \(user) AND i.group_id > \(group) ORDER BY i.group_id LIMIT \(limit)
            """)
        return try rows.map { row throws(Fault) in
            GroupInvitation(
                group: try row.group("group_id"), name: try row.text("name"), by: try row.user("invited_by"),
                byName: "",
                time: try row.instant("created_at"))
        }
    }
}
