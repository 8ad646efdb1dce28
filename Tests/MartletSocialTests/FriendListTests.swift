import MartletBus
import MartletCore
import MartletSocial
import MartletTestServices
import Testing

@Suite(.everyEngine) struct FriendListTests {
    @Test func friendsComeInPagesWithWhoIsOnline() async throws {
        let town = try await Town()
        let alice = try await town.user("alice")
        var others: [Caller] = []
        for number in 0..<5 {
            others.append(try await town.user("user\(number)"))
            try await town.befriend(alice, others[number])
        }
        town.presence.opened(
            SessionOpening(user: others[1].user, session: SessionID(7), device: "web", sameDevice: .allow, limit: 9)
        ) { _ in }
        try await town.friends.setRemark("mate", on: others[0].user, by: alice)
        let first = try await town.friends.list(after: nil, limit: 2, by: alice)
        #expect(first.items.map(\.card.id) == [others[0].user, others[1].user] && first.hasMore)
        #expect(first.items.map(\.isOnline) == [false, true])
        #expect(first.items.map(\.remark) == ["mate", ""])
        let rest = try await town.friends.list(after: others[1].user, limit: 3, by: alice)
        #expect(rest.items.map(\.card.username) == ["user2", "user3", "user4"] && !rest.hasMore)
        #expect(try await town.friends.friendIds(of: alice.user) == others.map(\.user))
    }

    @Test func aRemarkIsOnesOwn() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.befriend(alice, bob)
        try await town.friends.setRemark("mate", on: bob.user, by: alice)
        #expect(
            try await town.inbox(alice).last == "friend_remark {\"userId\":\(bob.user.value),\"remark\":\"mate\"}")
        #expect(try await town.inbox(bob).allSatisfy { !$0.hasPrefix("friend_remark") })
        #expect(try await town.friends.list(after: nil, limit: 9, by: bob).items.map(\.remark) == [""])
    }

    @Test func onlyFriendsHaveRemarksAndEnds() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let remark = await reason { () throws(Fault) in
            try await town.friends.setRemark("x", on: bob.user, by: alice)
        }
        #expect(remark == .unknownUser)
        #expect(await reason { () throws(Fault) in try await town.friends.remove(bob.user, by: alice) } == .unknownUser)
        #expect(try await town.inbox(alice).isEmpty)
    }

    @Test func removingEndsTheFriendshipOfBoth() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.befriend(alice, bob)
        try await town.friends.remove(alice.user, by: bob)
        #expect(try await town.friendRows() == 0)
        #expect(try await town.inbox(alice).last == "friend_removed {\"userId\":\(bob.user.value)}")
        #expect(try await town.inbox(bob).last == "friend_removed {\"userId\":\(alice.user.value)}")
        #expect(town.broker.changed.count == 2)
        #expect(try await town.friends.relation(of: alice.user, to: bob.user) == .stranger)
    }

    @Test func strangersAreRefusedByThoseWhoSaySo() async throws {
        let town = try await Town()
        let alice = try await town.user("alice")
        let shy = try await town.user("shy", strangersMayWrite: false)
        #expect(try await town.friends.relation(of: alice.user, to: shy.user) == .strangerRefused)
        #expect(try await town.friends.relation(of: shy.user, to: alice.user) == .stranger)
        try await town.befriend(alice, shy)
        #expect(try await town.friends.relation(of: alice.user, to: shy.user) == .friend)
    }

    @Test func relationsAreOfOneAppAndBatched() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let elsewhere = try await town.user("carol", app: AppID(unchecked: 2))
        try await town.befriend(alice, bob)
        var others: [UserID] = [bob.user, elsewhere.user, alice.user, UserID(unchecked: 999)]
        for number in 0..<400 { others.append(try await town.user("user\(number)").user) }
        let relations = try await town.friends.relations(of: alice.user, to: others)
        #expect(relations.count == 401)
        #expect(relations[bob.user] == .friend && relations[others[403]] == .stranger)
        let unknown = await reason { () throws(Fault) in
            _ = try await town.friends.relation(of: alice.user, to: elsewhere.user)
        }
        #expect(unknown == .unknownUser)
    }
}
