import MartletBus
import MartletCore
import Synchronization
import Testing

/// What the adapter said; it says so before the call returns.
private final class Said<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    func say(_ value: Value) { self.value.withLock { $0 = value } }
    var last: Value? { value.withLock { $0 } }
}

@Suite struct LocalPresenceTests {
    private let presence = LocalPresence()
    private let alice = UserID(unchecked: 1)
    private let bob = UserID(unchecked: 2)
    private let lobby = ConversationID.room(AppID(unchecked: 1), "lobby")

    private func open(_ user: UserID, _ session: UInt64, _ rule: SameDevice = .allow) -> Admission? {
        let said = Said<Admission>()
        presence.opened(
            SessionOpening(user: user, session: SessionID(session), device: .web, sameDevice: rule, limit: 8)
        ) { said.say($0) }
        return said.last
    }

    private func close(_ user: UserID, _ session: UInt64) -> Bool? {
        let said = Said<Bool>()
        presence.closed(user, SessionID(session)) { said.say($0) }
        return said.last
    }

    private func enter(_ room: ConversationID, _ user: UserID) -> Bool? {
        let said = Said<Bool>()
        presence.entered(room, user) { said.say($0) }
        return said.last
    }

    private func leave(_ room: ConversationID, _ user: UserID) -> Bool? {
        let said = Said<Bool>()
        presence.left(room, user) { said.say($0) }
        return said.last
    }

    @Test func `A user is online from the first session to the last`() async {
        #expect(open(alice, 1) == .admitted(isFirst: true, replaced: []))
        #expect(open(alice, 2) == .admitted(isFirst: false, replaced: []))
        #expect(await presence.online(among: [alice, bob]) == [alice])
        #expect(close(alice, 1) == false)
        #expect(await presence.online(among: [alice]) == [alice])
        #expect(close(alice, 2) == true)
        #expect(await presence.online(among: [alice]) == [])
        #expect(open(alice, 3) == .admitted(isFirst: true, replaced: []))
    }

    @Test func `A session that made room is not the last to go`() {
        _ = open(alice, 1, .replace)
        #expect(open(alice, 2, .replace) == .admitted(isFirst: false, replaced: [SessionID(1)]))
        #expect(close(alice, 1) == false)
        #expect(close(alice, 2) == true)
    }

    @Test func `What was never opened is not closed`() {
        #expect(close(alice, 1) == false)
        #expect(leave(lobby, alice) == false)
        #expect(open(alice, 1) == .admitted(isFirst: true, replaced: []))
    }

    @Test func `A user is in a room from the first session there to the last`() async {
        #expect(enter(lobby, alice) == true)
        #expect(enter(lobby, alice) == false)
        #expect(await presence.isHere(alice, in: lobby))
        #expect(await !presence.isHere(bob, in: lobby))
        #expect(leave(lobby, alice) == false)
        #expect(await presence.isHere(alice, in: lobby))
        #expect(leave(lobby, alice) == true)
        #expect(await !presence.isHere(alice, in: lobby))
    }

    @Test func `People come by ascending id, up to a limit, with their number`() async {
        for id in [5, 3, 9, 1, 7] as [Int64] { _ = enter(lobby, UserID(unchecked: id)) }
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
        for user in [alice, bob] { _ = enter(lobby, user) }
        _ = enter(world, alice)
        _ = enter(other, bob)
        let rooms = await presence.rooms(of: AppID(unchecked: 1))
        #expect(Dictionary(uniqueKeysWithValues: rooms.map { ($0.room, $0.people) }) == [lobby: 2, world: 1])
        _ = leave(world, alice)
        #expect(await presence.rooms(of: AppID(unchecked: 1)).map(\.room) == [lobby])
    }

    @Test func `Sessions that come and go at once are counted right`() async {
        await withTaskGroup { tasks in
            for worker in 0..<8 as Range<UInt64> {
                tasks.addTask {
                    for _ in 0..<500 {
                        _ = open(alice, worker)
                        _ = close(alice, worker)
                    }
                }
            }
        }
        #expect(await presence.online(among: [alice]) == [])
        #expect(open(alice, 1) == .admitted(isFirst: true, replaced: []))
    }
}

@Suite struct SessionListTests {
    private func opening(
        _ session: UInt64, _ device: DeviceKind = .web, _ rule: SameDevice = .allow, limit: Int = 8
    ) -> SessionOpening {
        SessionOpening(
            user: UserID(unchecked: 1), session: SessionID(session), device: device, sameDevice: rule, limit: limit)
    }

    @Test func `Several devices are allowed`() {
        var list = SessionList()
        let (first, second) = (list.admit(opening(1)), list.admit(opening(2)))
        #expect(first == .admitted(isFirst: true, replaced: []))
        #expect(second == .admitted(isFirst: false, replaced: []))
    }

    @Test func `The oldest makes room past the limit`() {
        var list = SessionList()
        _ = list.admit(opening(1, limit: 1))
        let second = list.admit(opening(2, limit: 1))
        #expect(second == .admitted(isFirst: false, replaced: [SessionID(1)]))
    }

    @Test func `Replacing ends the same kind only`() {
        var list = SessionList()
        _ = list.admit(opening(1, .web, .replace))
        _ = list.admit(opening(2, .ios, .replace))
        let third = list.admit(opening(3, .web, .replace))
        #expect(third == .admitted(isFirst: false, replaced: [SessionID(1)]))
        #expect(list.entries.map(\.session) == [SessionID(2), SessionID(3)])
    }

    @Test func `Refusing keeps the older`() {
        var list = SessionList()
        _ = list.admit(opening(1, .web, .refuse))
        let second = list.admit(opening(2, .web, .refuse))
        #expect(second == .refused)
        let isGone = list.remove(SessionID(1))
        #expect(isGone)
        let third = list.admit(opening(2, .web, .refuse))
        #expect(third == .admitted(isFirst: true, replaced: []))
    }
}
