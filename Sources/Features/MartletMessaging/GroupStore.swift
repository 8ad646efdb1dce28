import MartletCore
import MartletSQL

/// A group as it is stored.
package struct GroupRecord: Sendable, Equatable {
    package let id: GroupID
    package let app: AppID
    package let name: String
    package let description: String
    package let announcement: String
    package let joinMode: JoinMode
    package let owner: UserID
    /// Until when plain members are muted.
    package let mutedUntil: Instant

    package var conversation: ConversationID { .group(id) }
}

/// Somebody's place in a group.
struct GroupMember: Sendable, Equatable {
    let user: UserID
    let role: GroupRole
    let mutedUntil: Instant
    /// The seq of the event by which they joined: the first that they may read.
    let fromSeq: Int64
}

/// A wish to join that waits for an answer.
struct GroupRequest: Sendable {
    let id: Int64
    let group: GroupID
    let user: UserID
    let message: String
    let time: Instant
}

/// The SQL of groups, their members, requests and invitations. Dissolved groups are not found.
struct GroupStore {
    let connection: any SQLConnection

    // MARK: Groups

    private static let columns: SQL = "id, app, name, description, announcement, join_mode, owner, muted_until"

    func find(_ id: GroupID, app: AppID) throws(Fault) -> GroupRecord? {
        let row = try connection.row(
            "SELECT \(Self.columns) FROM chat_groups WHERE id = \(id) AND app = \(app) AND dissolved_at IS NULL")
        return try row.map { row throws(Fault) in try Self.group(row) }
    }

    func require(_ id: GroupID, app: AppID) throws(Fault) -> GroupRecord {
        guard let group = try find(id, app: app) else {
            throw Fault(.unknownGroup, "there is no such group", field: "groupId")
        }
        return group
    }

    private static func group(_ row: SQLRow) throws(Fault) -> GroupRecord {
        GroupRecord(
            id: try row.group("id"), app: AppID(unchecked: try row.integer("app")), name: try row.text("name"),
            description: try row.text("description"), announcement: try row.text("announcement"),
            joinMode: try row.choice("join_mode", of: JoinMode.self), owner: try row.user("owner"),
            mutedUntil: try row.instant("muted_until"))
    }

    /// Those of `groups` that the app has never had: dissolved ones are known.
    func unknown(among groups: [GroupID], app: AppID) throws(Fault) -> [GroupID] {
        guard !groups.isEmpty else { return [] }
        let rows = try connection.rows("SELECT id FROM chat_groups WHERE app = \(app) AND id IN (\(list: groups))")
        let known = Set(try rows.map { row throws(Fault) in try row.group("id") })
        return groups.filter { !known.contains($0) }
    }

    func insert(_ group: GroupRecord, now: Instant) throws(Fault) {
        try connection.run(
            """
            INSERT INTO chat_groups (id, app, name, description, announcement, join_mode, owner, muted_until, created_at)
            VALUES (\(group.id), \(group.app), \(group.name), \(group.description), \(group.announcement),
                \(group.joinMode.rawValue), \(group.owner), \(group.mutedUntil), \(now))
            """)
    }

    func update(_ group: GroupRecord) throws(Fault) {
        try connection.run(
            """
            UPDATE chat_groups SET name = \(group.name), description = \(group.description),
                announcement = \(group.announcement), join_mode = \(group.joinMode.rawValue), owner = \(group.owner),
                muted_until = \(group.mutedUntil)
            WHERE id = \(group.id)
            """)
    }

    func setOwner(_ user: UserID, of id: GroupID) throws(Fault) {
        try connection.run("UPDATE chat_groups SET owner = \(user) WHERE id = \(id)")
    }

    func dissolve(_ id: GroupID, now: Instant) throws(Fault) {
        try connection.run("UPDATE chat_groups SET dissolved_at = \(now) WHERE id = \(id)")
        try connection.run("DELETE FROM group_invitations WHERE group_id = \(id)")
        try connection.run("DELETE FROM group_requests WHERE group_id = \(id) AND state = 'waiting'")
        try connection.run("DELETE FROM group_members WHERE group_id = \(id)")
    }

    /// A user's groups by ascending id, those after `group`, with their role and the number of members.
    func groups(of user: UserID, after group: Int64, limit: Int) throws(Fault) -> [GroupSummary] {
        let rows = try connection.rows(
            """
            SELECT g.id, g.name, g.description, m.role,
                (SELECT count(*) FROM group_members AS everyone WHERE everyone.group_id = g.id) AS members
            FROM group_members AS m JOIN chat_groups AS g ON g.id = m.group_id
            WHERE m.user_id = \(user) AND m.group_id > \(group) ORDER BY m.group_id LIMIT \(limit)
            """)
        return try rows.map { row throws(Fault) in
            GroupSummary(
                group: try row.group("id"), name: try row.text("name"), description: try row.text("description"),
                members: Int(try row.integer("members")), role: try row.choice("role", of: GroupRole.self))
        }
    }

