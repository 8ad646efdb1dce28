import MartletCore
import Testing

@testable import MartletGateway

@Suite struct InterestTableTests {
    private let table = InterestTable()
    private let (alice, bob) = (UserID(unchecked: 1), UserID(unchecked: 17))

    @Test func aDirectConversationGoesToTheLoopsOfBothUsers() {
        table.set(.inbox(alice), loop: 0, true)
        table.set(.inbox(bob), loop: 3, true)
        #expect(table.loops(for: .direct(alice, bob)) == 0b1001)
        #expect(table.loops(for: .inbox(bob)) == 0b1000)
    }

    @Test func aTopicGoesToThoseThatFollowIt() {
        let room = ConversationID.room(AppID(unchecked: 1), "lobby")
        table.set(room, loop: 1, true)
        table.set(room, loop: 63, true)
        table.set(room, loop: 1, false)
        #expect(table.loops(for: room) == 1 << 63)
        #expect(table.loops(for: .room(AppID(unchecked: 1), nil)) == 0)
        table.set(room, loop: 63, false)
        #expect(table.loops(for: room) == 0)
    }
}
