import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletSocial

@Suite(.everyEngine) struct FriendRequestTests {
    @Test func aRequestReachesTheOtherInbox() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let outcome = try await town.friends.request(.username("bob"), message: "It's \"me\"", by: alice)
        #expect(!outcome.isAccepted)
        let content = """
            {"requestId":\(outcome.id),"userId":\(alice.user.value),"username":"alice","nickname":"","message":"It's \\"me\\""}
            """
        #expect(try await town.inbox(bob) == ["friend_request \(content)"])
        #expect(try await town.inbox(alice).isEmpty)
    }

    @Test func askingAgainChangesNothing() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let first = try await town.ask(alice, bob)
        #expect(try await town.ask(alice, bob) == first)
        #expect(try await town.inbox(bob).count == 1)
    }

    @Test func acceptingMakesFriendsOfBoth() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.befriend(alice, bob)
        #expect(try await town.friends.relation(of: alice.user, to: bob.user) == .friend)
        #expect(try await town.friends.relation(of: bob.user, to: alice.user) == .friend)
        #expect(
            try await town.inbox(alice) == [
                "friend_added {\"userId\":\(bob.user.value),\"username\":\"bob\",\"nickname\":\"\"}"
            ])
        #expect(try await town.inbox(bob).last?.hasPrefix("friend_added {\"userId\":\(alice.user.value),") == true)
        #expect(town.broker.changed == [.direct(alice.user, bob.user)])
    }

    @Test func whoAsksBackAccepts() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let asked = try await town.ask(alice, bob)
        #expect(try await town.ask(bob, alice) == RequestOutcome(id: asked.id, isAccepted: true))
        #expect(try await town.friendRows() == 2)
        #expect(try await town.friends.requests(before: nil, limit: 10, by: bob).items.isEmpty)
        #expect(await reason { () throws(Fault) in try await town.ask(alice, bob) } == .alreadyFriends)
    }

    @Test func rejectingTellsWhoAsked() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let id = try await town.ask(alice, bob).id
        try await town.friends.answer(id, isAccepted: false, by: bob)
        #expect(
            try await town.inbox(alice) == ["friend_rejected {\"requestId\":\(id),\"userId\":\(bob.user.value)}"])
        #expect(try await town.friendRows() == 0)
        // It may be tried again.
        #expect(try await town.ask(alice, bob).id > id)
    }

    @Test func onlyWhoWasAskedAnswersAndOnce() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let carol = try await town.user("carol")
        let id = try await town.ask(alice, bob).id
        func answer(_ caller: Caller) async -> Fault.Reason? {
            await reason { () throws(Fault) in try await town.friends.answer(id, isAccepted: true, by: caller) }
        }
        #expect(await answer(alice) == .unknownRequest)
        #expect(await answer(carol) == .unknownRequest)
        #expect(await answer(bob) == nil)
        #expect(await answer(bob) == .unknownRequest)
    }

    @Test func onlyOthersOfTheSameAppCanBeAsked() async throws {
        let town = try await Town()
        let alice = try await town.user("alice")
        let elsewhere = try await town.user("bob", app: AppID(unchecked: 2))
        let guest = try await town.user("guest-1", role: .guest)
        func ask(_ target: FriendReference) async -> Fault.Reason? {
            await reason { () throws(Fault) in _ = try await town.friends.request(target, message: "", by: alice) }
        }
        #expect(await ask(.id(elsewhere.user)) == .unknownUser)
        #expect(await ask(.username("bob")) == .unknownUser)
        #expect(await ask(.id(guest.user)) == .unknownUser)
        #expect(await ask(.id(UserID(unchecked: 999))) == .unknownUser)
        #expect(await ask(.id(alice.user)) == .invalidField)
        #expect(await reason { () throws(Fault) in try await town.ask(guest, alice) } == .guestsRefused)
    }

    @Test func waitingRequestsComeNewestFirstInPages() async throws {
        let town = try await Town()
        let bob = try await town.user("bob")
        var ids: [Int64] = []
        for number in 0..<5 {
            ids.append(try await town.ask(try await town.user("user\(number)"), bob, "no \(number)").id)
        }
        let first = try await town.friends.requests(before: nil, limit: 2, by: bob)
        #expect(first.items.map(\.id) == [ids[4], ids[3]] && first.hasMore)
        #expect(first.items[0].message == "no 4" && first.items[0].card.username == "user4")
        let second = try await town.friends.requests(before: ids[3], limit: 3, by: bob)
        #expect(second.items.map(\.id) == [ids[2], ids[1], ids[0]] && !second.hasMore)
    }

    @Test func aFullListTakesNoMore() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        let id = try await town.ask(alice, bob).id
        let full = alice.user
        try await town.database.write { connection throws(Fault) in
            for number in Int64(1000)..<Int64(1000 + Limits.friends) {
                try connection.run(
                    """
                    INSERT INTO users (id, app, username, username_key, role, created_at)
                    VALUES (\(number), 1, \("n\(number)"), \("n\(number)"), 'user', 0)
                    """)
                try connection.run(
                    "INSERT INTO friends (user_id, friend_id, created_at) VALUES (\(full), \(number), 0)")
            }
        }
        let refused = await reason { () throws(Fault) in
            try await town.friends.answer(id, isAccepted: true, by: bob)
        }
        #expect(refused == .limitReached)
        // The answer was not taken: the request waits on.
        #expect(try await town.friends.requests(before: nil, limit: 10, by: bob).items.map(\.id) == [id])
        #expect(await reason { () throws(Fault) in try await town.ask(bob, alice) } == .limitReached)
    }
}