    // MARK: Members

    func member(_ user: UserID, of group: GroupID) throws(Fault) -> GroupMember? {
        try members([user], of: group)[user]
    }

    func members(_ users: [UserID], of group: GroupID) throws(Fault) -> [UserID: GroupMember] {
        let rows = try connection.rows(
            """
            SELECT user_id, role, muted_until, from_seq FROM group_members
            WHERE group_id = \(group) AND user_id IN (\(list: users))
            """)
        var members: [UserID: GroupMember] = [:]
        for row in rows {
            let member = try Self.member(row)
            members[member.user] = member
        }
        return members
    }

    /// Members by ascending id, those after `user`.
    func members(of group: GroupID, after user: Int64, limit: Int) throws(Fault) -> [GroupMember] {
        let rows = try connection.rows(
            """
            SELECT user_id, role, muted_until, from_seq FROM group_members
            WHERE group_id = \(group) AND user_id > \(user) ORDER BY user_id LIMIT \(limit)
            """)
        return try rows.map { row throws(Fault) in try Self.member(row) }
    }

    private static func member(_ row: SQLRow) throws(Fault) -> GroupMember {
        GroupMember(
            user: try row.user("user_id"), role: try row.choice("role", of: GroupRole.self),
            mutedUntil: try row.instant("muted_until"), fromSeq: try row.integer("from_seq"))
    }

    /// Members with a role other than the plain one.
    func leaders(of group: GroupID) throws(Fault) -> [UserID] {
        let rows = try connection.rows(
            "SELECT user_id FROM group_members WHERE group_id = \(group) AND role <> 'member' ORDER BY user_id")
        return try rows.map { row throws(Fault) in try row.user("user_id") }
    }

    func memberIds(of group: GroupID) throws(Fault) -> [UserID] {
        let rows = try connection.rows("SELECT user_id FROM group_members WHERE group_id = \(group) ORDER BY user_id")
        return try rows.map { row throws(Fault) in try row.user("user_id") }
    }

    func memberCount(of group: GroupID) throws(Fault) -> Int {
        Int(try connection.integer("SELECT count(*) FROM group_members WHERE group_id = \(group)") ?? 0)
    }

    /// Where each group of a user begins for them, with its name.
    func memberships(of user: UserID) throws(Fault) -> [GroupID: Membership] {
        let rows = try connection.rows(
            """
            SELECT m.group_id, m.from_seq, g.name FROM group_members AS m JOIN chat_groups AS g ON g.id = m.group_id
            WHERE m.user_id = \(user)
            """)
        var memberships: [GroupID: Membership] = [:]
        for row in rows {
            memberships[try row.group("group_id")] = Membership(
                fromSeq: try row.integer("from_seq"), name: try row.text("name"))
        }
        return memberships
    }

    struct Membership: Sendable {
        let fromSeq: Int64
        let name: String
    }

    /// In how many groups each of `users` is; those in none are left out.
    func groupCounts(of users: [UserID]) throws(Fault) -> [UserID: Int] {
        let rows = try connection.rows(
            "SELECT user_id, count(*) AS groups FROM group_members WHERE user_id IN (\(list: users)) GROUP BY user_id")
        var counts: [UserID: Int] = [:]
        for row in rows { counts[try row.user("user_id")] = Int(try row.integer("groups")) }
        return counts
    }

    func insert(_ member: GroupMember, into group: GroupID, now: Instant) throws(Fault) {
        try connection.run(
            """
            INSERT INTO group_members (group_id, user_id, role, muted_until, joined_at, from_seq)
            VALUES (\(group), \(member.user), \(member.role.rawValue), \(member.mutedUntil), \(now), \(member.fromSeq))
            """)
    }

    func setRole(_ role: GroupRole, of user: UserID, in group: GroupID) throws(Fault) {
        try connection.run(
            "UPDATE group_members SET role = \(role.rawValue) WHERE group_id = \(group) AND user_id = \(user)")
    }

    func setMute(_ until: Instant, of user: UserID, in group: GroupID) throws(Fault) {
        try connection.run(
            "UPDATE group_members SET muted_until = \(until) WHERE group_id = \(group) AND user_id = \(user)")
    }

    func remove(_ users: [UserID], from group: GroupID) throws(Fault) {
        try connection.run("DELETE FROM group_members WHERE group_id = \(group) AND user_id IN (\(list: users))")
    }
}
