import MartletCore
import MartletSocial
import MartletTestServices
import Testing

@Suite(.everyEngine) struct BlockTests {
    @Test func aBlockForbidsAndLeavesTheFriendship() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.befriend(alice, bob)
        try await town.friends.block(bob.user, by: alice)
        #expect(try await town.friends.relation(of: bob.user, to: alice.user) == .blockedByThem)
        #expect(try await town.friends.relation(of: alice.user, to: bob.user) == .blockedByMe)
        #expect(try await town.friendRows() == 2)
        try await town.friends.unblock(bob.user, by: alice)
        #expect(try await town.friends.relation(of: bob.user, to: alice.user) == .friend)
    }

    @Test func sessionsForgetTheirRightsBeforeTheAnswer() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.friends.block(bob.user, by: alice)
        #expect(town.broker.changed == [.direct(alice.user, bob.user)])
        try await town.friends.unblock(bob.user, by: alice)
        #expect(town.broker.changed.count == 2)
    }

    @Test func onlyOnesOwnDevicesLearnOfIt() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.friends.block(bob.user, by: alice)
        try await town.friends.block(bob.user, by: alice)
        try await town.friends.unblock(bob.user, by: alice)
        try await town.friends.unblock(bob.user, by: alice)
        let id = bob.user.value
        #expect(
            try await town.inbox(alice) == [
                "block_changed {\"userId\":\(id),\"blocked\":true}",
                "block_changed {\"userId\":\(id),\"blocked\":false}",
            ])
        #expect(try await town.inbox(bob).isEmpty)
    }

    @Test func requestsThatWaitAreGone() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let id = try await town.ask(bob, alice).id
        try await town.friends.block(bob.user, by: alice)
        #expect(try await town.friends.requests(before: nil, limit: 9, by: alice).items.isEmpty)
        let answer = await reason { () throws(Fault) in try await town.friends.answer(id, isAccepted: true, by: alice) }
        #expect(answer == .unknownRequest)
        #expect(await reason { () throws(Fault) in try await town.ask(bob, alice) } == .blocked)
        #expect(await reason { () throws(Fault) in try await town.ask(alice, bob) } == .blocked)
    }

    @Test func onlyOthersOfTheSameAppCanBeBlocked() async throws {
        let town = try await Town()
        let alice = try await town.user("alice")
        let elsewhere = try await town.user("bob", app: AppID(unchecked: 2))
        func block(_ user: UserID) async -> Fault.Reason? {
            await reason { () throws(Fault) in try await town.friends.block(user, by: alice) }
        }
        #expect(await block(elsewhere.user) == .unknownUser)
        #expect(await block(UserID(unchecked: 999)) == .unknownUser)
        #expect(await block(alice.user) == .invalidField)
    }

    @Test func theBlockedComeInPages() async throws {
        let town = try await Town()
        let alice = try await town.user("alice")
        var others: [UserID] = []
        for number in 0..<3 {
            others.append(try await town.user("user\(number)").user)
            try await town.friends.block(others[number], by: alice)
        }
        let first = try await town.friends.blocked(after: nil, limit: 2, by: alice)
        #expect(first.items.map(\.id) == Array(others.prefix(2)) && first.hasMore)
        let rest = try await town.friends.blocked(after: others[1], limit: 2, by: alice)
        #expect(rest.items.map(\.id) == [others[2]] && !rest.hasMore)
    }
}
