import MartletCore
import MartletGateway
import MartletMessaging
import MartletSocial
import MartletWire

/// What clients without a memory come back to, from the features that know.
struct RosterAdapter: RosterSource {
    let friends: Friends
    let groups: Groups
    let cursors: DeviceCursors

    // More would not fit in what these clients read at once.
    private static let contacts = 64
    private static let groups = 32
    private static let members = 32
    private static let missed = 64

    func roster(of caller: Caller, device: String) async throws(Fault) -> Roster {
        let contacts = try await friends.contacts(of: caller, limit: Self.contacts)
        let rosters = try await groups.rosters(of: caller, groups: Self.groups, members: Self.members)
        // Last, so that what comes while the rest is looked up is in it.
        let missed = try await cursors.missed(of: caller.user, device: device, limit: Self.missed)
        return Roster(
            friends: contacts.map { Self.person($0.card, $0.isOnline) }, groups: rosters.map(Self.group),
            missed: missed.first, positions: missed.positions)
    }

    private static func group(_ roster: GroupRoster) -> Roster.Group {
        Roster.Group(
            id: roster.group, name: roster.name, description: roster.description,
            members: roster.members.map { Roster.Member(person($0.card, $0.isOnline), $0.role) })
    }

    private static func person(_ card: UserCard, _ isOnline: Bool) -> Roster.Person {
        Roster.Person(id: card.id, name: card.name, isOnline: isOnline)
    }

    func received(_ cursors: [ReceivedCursor]) async throws(Fault) { try await self.cursors.save(cursors) }
}
