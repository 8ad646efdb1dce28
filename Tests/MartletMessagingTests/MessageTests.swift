import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("Sending", .everyEngine)
struct SendTests {
    @Test("Past a user's share sends are refused until it fills again")
    func rateLimit() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        var configuration = MessagingConfiguration()
        configuration.sends = RateRule(perSecond: 1, burst: 2)
        let messages = Messages(
            access: village.access, database: village.database, log: village.log, limiter: LocalRateLimiter(),
            clock: village.clock, configuration: configuration)
        let content = JSONWriter.object { $0.field("text", "hello") }
        for id in ["1", "2"] {
            _ = try await messages.send(alice, to: .user(bob.user), clientId: id, kind: .text, content: content)
        }
        let fault = await #expect(throws: Fault.self) {
            try await messages.send(alice, to: .user(bob.user), clientId: "3", kind: .text, content: content)
        }
        #expect(fault?.reason == .rateLimited)
        #expect(fault?.retryAfter != nil)
        _ = try await messages.send(bob, to: .user(alice.user), clientId: "1", kind: .text, content: content)
    }

    @Test("A message to a user goes to the direct conversation, and both sides take part")
    func toUser() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        let sent = try await village.send(alice, .user(bob.user), clientId: "a", "hello")
        #expect(sent.conversation == direct(alice, bob))
        #expect(sent.receipt.seq == 1)
        let sides = try await village.database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM participants")
        }
        #expect(sides == 2)
    }

    @Test("A retry gets the first receipt, another payload is refused")
    func retry() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        let first = try await village.send(alice, .user(bob.user), clientId: "a", "hello")
        let again = try await village.send(alice, .user(bob.user), clientId: "a", "hello")
        #expect(again.receipt.seq == first.receipt.seq)
        #expect(again.receipt.isRepeat)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.send(alice, .user(bob.user), clientId: "a", "bye")
            } == .clientIdReused)
    }

    @Test("Blocks, strangers, other apps and nobody")
    func refused() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        let carol = try await village.person("Carol", app: Village.otherApp)
        let guest = try await village.person("Guest", role: .guest)
        func reasonOf(_ caller: Caller, _ destination: Destination) async -> Fault.Reason? {
            await reason { () throws(Fault) in _ = try await village.send(caller, destination, clientId: "x", "hi") }
        }
        #expect(await reasonOf(alice, .user(carol.user)) == .unknownUser)
        #expect(await reasonOf(alice, .user(UserID(unchecked: 99))) == .unknownUser)
        for nobody in [carol.user, guest.user, UserID(unchecked: 99)] {
            let conversation = try #require(ConversationID.between(alice.user, nobody))
            #expect(await reasonOf(alice, .conversation(conversation)) == .unknownUser)
            // What a session asks for its sends.
            let right = try await village.access.sendRight(alice, conversation)
            let refused = await reason { () throws(Fault) in try right.check(now: village.clock.now) }
            #expect(refused == .unknownUser)
        }
        #expect(await reasonOf(guest, .user(UserID(unchecked: 99))) == .guestsRefused)
        #expect(await reasonOf(alice, .user(alice.user)) == .invalidField)
        #expect(await reasonOf(alice, .conversation(direct(bob, guest))) == .unknownConversation)
        #expect(await reasonOf(alice, .conversation(.inbox(alice.user))) == .notAllowed)
        #expect(await reasonOf(alice, .conversation(.inbox(bob.user))) == .unknownConversation)
        #expect(await reasonOf(alice, .conversation(.room(Village.app, nil))) == .notAMember)
        #expect(await reasonOf(alice, .conversation(.room(Village.otherApp, nil))) == .unknownConversation)
        #expect(await reasonOf(guest, .user(alice.user)) == .guestsRefused)
        village.relations.set(alice, bob, .blockedByThem)
        #expect(await reasonOf(alice, .user(bob.user)) == .blocked)
        village.relations.set(alice, bob, .strangerRefused)
        #expect(await reasonOf(alice, .user(bob.user)) == .strangersRefused)
    }

    @Test("Content is checked")
    func content() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.send(
                    alice, to: .user(bob.user), clientId: "a", kind: .text, content: Array(#"{"text":""}"#.utf8))
            } == .invalidField)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.send(
                    alice, to: .user(bob.user), clientId: "a", kind: .edit, content: Array("{}".utf8))
            } == .unknownType)
    }

    @Test("A remembered right knows when a mute ends")
    func mutedRight() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        let group = try await village.group(of: alice, bob)
        let end = village.clock.now + .seconds(60)
        try await village.groups.mute(alice, group, bob.user, until: end)
        let right = try await village.access.sendRight(bob, .group(group))
        #expect(await reason { () throws(Fault) in try right.check(now: village.clock.now) } == .muted)
        #expect(await reason { () throws(Fault) in try right.check(now: end) } == nil)
    }
}

