import MartletBus
import MartletCore
import MartletLog
import MartletTestServices
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("Cursors", .everyEngine)
struct CursorTests {
    private let village: Village
    private let alice: Caller
    private let bob: Caller
    private let conversation: ConversationID

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
        bob = try await village.person("Bob")
        conversation = direct(alice, bob)
        for number in 1...4 { try await village.say("\(number)", alice, in: conversation) }
    }

    private func unread(_ caller: Caller) async throws(Fault) -> Int {
        try await village.cursors.read(caller, conversation, seq: 0).unread
    }

    @Test("Unread counts others' messages that were not recalled, and nothing else")
    func unread() async throws {
        #expect(try await unread(bob) == 4)
        #expect(try await unread(alice) == 0)
        _ = try await village.messages.react(alice, conversation, target: 1, emoji: "👍", on: true)
        try await village.say("mine", bob, in: conversation)
        #expect(try await unread(bob) == 4)
        _ = try await village.messages.recall(alice, conversation, target: 2)
        #expect(try await unread(bob) == 3)
    }

    @Test("Reading moves forward only, and never past the newest event")
    func read() async throws {
        #expect(try await village.cursors.read(bob, conversation, seq: 3) == (3, 1))
        #expect(try await village.cursors.read(bob, conversation, seq: 1) == (3, 1))
        #expect(try await village.cursors.read(bob, conversation, seq: 99) == (4, 0))
        let both = "to [\(alice.user.value), \(bob.user.value)]"
        #expect(
            village.broker.heard() == [
                "read \(conversation.text) \(bob.user.value) 3 \(both)",
                "read \(conversation.text) \(bob.user.value) 4 \(both)",
            ])
    }

    @Test("What is read was received; receiving is told to the other side")
    func ack() async throws {
        try await village.cursors.ack(bob, conversation, seq: 2)
        #expect(
            village.broker.heard() == ["delivered \(conversation.text) \(bob.user.value) 2 to [\(alice.user.value)]"])
        try await village.cursors.ack(bob, conversation, seq: 1)
        #expect(village.broker.heard().isEmpty)
        _ = try await village.cursors.read(bob, conversation, seq: 3)
        let page = try await village.cursors.list(alice, conversation, limit: 10, cursor: nil)
        #expect(
            page.items == [
                MemberCursor(user: alice.user, readSeq: 0, deliveredSeq: 0),
                MemberCursor(user: bob.user, readSeq: 3, deliveredSeq: 3),
            ])
    }

    @Test("A small group hears who read, and its cursors are listed page by page")
    func group() async throws {
        let group = try await village.group(of: alice, bob)
        try await village.say("hi", alice, in: .group(group))
        _ = village.broker.heard()
        #expect(try await village.cursors.read(bob, .group(group), seq: 2) == (2, 0))
        #expect(village.broker.heard() == ["read g:\(group.value) \(bob.user.value) 2 followers"])
        let first = try await village.cursors.list(alice, .group(group), limit: 1, cursor: nil)
        #expect(first.items.map(\.user) == [alice.user])
        let rest = try await village.cursors.list(alice, .group(group), limit: 1, cursor: first.nextCursor)
        #expect(rest.items.map(\.readSeq) == [2] && rest.nextCursor == nil)
    }

    @Test("The inbox has a cursor, for one's own devices; a room has none")
    func inboxAndRoom() async throws {
        _ = try await village.conversations.set(bob, conversation, ConversationChange(pinned: true))
        #expect(try await village.cursors.read(bob, .inbox(bob.user), seq: 1) == (1, 0))
        #expect(
            village.broker.heard() == ["read u:\(bob.user.value) \(bob.user.value) 1 to [\(bob.user.value)]"])
        let room = ConversationID.room(Village.app, nil)
        village.presence.entered(room, bob.user) { _ in }
        #expect(
            await reason { () throws(Fault) in _ = try await village.cursors.read(bob, room, seq: 1) } == .notAllowed)
    }
}

