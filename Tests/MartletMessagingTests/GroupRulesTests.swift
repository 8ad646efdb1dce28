import MartletCore
import Testing

@testable import MartletMessaging

@Suite("Group rules")
struct GroupRulesTests {
    private static let now = Instant(milliseconds: 1000)

    @Test(
        "Who joins at once, who asks, who is turned away",
        arguments: [
            (JoinMode.open, false, "join"), (.open, true, "join"), (.approval, false, "request"),
            (.approval, true, "join"),
            (.closed, false, "group_closed"), (.closed, true, "join"),
        ])
    func joining(mode: JoinMode, isInvited: Bool, expected: String) {
        let outcome: String
        do {
            outcome = "\(try GroupRules.joining(mode, isMember: false, isInvited: isInvited))"
        } catch {
            outcome = error.reason.rawValue
        }
        #expect(outcome == expected)
    }

    @Test("A member does not join again", arguments: JoinMode.allCases)
    func memberJoins(mode: JoinMode) async {
        #expect(
            await reason { () throws(Fault) in _ = try GroupRules.joining(mode, isMember: true, isInvited: true) }
                == .alreadyMember)
    }

    @Test("Friends are added, others invited, blocked ones and members passed over")
    func inviting() {
        let ids = (1...7).map { UserID(unchecked: $0) }
        let relations: [Relation] = [
            .friend, .stranger, .strangerRefused, .blockedByThem, .blockedByMe, .friend, .friend,
        ]
        let plan = GroupRules.inviting(
            zip(ids, relations).map { .init(user: $0, relation: $1) }, members: [ids[5]],
            groupCounts: [ids[6]: Limits.groupsPerUser])
        #expect(plan == .init(added: [ids[0]], invited: [ids[1], ids[2], ids[6]]))
    }

    @Test("A mute ends as said, never, or now")
    func muteEnds() async throws {
        #expect(try GroupRules.muteEnd(nil, now: Self.now) == .distantFuture)
        #expect(try GroupRules.muteEnd(.distantPast, now: Self.now) == .distantPast)
        #expect(try GroupRules.muteEnd(Instant(milliseconds: 1001), now: Self.now) == Instant(milliseconds: 1001))
        #expect(
            await reason { () throws(Fault) in _ = try GroupRules.muteEnd(Self.now, now: Self.now) } == .invalidField)
    }

    @Test("A group and a user's groups have limits")
    func limits() async {
        #expect(
            await reason { () throws(Fault) in
                try GroupRules.requireRoom(members: Limits.groupMembers, joining: 1)
            } == .limitReached)
        #expect(await reason { () throws(Fault) in try GroupRules.requireRoom(members: 1, joining: 1) } == nil)
        #expect(
            await reason { () throws(Fault) in try GroupRules.requireFurtherGroup(Limits.groupsPerUser) }
                == .limitReached)
    }

    @Test("Only what differs is news")
    func changes() {
        let group = GroupDetails.example.group
        let change = GroupChange(name: group.name, description: "New", joinMode: .open)
        #expect(change.differing(from: group) == GroupChange(description: "New", joinMode: .open))
        #expect(change.differing(from: change.applied(to: group)).isEmpty)
    }
}
