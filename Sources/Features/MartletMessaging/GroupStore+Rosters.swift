import MartletCore
import MartletSQL

extension GroupStore {
    /// Groups of one statement.
    private static let batch = 50

    /// A group of a user, without its members.
    struct RosterHead: Sendable {
        let group: GroupID
        let name: String
        let description: String
        let owner: UserID
    }

    /// A user's groups by ascending id.
    func rosterHeads(of user: UserID, limit: Int) throws(Fault) -> [RosterHead] {
        let rows = try connection.rows(
            """
            SELECT g.id, g.name, g.description, g.owner
            FROM group_members AS m JOIN chat_groups AS g ON g.id = m.group_id
            WHERE m.user_id = \(user) ORDER BY m.group_id LIMIT \(limit)
            """)
        return try rows.map { row throws(Fault) in
            RosterHead(
                group: try row.group("id"), name: try row.text("name"), description: try row.text("description"),
                owner: try row.user("owner"))
        }
    }

    /// The first members of each group by ascending id, at most `limit` of each.
    func firstMembers(
        of groups: [GroupID], limit: Int
    ) throws(Fault) -> [GroupID: [(user: UserID, role: GroupRole)]] {
        var members: [GroupID: [(user: UserID, role: GroupRole)]] = [:]
        for start in stride(from: 0, to: groups.count, by: Self.batch) {
            let parts = Self.parts(groups[start..<min(start + Self.batch, groups.count)], limit: limit)
            for row in try connection.rows("\(parts) ORDER BY group_id, user_id") {
                members[try row.group("group_id"), default: []].append(
                    (try row.user("user_id"), try row.choice("role", of: GroupRole.self)))
            }
        }
        return members
    }

    /// One part for each group, so that nobody but the members that are wanted is read.
    private static func parts(_ groups: ArraySlice<GroupID>, limit: Int) -> SQL {
        var parts = SQL.StringInterpolation(literalCapacity: 0, interpolationCount: groups.count)
        for group in groups {
            if group != groups.first { parts.appendLiteral(" UNION ALL ") }
            parts.appendInterpolation(
                """
                SELECT group_id, user_id, role FROM (
                    SELECT group_id, user_id, role FROM group_members WHERE group_id = \(group)
                    ORDER BY user_id LIMIT \(limit)) AS part
                """ as SQL)
        }
        return SQL(stringInterpolation: parts)
    }
}
