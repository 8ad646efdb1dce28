import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletMessaging

@Suite("Cursors of devices", .everyEngine)
struct DeviceCursorTests {
    private let village: Village
    private let alice: Caller
    private let bob: Caller
    private let carol: Caller

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
        bob = try await village.person("Bob")
        carol = try await village.person("Carol")
    }

    private func save(_ conversation: ConversationID, _ seqs: Int64..., device: String = "old") async throws(Fault) {
        let rows = seqs.map { ReceivedCursor(user: bob.user, device: device, conversation: conversation, seq: $0) }
        try await village.deviceCursors.save(rows)
    }

    private func missed(
        limit: Int = 100, device: String = "old"
    ) async throws(Fault) -> (positions: [ConversationID: Int64], texts: [String]) {
        let missed = try await village.deviceCursors.missed(of: bob.user, device: device, limit: limit)
        let texts = missed.first.map { "\($0.senderName) \(String(decoding: $0.body ?? [], as: UTF8.self))" }
        return (missed.positions, texts)
    }

    @Test("A cursor goes forward only, also among several of one save")
    func forward() async throws {
        let conversation = direct(alice, bob)
        for number in 1...5 { try await village.say("\(number)", alice, in: conversation) }
        try await save(conversation, 2, 4, 3)
        #expect(try await missed().positions == [conversation: 4])
        try await save(conversation, 1)
        #expect(try await missed().positions == [conversation: 4])
        try await save(conversation, 5)
        #expect(try await missed().positions.isEmpty)
    }

    @Test("A save may be of any size, and of nothing")
    func many() async throws {
        try await village.deviceCursors.save([])
        let rows = (1...450).map {
            ReceivedCursor(
                user: bob.user, device: "old", conversation: .group(GroupID(unchecked: Int64($0))), seq: Int64($0))
        }
        for _ in 1...2 { try await village.deviceCursors.save(rows) }
        let found = try await village.database.read { [bob] connection throws(Fault) in
            try DeviceCursorStore(connection: connection).all(of: bob.user, device: "old")
        }
        #expect(found.count == 450 && found[.group(GroupID(unchecked: 450))] == 450)
    }

    @Test("Each device has its own; one that has none begins where the user's others are")
    func devices() async throws {
        let conversation = direct(alice, bob)
        for number in 1...4 { try await village.say("\(number)", alice, in: conversation) }
        try await save(conversation, 3)
        #expect(try await missed().positions == [conversation: 3])
        #expect(try await missed(device: "new").positions == [conversation: 0])
        try await village.cursors.ack(bob, conversation, seq: 2)
        #expect(try await missed(device: "new").positions == [conversation: 2])
        _ = try await village.cursors.read(bob, conversation, seq: 4)
        #expect(try await missed(device: "new").positions.isEmpty)
        #expect(try await missed().positions == [conversation: 3])
    }

    @Test("The first messages come in the order of their times, with names, and no more than wanted")
    func order() async throws {
        let group = try await village.group(of: alice, bob, carol)
        try await village.say("1", alice, in: direct(alice, bob))
        try await village.say("2", carol, in: .group(group))
        try await village.say("3", alice, in: direct(alice, bob))
        try await village.say("4", carol, in: direct(carol, bob))
        try await village.say("5", alice, in: .group(group))
        let all = [
            #"Alice {"text":"1"}"#, #"Carol {"text":"2"}"#, #"Alice {"text":"3"}"#, #"Carol {"text":"4"}"#,
            #"Alice {"text":"5"}"#,
        ]
        #expect(try await missed().texts == all)
        #expect(try await missed(limit: 3).texts == Array(all.prefix(3)))
        let none = try await missed(limit: 0)
        // The group's first event is the one that made it.
        #expect(none.positions == [direct(alice, bob): 0, direct(carol, bob): 0, .group(group): 0])
        #expect(none.texts.isEmpty)
    }

    @Test("Own messages, what is no message and what was recalled is not among them")
    func others() async throws {
        let conversation = direct(alice, bob)
        try await village.say("mine", bob, in: conversation)
        try await village.say("oops", alice, in: conversation)
        _ = try await village.messages.recall(alice, conversation, target: 2)
        _ = try await village.messages.react(alice, conversation, target: 1, emoji: "👍", on: true)
        try await village.say("theirs", alice, in: conversation)
        let target = try #require(try await village.log.read(conversation, 1...9, limit: 9, newest: true).events.last)
        _ = try await village.messages.edit(
            alice, conversation, target: target.seq, clientId: "e", content: Array(#"{"text":"better"}"#.utf8))
        let found = try await missed()
        #expect(found.texts == [#"Alice {"text":"better"}"#] && found.positions == [conversation: 0])
    }

    @Test("A group begins with the joining, also where the device was there before, and ends with the leaving")
    func joining() async throws {
        let group = try await village.group(of: alice, bob)
        try await village.say("before", alice, in: .group(group))
        try await save(.group(group), 1)
        try await village.groups.leave(bob, group)
        try await village.say("without", alice, in: .group(group))
        #expect(try await missed().positions.isEmpty)
        village.relations.befriend(alice, bob)
        _ = try await village.groups.invite(alice, group, [bob.user])
        try await village.say("after", alice, in: .group(group))
        let found = try await missed()
        #expect(found.texts == [#"Alice {"text":"after"}"#] && found.positions == [.group(group): 4])
    }

    @Test("Rooms and the inbox are not missed, and what was trimmed can't be got any more")
    func bounds() async throws {
        let room = ConversationID.room(Village.app, nil)
        village.presence.entered(room, alice.user) { _ in }
        try await village.say("room", alice, in: room)
        try await village.post("inbox", alice, to: .user(try village.card(alice)))
        let conversation = direct(alice, bob)
        for number in 1...5 { try await village.say("\(number)", alice, in: conversation) }
        _ = try await village.log.trim(conversation, before: 4)
        let found = try await missed()
        #expect(found.positions == [conversation: 3] && found.texts.count == 2)
    }

    @Test("The positions are complete, however many conversations there are")
    func complete() async throws {
        for number in 1...40 {
            let friend = try await village.person("Friend\(number)")
            try await village.say("\(number)", friend, in: direct(friend, bob))
        }
        let found = try await missed()
        #expect(found.positions.count == 40)
        #expect(found.texts.count == 32 && found.texts.first == #"Friend1 {"text":"1"}"#)
    }
}

@Suite("Messages of several conversations")
struct MissedMessagesTests {
    private static func line(_ group: Int64, _ times: Int64...) -> [Event] {
        times.enumerated().map { index, time in
            Event(
                conversation: .group(GroupID(unchecked: group)), seq: Int64(index + 1),
                ordinal: time * 10 + group, sender: UserID(unchecked: 1), senderName: "", kind: .text, clientId: "",
                time: Instant(milliseconds: time), body: [])
        }
    }

    private static func merge(_ lines: [Event]..., limit: Int = 100) -> [Int64] {
        MissedMessages.merge(lines, limit: limit).map(\.ordinal)
    }

    @Test("The earliest comes first, and of the same time the one that was stored first")
    func order() {
        #expect(Self.merge(Self.line(2, 1, 4, 5), Self.line(1, 2, 4), []) == [12, 21, 41, 42, 52])
        #expect(Self.merge(Self.line(2, 1, 4, 5), Self.line(1, 2, 4), limit: 2) == [12, 21])
        #expect(Self.merge(limit: 2).isEmpty)
    }

    @Test("A conversation's own order stays, also where clocks went back")
    func clocks() {
        #expect(Self.merge(Self.line(1, 5, 1, 6), Self.line(2, 2, 7)) == [22, 51, 11, 61, 72])
    }
}