@Suite("Edits, recalls and reactions", .everyEngine)
struct AmendmentTests {
    private let village: Village
    private let alice: Caller
    private let bob: Caller
    private let conversation: ConversationID

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
        bob = try await village.person("Bob")
        conversation = direct(alice, bob)
        try await village.say("hello", alice, in: conversation)
    }

    private func edit(_ caller: Caller, _ target: Int64, _ text: String, clientId: String = "e") async throws(Fault) {
        let content = JSONWriter.object { $0.field("text", text) }
        _ = try await village.messages.edit(caller, conversation, target: target, clientId: clientId, content: content)
    }

    private func present(_ seq: Int64) async throws(Fault) -> JSONValue? {
        let page = try await village.history.page(bob, conversation, .after(seq - 1), limit: 1)
        return try page.items.first.map { item throws(Fault) in try json(item) }
    }

    @Test("Readers see the edited content and when it was edited; the edit is an event")
    func edits() async throws {
        village.clock.advance(.seconds(5))
        try await edit(alice, 1, "hello there")
        let message = try await present(1)
        #expect(message?["content"]?["text"]?.string == "hello there")
        #expect(message?["edited"]?.integer == village.clock.now.milliseconds)
        #expect(message?["fromName"]?.string == "Alice")
        #expect(try await present(2)?["content"]?["target"]?.integer == 1)
    }

    @Test("Only the author edits, texts only, in time, what is there")
    func editRefusals() async throws {
        #expect(await reason { () throws(Fault) in try await edit(bob, 1, "x") } == .notAllowed)
        #expect(await reason { () throws(Fault) in try await edit(alice, 7, "x") } == .unknownMessage)
        try await edit(alice, 1, "once")
        #expect(await reason { () throws(Fault) in try await edit(alice, 2, "x") } == .unknownMessage)
        _ = try await village.messages.send(
            alice, to: .conversation(conversation), clientId: "s", kind: .sticker,
            content: Array(#"{"packId":"p","stickerId":"s"}"#.utf8))
        #expect(await reason { () throws(Fault) in try await edit(alice, 3, "x") } == .invalidField)
        village.clock.advance(.seconds(86_401))
        #expect(await reason { () throws(Fault) in try await edit(alice, 1, "x", clientId: "late") } == .tooLate)
    }

    @Test("A recall leaves nothing of the content, its edits and its reactions")
    func recalls() async throws {
        try await edit(alice, 1, "secret")
        _ = try await village.messages.react(bob, conversation, target: 1, emoji: "👍", on: true)
        _ = try await village.messages.recall(alice, conversation, target: 1)
        let message = try await present(1)
        #expect(message?["recalled"]?.bool == true)
        #expect(message?["content"] == .object([]))
        #expect(message?["edited"] == nil)
        #expect(message?["reactions"] == nil)
        #expect(try await village.events(conversation).contains { $0.contains("secret") } == false)
    }

    @Test("What was recalled is not edited, recalled or reacted to; a retried recall gets the first answer")
    func afterRecall() async throws {
        let first = try await village.messages.recall(alice, conversation, target: 1, clientId: "r")
        village.clock.advance(.seconds(3600))
        let again = try await village.messages.recall(alice, conversation, target: 1, clientId: "r")
        #expect(again.seq == first.seq)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.recall(alice, conversation, target: 1)
            } == .alreadyRecalled)
        #expect(await reason { () throws(Fault) in try await edit(alice, 1, "x") } == .alreadyRecalled)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.react(bob, conversation, target: 1, emoji: "👍", on: true)
            } == .alreadyRecalled)
    }

    @Test("The author recalls for two minutes")
    func recallLimit() async throws {
        village.clock.advance(.seconds(121))
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.recall(alice, conversation, target: 1)
            } == .tooLate)
    }

    @Test("A group's admin recalls a member's message at any time, a member nobody's")
    func recallByAdmin() async throws {
        let group = try await village.group(of: alice, bob)
        let seq = try await village.say("spam", bob, in: .group(group))
        let other = try await village.say("mine", alice, in: .group(group))
        village.clock.advance(.seconds(100_000))
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.recall(bob, .group(group), target: other)
            } == .notAllowed)
        _ = try await village.messages.recall(alice, .group(group), target: seq)
    }

    @Test("Reactions are set and taken back")
    func reactions() async throws {
        _ = try await village.messages.react(bob, conversation, target: 1, emoji: "👍", on: true)
        _ = try await village.messages.react(alice, conversation, target: 1, emoji: "👍", on: true)
        let set = try await present(1)?["reactions"]?[0]
        #expect(set?["emoji"]?.string == "👍")
        #expect(set?["userIds"]?.array?.compactMap(\.integer) == [bob.user.value, alice.user.value])
        _ = try await village.messages.react(bob, conversation, target: 1, emoji: "👍", on: false)
        _ = try await village.messages.react(alice, conversation, target: 1, emoji: "👍", on: false)
        #expect(try await present(1)?["reactions"] == nil)
    }
}