@Suite("List of conversations", .everyEngine)
struct ConversationListTests {
    private let village: Village
    private let alice: Caller
    private let bob: Caller
    private let carol: Caller
    private let group: GroupID

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
        bob = try await village.person("Bob")
        carol = try await village.person("Carol")
        group = try await village.group(of: alice, bob)
        try await village.say("hi carol", alice, in: direct(alice, carol))
        try await village.say("hi bob", bob, in: direct(alice, bob))
    }

    private func list(_ caller: Caller, limit: Int = 10, cursor: String? = nil) async throws(Fault) -> MessagingPage<
        ConversationSummary
    > { try await village.conversations.list(caller, limit: limit, cursor: cursor) }

    private func names(_ caller: Caller) async throws(Fault) -> [String] { try await list(caller).items.map(\.title) }

    @Test("By last activity, pinned ones first, page by page")
    func order() async throws {
        #expect(try await names(alice) == ["Bob", "Carol", "Swifts"])
        _ = try await village.conversations.set(alice, .group(group), ConversationChange(pinned: true))
        #expect(try await names(alice) == ["Swifts", "Bob", "Carol"])
        var titles: [String] = []
        var cursor: String?
        repeat {
            let page = try await list(alice, limit: 1, cursor: cursor)
            titles += page.items.map(\.title)
            cursor = page.nextCursor
        } while cursor != nil
        #expect(titles == ["Swifts", "Bob", "Carol"])
    }

    @Test("Each with its peer, counts and last message")
    func contents() async throws {
        _ = try await village.cursors.read(bob, direct(alice, bob), seq: 1)
        let first = try #require(try await list(alice).items.first)
        #expect(first.peer == bob.user && first.group == nil && first.avatar == "/bob.png")
        #expect(first.unread == 1 && first.readSeq == 0 && first.lastSeq == 1)
        #expect(first.peerCursor == MemberCursor(user: bob.user, readSeq: 1, deliveredSeq: 1))
        let message = try #require(first.lastMessage)
        #expect(try texts([message]) == ["hi bob"])
        #expect(try json(message)["fromName"]?.string == "Bob")
    }

    @Test("The last message is shown as it is now, and only to those who may read it")
    func lastMessage() async throws {
        let content = JSONWriter.object { $0.field("text", "edited") }
        _ = try await village.messages.edit(bob, direct(alice, bob), target: 1, clientId: "e", content: content)
        let first = try #require(try await list(alice).items.first?.lastMessage)
        #expect(try texts([first]) == ["edited"])
        try await village.say("before", alice, in: .group(group))
        village.relations.befriend(alice, carol)
        _ = try await village.groups.invite(alice, group, [carol.user])
        let joined = try #require(try await list(carol).items.first { $0.group == group })
        #expect(joined.lastMessage == nil && joined.unread == 0 && joined.firstSeq == 3 && joined.readSeq == 2)
    }

    @Test("What has no events, and what was left, is not listed")
    func absent() async throws {
        let dave = try await village.person("Dave")
        _ = try await village.access.sendRight(dave, direct(alice, dave))
        #expect(try await names(dave).isEmpty)
        try await village.groups.leave(bob, group)
        #expect(try await names(bob) == ["Alice"])
    }

    @Test("A hidden conversation comes back with its next message")
    func hidden() async throws {
        let conversation = direct(alice, bob)
        let settings = try await village.conversations.set(alice, conversation, ConversationChange(hidden: true))
        #expect(settings == ConversationSettings(pinned: false, muted: false, hidden: true))
        #expect(try await names(alice) == ["Carol", "Swifts"])
        _ = try await village.messages.react(bob, conversation, target: 1, emoji: "👍", on: true)
        #expect(try await names(alice) == ["Carol", "Swifts"])
        try await village.say("still there?", bob, in: conversation)
        #expect(try await names(alice) == ["Bob", "Carol", "Swifts"])
    }

    @Test("Settings are told to all devices, once for each change")
    func settings() async throws {
        let conversation = direct(alice, carol)
        let before = try await village.inbox(alice).count
        for _ in 1...2 {
            _ = try await village.conversations.set(alice, conversation, ConversationChange(muted: true))
        }
        let told = try await village.inbox(alice)
        #expect(told.count == before + 1)
        #expect(
            told.last == """
                conversation_settings {"conversationId":"\(conversation.text)","pinned":false,"muted":true,"hidden":false}
                """)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.conversations.set(bob, conversation, ConversationChange(pinned: true))
            } == .unknownConversation)
    }
}

