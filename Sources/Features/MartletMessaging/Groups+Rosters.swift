import MartletBus
import MartletCore
import MartletSQL

/// Somebody in a roster.
package struct RosterMember: Sendable {
    package let card: UserCard
    package let role: GroupRole
    package let isOnline: Bool
}

/// A group of the caller with its first members.
package struct GroupRoster: Sendable {
    package let group: GroupID
    package let name: String
    package let description: String
    /// The owner, then others by ascending id.
    package let members: [RosterMember]
}

extension Groups {
    /// The caller's groups by ascending id, at most `groups`, each with its first members, at most `members`.
    package func rosters(of caller: Caller, groups: Int, members: Int) async throws(Fault) -> [GroupRoster] {
        try Policy.requireAccount(caller)
        let (heads, rows) = try await database.read { connection throws(Fault) in
            let store = GroupStore(connection: connection)
            let heads = try store.rosterHeads(of: caller.user, limit: groups)
            return (heads, try store.firstMembers(of: heads.map(\.group), limit: members))
        }
        let people = heads.map { GroupRules.roster(rows[$0.group] ?? [], owner: $0.owner, limit: members) }
        let ids = Array(Set(people.joined().map(\.user)))
        let cards = try await users.cards(ids)
        let online = await presence.online(among: ids)
        return zip(heads, people).map { head, people in
            let members = people.compactMap { person in
                cards[person.user].map {
                    RosterMember(card: $0, role: person.role, isOnline: online.contains(person.user))
                }
            }
            return GroupRoster(group: head.group, name: head.name, description: head.description, members: members)
        }
    }
}

extension GroupRules {
    /// The owner, whether or not among the first members, and then as many of them as there is room for.
    static func roster(
        _ first: [(user: UserID, role: GroupRole)], owner: UserID, limit: Int
    ) -> [(user: UserID, role: GroupRole)] {
        Array(([(user: owner, role: .owner)] + first.filter { $0.user != owner }).prefix(limit))
    }
}
