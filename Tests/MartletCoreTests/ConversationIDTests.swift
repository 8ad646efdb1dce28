import MartletCore
import Testing

@Suite struct ConversationIDTests {
    static let names = [
        "d:5:9", "d:1:9007199254740991", "g:12", "g:9007199254740991", "r:1", "r:2147483647", "r:1:lobby", "r:1:a-b_9",
        "r:7:" + String(repeating: "x", count: 32), "u:5",
    ]

    @Test(arguments: names)
    func readsWhatItWrites(_ name: String) throws {
        let id = try #require(ConversationID(name))
        #expect(id.text == name)
        #expect(ConversationID(utf8: Array(name.utf8).span) == id)
    }

    @Test func readsIntoTheRightCase() {
        #expect(ConversationID("d:5:9") == .direct(UserID(unchecked: 5), UserID(unchecked: 9)))
        #expect(ConversationID("g:12") == .group(GroupID(unchecked: 12)))
        #expect(ConversationID("r:1") == .room(AppID(unchecked: 1), nil))
        #expect(ConversationID("r:1:lobby") == .room(AppID(unchecked: 1), "lobby"))
        #expect(ConversationID("u:5") == .inbox(UserID(unchecked: 5)))
    }

    @Test(arguments: [
        "", "d", "d:", "d:5", "d:5:", "d:5:5", "d:9:5", "d:05:9", "d:5:09", "d:0:5", "d:5:9:", "d:5:9 ", " d:5:9",
        "d:-5:9", "D:5:9",
        "d:5:9007199254740992", "d:5:99999999999999999999", "d::9", "g:", "g:0", "g:01", "g:+1", "g:1:x",
        "g:9007199254740992",
        "g:1e3", "r:", "r:0", "r:2147483648", "r:1:", "r:1:Lobby", "r:1:a b", "r:1:a:b", "r:1:é", "u:0", "u:5:9", "x:1",
        "g1", "::",
    ])
    func refusesEveryOtherText(_ text: String) {
        #expect(ConversationID(text) == nil)
    }

    @Test func refusesARoomNameOfMoreThan32() {
        #expect(ConversationID("r:1:" + String(repeating: "x", count: 33)) == nil)
    }

    @Test func ordersTheSidesOfADirectConversation() {
        let (low, high) = (UserID(unchecked: 5), UserID(unchecked: 9))
        #expect(ConversationID.between(high, low) == .direct(low, high))
        #expect(ConversationID.between(low, high) == .direct(low, high))
        #expect(ConversationID.between(low, low) == nil)
    }

    @Test func knowsThePeer() {
        let (low, high, other) = (UserID(unchecked: 5), UserID(unchecked: 9), UserID(unchecked: 7))
        let direct = ConversationID.direct(low, high)
        #expect(direct.peer(of: low) == high)
        #expect(direct.peer(of: high) == low)
        #expect(direct.peer(of: other) == nil)
        #expect(ConversationID.inbox(low).peer(of: low) == nil)
    }
}
