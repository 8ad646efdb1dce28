import MartletBus
import MartletCore
import MartletSocial
import MartletTestServices
import Testing

@Suite(.everyEngine) struct ContactTests {
    @Test func friendsAndThoseWhoWereAskedComeById() async throws {
        let town = try await Town()
        let alice = try await town.user("alice")
        let asked = try await town.user("asked")
        let friend = try await town.user("friend")
        let asking = try await town.user("asking")
        let refusing = try await town.user("refusing")
        try await town.befriend(alice, friend)
        try await town.ask(alice, asked)
        try await town.ask(asking, alice)
        try await town.friends.answer(try await town.ask(alice, refusing).id, isAccepted: false, by: refusing)
        town.presence.opened(
            SessionOpening(user: asked.user, session: SessionID(7), device: "web", sameDevice: .allow, limit: 9)
        ) { _ in }
        func contacts(_ caller: Caller, limit: Int = 9) async throws(Fault) -> [String] {
            try await town.friends.contacts(of: caller, limit: limit)
                .map { "\($0.card.username)\($0.isOnline ? "+" : "")" }
        }
        #expect(try await contacts(alice) == ["asked+", "friend"])
        #expect(try await contacts(alice, limit: 1) == ["asked+"])
        #expect(try await contacts(asked).isEmpty)
        #expect(try await contacts(friend) == ["alice"])
    }

    @Test func aFriendWhoWasAskedIsThereOnce() async throws {
        let town = try await Town()
        let (alice, bob) = (try await town.user("alice"), try await town.user("bob"))
        try await town.ask(alice, bob)
        try await town.ask(bob, alice)
        #expect(try await town.friends.contacts(of: alice, limit: 9).map(\.card.id) == [bob.user])
    }

    @Test func guestsHaveNone() async throws {
        let town = try await Town()
        let guest = try await town.user("guest", role: .guest)
        let refused = await reason { () throws(Fault) in _ = try await town.friends.contacts(of: guest, limit: 9) }
        #expect(refused == .guestsRefused)
    }
}
