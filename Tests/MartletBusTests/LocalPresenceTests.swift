import MartletBus
import MartletCore
import Testing

@Suite struct LocalPresenceTests {
    private let presence = LocalPresence()
    private let alice = UserID(unchecked: 1)
    private let bob = UserID(unchecked: 2)
    private let lobby = ConversationID.room(AppID(unchecked: 1), "lobby")

    @Test func `A user is online from the first session to the last`() async {
        #expect(presence.opened(opening(alice, 1)) == .admitted(isFirst: true, replaced: []))
        #expect(presence.opened(opening(alice, 2)) == .admitted(isFirst: false, replaced: []))
        #expect(await presence.online(among: [alice, bob]) == [alice])
        #expect(presence.closed(alice, SessionID(1)) == false)
        #expect(await presence.online(among: [alice]) == [alice])
        #expect(presence.closed(alice, SessionID(2)) == true)
        #expect(await presence.online(among: [alice]) == [])
        #expect(presence.opened(opening(alice, 3)) == .admitted(isFirst: true, replaced: []))
    }

    @Test func `What was never opened is not closed`() async {
        #expect(presence.closed(alice, SessionID(1)) == false)
        #expect(presence.left(lobby, alice) == false)
        #expect(presence.opened(opening(alice, 1)) == .admitted(isFirst: true, replaced: []))
    }

    @Test func `A user is in a room from the first session there to the last`() async {
        #expect(presence.entered(lobby, alice) == true)
        #expect(presence.entered(lobby, alice) == false)
        #expect(await presence.isHere(alice, in: lobby))
        #expect(await !presence.isHere(bob, in: lobby))
        #expect(presence.left(lobby, alice) == false)
        #expect(await presence.isHere(alice, in: lobby))
        #expect(presence.left(lobby, alice) == true)
        #expect(await !presence.isHere(alice, in: lobby))
    }

    @Test func `People come by ascending id, up to a limit, with their number`() async {
        for id in [5, 3, 9, 1, 7] as [Int64] { _ = presence.entered(lobby, UserID(unchecked: id)) }
        let people = await presence.people(in: lobby, limit: 3)
        #expect(people.users.map(\.value) == [1, 3, 5])
        #expect(people.count == 5)
        let nobody = await presence.people(in: .room(AppID(unchecked: 1), "empty"), limit: 3)
        #expect(nobody.users.isEmpty)
        #expect(nobody.count == 0)
    }

    @Test func `Rooms with somebody in them are listed by app`() async {
        let world = ConversationID.room(AppID(unchecked: 1), nil)
        let other = ConversationID.room(AppID(unchecked: 2), "lobby")
        for user in [alice, bob] { _ = presence.entered(lobby, user) }
        _ = presence.entered(world, alice)
        _ = presence.entered(other, bob)
        let rooms = await presence.rooms(of: AppID(unchecked: 1))
        #expect(Dictionary(uniqueKeysWithValues: rooms.map { ($0.room, $0.people) }) == [lobby: 2, world: 1])
        _ = presence.left(world, alice)
        #expect(await presence.rooms(of: AppID(unchecked: 1)).map(\.room) == [lobby])
    }

    @Test func `Sessions that come and go at once are counted right`() async {
        let presence = presence
        let alice = alice
        await withTaskGroup { tasks in
            for task in 0..<8 {
                tasks.addTask {
                    for session in 0..<500 {
                        let session = UInt64(task * 500 + session)
                        _ = presence.opened(opening(alice, session))
                        _ = presence.closed(alice, SessionID(session))
                    }
                }
            }
        }
        #expect(await presence.online(among: [alice]) == [])
        #expect(presence.opened(opening(alice, 1)) == .admitted(isFirst: true, replaced: []))
    }
}
