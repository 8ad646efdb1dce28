import MartletBus
import MartletCore
import Testing

/// What only presence in this process promises; the rest is with the rules of the port.
@Suite struct LocalPresenceTests {
    private let presence = LocalPresence()
    private let alice = UserID(unchecked: 1)
    private let lobby = ConversationID.room(AppID(unchecked: 1), "lobby")

    @Test func `Every answer comes before the call returns`() {
        #expect(presence.opened(opening(alice, 1)) == .admitted(isFirst: true, replaced: []))
        #expect(presence.entered(lobby, alice) == true)
        #expect(presence.left(lobby, alice) == true)
        #expect(presence.closed(alice, SessionID(1)) == true)
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