@Suite("Sync", .everyEngine)
struct SyncTests {
    private let village: Village
    private let alice: Caller
    private let bob: Caller
    private let conversation: ConversationID

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
        bob = try await village.person("Bob")
        conversation = direct(alice, bob)
        for number in 1...6 { try await village.say("\(number)", alice, in: conversation) }
    }

    private func sync(
        _ cursors: [ConversationID: Int64], limit: Int = 50, rooms: [ConversationID] = []
    ) async throws(Fault) -> [ConversationID: SyncConversation] {
        let pairs = cursors.map { ($0.key, $0.value) }
        let result = try await village.sync.sync(bob, cursors: pairs, limit: limit, rooms: rooms)
        return Dictionary(result.conversations.map { ($0.conversation, $0) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("After a cursor: what was missed, oldest first, page by page")
    func cursor() async throws {
        let first = try #require(try await sync([conversation: 1], limit: 3)[conversation])
        #expect(try seqs(first.events) == [2, 3, 4])
        #expect(first.more && !first.reset && first.through == 4 && first.lastSeq == 6 && first.firstSeq == 1)
        let second = try #require(try await sync([conversation: 4], limit: 3)[conversation])
        #expect(try seqs(second.events) == [5, 6])
        #expect(!second.more && second.through == 6)
        #expect(try await sync([conversation: 6])[conversation] == nil)
    }

    @Test("Not named: the newest events, with counts")
    func unnamed() async throws {
        _ = try await village.cursors.read(bob, conversation, seq: 2)
        let part = try #require(try await sync([:], limit: 2)[conversation])
        #expect(try texts(part.events) == ["5", "6"])
        #expect(!part.more && !part.reset && part.readSeq == 2 && part.unread == 4 && part.through == 6)
    }

    @Test("Trimmed away: a reset that begins at the oldest event there is")
    func reset() async throws {
        _ = try await village.log.trim(conversation, before: 4)
        let part = try #require(try await sync([conversation: 1])[conversation])
        #expect(part.reset && part.firstSeq == 4 && !part.more)
        #expect(try seqs(part.events) == [4, 5, 6])
        let exact = try #require(try await sync([conversation: 3])[conversation])
        #expect(!exact.reset)
        #expect(try seqs(exact.events) == [4, 5, 6])
    }

    @Test("A cursor from the future is a reset")
    func future() async throws {
        let part = try #require(try await sync([conversation: 60])[conversation])
        #expect(part.reset)
        #expect(try seqs(part.events) == [1, 2, 3, 4, 5, 6])
    }

    @Test("What the log has nothing of any more is a reset to nothing, and goes on from there")
    func lost() async throws {
        let carol = try await village.person("Carol")
        let dave = try await village.person("Dave")
        let room = ConversationID.room(Village.app, "lobby")
        // One that somebody was about to write in, one that nothing is known of, the inbox, a room, a group.
        _ = try await village.access.sendRight(carol, direct(bob, carol))
        let lost = [
            direct(bob, carol), direct(bob, dave), .inbox(bob.user), room, .group(GroupID(unchecked: 900)),
        ]
        let named = Dictionary(uniqueKeysWithValues: lost.map { ($0, Int64(5)) })
        let parts = try await sync(named.merging([conversation: 6]) { one, _ in one }, rooms: [room])
        #expect(Set(parts.keys) == Set(lost))
        for part in parts.values {
            #expect(part.reset && !part.more && part.events.isEmpty, "\(part.conversation)")
            #expect(part.firstSeq == 1 && part.lastSeq == 0 && part.through == 0 && part.unread == 0)
        }
        // Who has nothing of it has lost nothing.
        #expect(try await sync(named.mapValues { _ in 0 }.merging([conversation: 6]) { one, _ in one }).isEmpty)
        try await village.say("anew", carol, in: direct(bob, carol))
        let anew = try #require(try await sync([direct(bob, carol): 0])[direct(bob, carol)])
        #expect(try texts(anew.events) == ["anew"])
    }

    @Test("Another app's group is as one that is not there; one that was left or dissolved is the inbox's to tell")
    func foreign() async throws {
        let stranger = try await village.person("Zoe", app: Village.otherApp)
        let foreign = try await village.groups.create(stranger, name: "Theirs", members: [], joinMode: .open)
        let dissolved = try await village.group(of: alice, bob)
        try await village.groups.dissolve(alice, dissolved)
        let parts = try await sync([.group(foreign): 1, .group(dissolved): 1, conversation: 6, .inbox(bob.user): 2])
        #expect(Array(parts.keys) == [.group(foreign)])
        let part = try #require(parts[.group(foreign)])
        #expect(part.reset && part.lastSeq == 0 && part.events.isEmpty && part.unread == 0)
    }

    @Test("The inbox comes first, and like any other conversation")
    func inbox() async throws {
        _ = try await village.conversations.set(bob, conversation, ConversationChange(pinned: true))
        let result = try await village.sync.sync(bob, cursors: [], limit: 5, rooms: [])
        #expect(result.conversations.map(\.conversation) == [.inbox(bob.user), conversation])
        #expect(try await sync([.inbox(bob.user): 1, conversation: 6]).isEmpty)
    }

    @Test("Groups from the joining on; nothing of groups that were left, of others' conversations and of rooms left")
    func rights() async throws {
        let group = try await village.group(of: alice)
        try await village.say("before", alice, in: .group(group))
        village.relations.befriend(alice, bob)
        _ = try await village.groups.invite(alice, group, [bob.user])
        try await village.say("after", alice, in: .group(group))
        let part = try #require(try await sync([:])[.group(group)])
        #expect(try seqs(part.events) == [3, 4])
        #expect(part.firstSeq == 3 && part.readSeq == 2 && part.unread == 1)
        let again = try #require(try await sync([.group(group): 1])[.group(group)])
        #expect(again.reset)
        try await village.groups.leave(bob, group)
        let carol = try await village.person("Carol")
        try await village.say("secret", alice, in: direct(alice, carol))
        let room = ConversationID.room(Village.app, nil)
        let found = try await sync([.group(group): 3, direct(alice, carol): 0, .inbox(alice.user): 0, room: 0])
        #expect(Set(found.keys) == [conversation, .inbox(bob.user)])
    }

    @Test("Rooms that the session is in")
    func rooms() async throws {
        let room = ConversationID.room(Village.app, "lobby")
        for person in [alice, bob] { village.presence.entered(room, person.user) { _ in } }
        try await village.say("hi", alice, in: room)
        let part = try #require(try await sync([room: 0], rooms: [room])[room])
        #expect(try seqs(part.events) == [1])
        #expect(part.unread == 0)
    }

    @Test("Large answers are cut: what does not fit is named with more, and the next sync goes on")
    func budget() async throws {
        let text = String(repeating: "x", count: 4000)
        let people = [
            try await village.person("Carol"), try await village.person("Dave"), try await village.person("Eve"),
        ]
        for person in people {
            for _ in 1...150 { try await village.say(text, person, in: direct(bob, person)) }
        }
        // Not named, the least active one comes with its newest event only: the client holds nothing that would have a gap.
        let unnamed = try await sync([:], limit: 200)
        #expect(people.map { unnamed[direct(bob, $0)]?.events.count } == [1, 150, 150])
        #expect(unnamed.values.allSatisfy { !$0.more })
        var held = Dictionary(uniqueKeysWithValues: people.map { (direct(bob, $0), Int64(0)) })
        held[conversation] = 6
        var got: [ConversationID: Int] = [:]
        var rounds = 0
        var hasMore = true
        while hasMore, rounds < 10 {
            rounds += 1
            let parts = try await sync(held, limit: 200)
            hasMore = parts.values.contains(where: \.more)
            for (name, part) in parts {
                held[name] = part.through
                got[name, default: 0] += part.events.count
            }
        }
        #expect(people.allSatisfy { got[direct(bob, $0)] == 150 })
        #expect(rounds == 2)
    }

    @Test("A cursor from the future that finds no room in the answer is asked for again, and is a reset then")
    func putOff() async throws {
        let text = String(repeating: "x", count: 4000)
        let carol = try await village.person("Carol")
        for _ in 1...150 { try await village.say(text, alice, in: direct(alice, bob)) }
        for _ in 1...150 { try await village.say(text, carol, in: direct(bob, carol)) }
        let dave = try await village.person("Dave")
        for _ in 1...6 { try await village.say("earlier", dave, in: direct(bob, dave)) }
        village.clock.advance(.seconds(60))
        for person in [alice, carol] { try await village.say(text, person, in: direct(bob, person)) }
        let cursors = [direct(alice, bob): 0, direct(bob, carol): 0, direct(bob, dave): Int64(60)]
        let first = try #require(try await sync(cursors, limit: 200)[direct(bob, dave)])
        #expect(first.more && !first.reset && first.events.isEmpty)
        #expect(first.through == 0, "what is pushed later must not be taken for older than the answer")
        let second = try #require(try await sync([direct(bob, dave): 60])[direct(bob, dave)])
        #expect(try second.reset && !second.more && seqs(second.events) == [1, 2, 3, 4, 5, 6])
    }

    @Test("The answer as it is written")
    func written() async throws {
        let result = try await village.sync.sync(bob, cursors: [(conversation, 5)], limit: 5, rooms: [])
        let part = try json(result)["conversations"]?[0]
        #expect(part?["conversationId"]?.string == conversation.text)
        #expect(part?["events"]?.array?.count == 1)
        #expect(part?["more"] == nil && part?["reset"] == nil)
    }
}

@Suite("Rooms", .everyEngine)
struct RoomTests {
    @Test("The world room is always there, others while somebody is in them")
    func list() async throws {
        let village = try await Village()
        let alice = try await village.person("Alice")
        village.presence.entered(.room(Village.app, "lobby"), alice.user) { _ in }
        village.presence.entered(.room(Village.otherApp, "else"), alice.user) { _ in }
        let rooms = await village.rooms.list(alice)
        #expect(rooms.map(\.name) == ["world", "lobby"] && rooms.map(\.people) == [0, 1])
    }

    @Test("One enters rooms of one's own app; named ones where they are on")
    func entry() async throws {
        let village = try await Village(MessagingConfiguration(namedRooms: false))
        let guest = try await village.person("Guest", role: .guest)
        func enter(_ room: ConversationID) async -> Fault.Reason? {
            await reason { () throws(Fault) in try village.rooms.requireEntry(guest, room) }
        }
        #expect(await enter(.room(Village.app, nil)) == nil)
        #expect(await enter(.room(Village.app, "lobby")) == .unknownConversation)
        #expect(await enter(.room(Village.otherApp, nil)) == .unknownConversation)
        #expect(await enter(.group(GroupID(unchecked: 1))) == .notARoom)
    }

    @Test("People see one another while they are in, and write then")
    func members() async throws {
        let village = try await Village()
        let guest = try await village.person("Guest", role: .guest)
        let room = ConversationID.room(Village.app, nil)
        func look() async throws(Fault) -> [UserCard] { try await village.rooms.members(guest, room, limit: 10) }
        #expect(await reason { () throws(Fault) in _ = try await look() } == .notAMember)
        village.presence.entered(room, guest.user) { _ in }
        #expect(try await look().map(\.username) == ["guest"])
        #expect(try await village.say("hello", guest, in: room) == 1)
        village.presence.left(room, guest.user) { _ in }
        #expect(await reason { () throws(Fault) in _ = try await village.say("x", guest, in: room) } == .notAMember)
    }
}