@Suite("History", .everyEngine)
struct HistoryTests {
    @Test("Pages lead from the newest to the oldest, and back")
    func pages() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        let conversation = direct(alice, bob)
        for number in 1...7 { try await village.say("\(number)", alice, in: conversation) }
        func page(_ position: HistoryPosition) async throws(Fault) -> HistoryPage {
            try await village.history.page(bob, conversation, position, limit: 3)
        }
        let newest = try await page(.newest)
        #expect(try seqs(newest.items) == [5, 6, 7])
        #expect(newest.nextCursor == 5)
        #expect(newest.firstSeq == 1 && newest.lastSeq == 7)
        #expect(try seqs(try await page(.before(5)).items) == [2, 3, 4])
        let oldest = try await page(.before(2))
        #expect(try seqs(oldest.items) == [1])
        #expect(oldest.nextCursor == nil)
        let forward = try await page(.after(3))
        #expect(try seqs(forward.items) == [4, 5, 6])
        #expect(forward.nextCursor == 6)
        #expect(try await page(.after(6)).nextCursor == nil)
        #expect(try await page(.before(1)).items.isEmpty)
        #expect(try await page(.after(7)).items.isEmpty)
    }

    @Test("A member reads from their joining on, also after having left and come back")
    func joining() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        let group = try await village.group(of: alice, mode: .open)
        let conversation = ConversationID.group(group)
        try await village.say("before", alice, in: conversation)
        _ = try await village.groups.join(bob, group, message: "")
        try await village.say("while", alice, in: conversation)
        let page = try await village.history.page(bob, conversation, .newest, limit: 50)
        #expect(try seqs(page.items) == [3, 4])
        #expect(page.firstSeq == 3)
        #expect(page.nextCursor == nil)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.messages.react(bob, conversation, target: 2, emoji: "👍", on: true)
            } == .unknownMessage)
        try await village.groups.leave(bob, group)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.history.page(bob, conversation, .newest, limit: 50)
            } == .notAMember)
        try await village.say("without", alice, in: conversation)
        _ = try await village.groups.join(bob, group, message: "")
        #expect(try await village.history.page(bob, conversation, .newest, limit: 50).firstSeq == 7)
    }

    @Test("Events of other names get them; events that have one keep it")
    func named() async throws {
        let village = try await Village()
        let (alice, bob) = (try await village.person("Alice"), try await village.person("Bob"))
        try await village.say("hi", alice, in: direct(alice, bob))
        let events = try await village.log.read(direct(alice, bob), 1...1, limit: 1, newest: false).events
        #expect(events.first?.senderName == "")
        #expect(try await village.reader.named(events).first?.senderName == "Alice")
    }
}
