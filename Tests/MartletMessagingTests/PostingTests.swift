import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("Posting", .everyEngine)
struct PostingTests {
    private let village: Village
    private let alice: Caller
    private let bob: Caller
    private let guest: Caller
    private let room = ConversationID.room(Village.app, nil)

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
        bob = try await village.person("Bob")
        guest = try await village.person("Guest", role: .guest)
    }

    private func refusal(_ sender: Caller, _ target: PostingTarget, _ poster: Poster) async -> Fault.Reason? {
        await reason { () throws(Fault) in try await village.post("x", sender, to: target, by: poster) }
    }

    // MARK: Places

    @Test("A message to the room is an event of it, with the id in its content")
    func room() async throws {
        let outcome = try await village.post("hello", alice, to: .room, id: "m 1")
        let event = try #require(try await village.log.read(room, 1...9, limit: 9, newest: false).events.first)
        #expect(outcome == .stored(seq: 1))
        #expect(event.sender == alice.user && event.clientId == "" && event.kind == .text)
        #expect(try await village.events(room) == [#"text {"text":"hello","msgId":"m 1"}"#])
    }

    @Test("Everybody who may posts to the room")
    func posters() async throws {
        try await village.post("1", alice, to: .room, by: .backend(app: Village.app))
        try await village.post("2", alice, to: .room, by: .account(alice))
        try await village.post("3", guest, to: .room, by: .anyone)
        #expect(await refusal(alice, .room, .anyone) == .notAllowed)
        #expect(await refusal(alice, .room, .account(bob)) == .notAllowed)
        #expect(await refusal(alice, .room, .backend(app: Village.otherApp)) == .notAllowed)
        #expect(try await village.events(room).count == 3)
    }

    @Test("Accounts meet in their direct conversation, and both take part")
    func accounts() async throws {
        try await village.post("hello", alice, to: .user(try village.card(bob)))
        #expect(try await village.events(direct(alice, bob)) == [#"text {"text":"hello"}"#])
        #expect(try await village.conversations.list(bob, limit: 9, cursor: nil).items.first?.unread == 1)
        #expect(try await village.conversations.list(alice, limit: 9, cursor: nil).items.count == 1)
    }

    @Test("Blocks and the wish to hear friends only count as in a session, whoever posts")
    func rights() async throws {
        let target = PostingTarget.user(try village.card(bob))
        village.relations.set(alice, bob, .blockedByThem)
        #expect(await refusal(alice, target, .backend(app: nil)) == .blocked)
        #expect(await refusal(alice, target, .account(alice)) == .blocked)
        village.relations.set(alice, bob, .strangerRefused)
        #expect(await refusal(alice, target, .backend(app: nil)) == .strangersRefused)
        let carol = try await village.person("Carol", app: Village.otherApp)
        #expect(await refusal(alice, .user(try village.card(carol)), .backend(app: nil)) == .unknownUser)
        let participants = try await village.database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM participants")
        }
        #expect(participants == 0)
    }

    @Test("What a guest says or hears, and what one says to oneself, is in the recipient's inbox")
    func inboxes() async throws {
        try await village.post("to a guest", alice, to: .user(try village.card(guest)))
        try await village.post("of a guest", guest, to: .user(try village.card(bob)), by: .backend(app: nil))
        #expect(await refusal(guest, .user(try village.card(bob)), .anyone) == .notAllowed)
        try await village.post("to myself", guest, to: .user(try village.card(guest)), by: .anyone)
        try await village.post("note", bob, to: .user(try village.card(bob)))
        #expect(try await village.inbox(guest) == [#"text {"text":"to a guest"}"#, #"text {"text":"to myself"}"#])
        #expect(try await village.inbox(bob) == [#"text {"text":"of a guest"}"#, #"text {"text":"note"}"#])
        let page = try await village.log.read(.inbox(guest.user), 1...9, limit: 9, newest: false)
        #expect(page.events.map(\.sender) == [alice.user, guest.user])
    }

    @Test("In a group the sender's place counts")
    func groups() async throws {
        let group = try await village.group(of: alice, bob)
        let target = PostingTarget.conversation(.group(group))
        try await village.post("hello", bob, to: target, by: .account(bob))
        #expect(try await village.events(.group(group)).last == #"text {"text":"hello"}"#)
        let carol = try await village.person("Carol")
        #expect(await refusal(carol, target, .backend(app: nil)) == .notAMember)
        #expect(await refusal(guest, target, .anyone) == .notAllowed)
        try await village.groups.mute(alice, group, bob.user, until: nil)
        #expect(await refusal(bob, target, .backend(app: nil)) == .muted)
    }

    @Test("Rooms and inboxes are not named as conversations, others' conversations are not there")
    func strangePlaces() async throws {
        let places: [(ConversationID, Fault.Reason)] = [
            (room, .notAllowed), (.inbox(alice.user), .notAllowed), (.inbox(bob.user), .notAllowed),
            (direct(bob, guest), .unknownConversation), (.group(GroupID(unchecked: 9)), .unknownConversation),
            (direct(alice, guest), .unknownUser),
        ]
        for (place, expected) in places {
            #expect(await refusal(alice, .conversation(place), .backend(app: nil)) == expected, "\(place.text)")
        }
    }

    // MARK: Repeats

    @Test("An id that comes again is a repeat, whatever it is about, in its app")
    func repeats() async throws {
        try await village.post("hello", alice, to: .room, id: "1")
        #expect(try await village.post("hello", alice, to: .room, id: "1") == .repeated)
        #expect(try await village.post("other", bob, to: .user(try village.card(alice)), id: "1") == .repeated)
        #expect(try await village.events(room).count == 1)
        let carol = try await village.person("Carol", app: Village.otherApp)
        try await village.post("hello", carol, to: .room, id: "1")
        #expect(try await village.events(.room(Village.otherApp, nil)).count == 1)
    }

    @Test("Without an id nothing is a repeat")
    func unnamed() async throws {
        for _ in 1...2 { try await village.post("hello", alice, to: .room) }
        #expect(try await village.events(room) == [#"text {"text":"hello"}"#, #"text {"text":"hello"}"#])
    }

    @Test("After twelve hours an id is new", arguments: ["hello", "other"])
    func window(second: String) async throws {
        try await village.post("hello", alice, to: .room, id: "1")
        village.clock.advance(PostingRules.window - .milliseconds(1))
        #expect(try await village.post(second, alice, to: .room, id: "1") == .repeated)
        village.clock.advance(.milliseconds(1))
        let outcome = try await village.post(second, alice, to: .room, id: "1")
        #expect(outcome == .stored(seq: 2))
        #expect(try await village.events(room).last == #"text {"text":"\#(second)","msgId":"1"}"#)
        #expect(try await village.post(second, alice, to: .room, id: "1") == .repeated)
    }

    @Test("What the sender calls a message in a session is another matter", arguments: ["hello", "other"])
    func usedInSession(second: String) async throws {
        _ = try await village.send(alice, .user(bob.user), clientId: "1", "hello")
        let target = PostingTarget.user(try village.card(bob))
        try await village.post(second, alice, to: target, id: "1")
        #expect(
            try await village.events(direct(alice, bob)) == [
                #"text {"text":"hello"}"#, #"text {"text":"\#(second)","msgId":"1"}"#,
            ])
        #expect(try await village.post(second, alice, to: target, id: "1") == .repeated)
    }

    @Test("Nobody uses up another caller's id")
    func othersId() async throws {
        for poster in [Poster.account(alice), .backend(app: nil), .account(bob)] {
            let sender = if case .account(let caller) = poster { caller } else { alice }
            #expect(try await village.post("hello", sender, to: .room, id: "1", by: poster) != .repeated)
            #expect(try await village.post("hello", sender, to: .room, id: "1", by: poster) == .repeated)
        }
        #expect(try await village.post("hello", guest, to: .room, id: "1", by: .anyone) != .repeated)
        #expect(try await village.events(room).count == 4)
    }

    @Test("A posting that is refused leaves its id free")
    func refusedId() async throws {
        let id = String(repeating: "é", count: 100)
        let text = String(repeating: "😀", count: 4080)
        #expect(
            await reason { () throws(Fault) in try await village.post(text, alice, to: .room, id: id) } == .tooLarge)
        try await village.post("short", alice, to: .room, id: id)
        #expect(try await village.events(room) == [#"text {"text":"short","msgId":"\#(id)"}"#])
    }

    @Test("Of many at once with one id, one is stored")
    func atOnce() async throws {
        let village = village
        let alice = alice
        let outcomes = await withTaskGroup { group in
            for number in 1...12 {
                group.addTask { try? await village.post("\(number)", alice, to: .room, id: "same") }
            }
            return await group.reduce(into: [PostingOutcome?]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .repeated } == 11)
        #expect(try await village.events(room).count == 1)
    }

    @Test("Ids are forgotten after twelve hours, and only then")
    func forgotten() async throws {
        try await village.post("1", alice, to: .room, id: "old")
        village.clock.advance(.seconds(3600))
        try await village.post("2", alice, to: .room, id: "young")
        village.clock.advance(PostingRules.window - .seconds(1800))
        #expect(try await village.postings.removeOld(now: village.clock.now) == 1)
        #expect(try await village.postings.removeOld(now: village.clock.now) == 0)
        let left = try await village.database.read { connection throws(Fault) in
            try connection.row("SELECT message_id FROM posted_messages")?.text("message_id")
        }
        #expect(left == "k:young")
    }

    // MARK: Bounds

    @Test("Contents and ids have bounds")
    func bounds() async throws {
        func refusal(_ id: String, _ content: String, _ kind: EventKind = .text) async -> Fault.Reason? {
            await reason { () throws(Fault) in
                let posting = Posting(
                    app: Village.app, messageId: id, sender: try village.card(alice), target: .room, kind: kind,
                    content: Array(content.utf8))
                _ = try await village.postings.post(posting, by: .backend(app: nil))
            }
        }
        #expect(await refusal("1", #"{"text":""}"#) == .invalidField)
        #expect(await refusal("1", #"{"text":"x"}"#, .recall) == .unknownType)
        #expect(await refusal(String(repeating: "x", count: 257), #"{"text":"x"}"#) == .invalidField)
        #expect(await refusal("a\u{0}b", #"{"text":"x"}"#) == .invalidField)
        #expect(await refusal(String(repeating: "x", count: 256), #"{"text":"x"}"#) == nil)
    }

    @Test("Accounts and strangers take from the sender's share, an app's own server does not")
    func rate() async throws {
        var configuration = MessagingConfiguration()
        configuration.sends = RateRule(perSecond: 0.001, burst: 1)
        let postings = Postings(
            access: village.access, database: village.database, log: village.log, limiter: LocalRateLimiter(),
            clock: village.clock, configuration: configuration)
        func post(_ sender: Caller, _ poster: Poster) async -> Fault.Reason? {
            await reason { () throws(Fault) in
                _ = try await postings.post(try village.posting("x", sender, to: .room), by: poster)
            }
        }
        for _ in 1...3 { #expect(await post(alice, .backend(app: nil)) == nil) }
        #expect(await post(alice, .account(alice)) == nil)
        #expect(await post(alice, .account(alice)) == .rateLimited)
        #expect(await post(guest, .anyone) == nil)
        #expect(await post(guest, .anyone) == .rateLimited)
    }

    // MARK: In an inbox

    @Test("A message in an inbox is one for native clients: in sync, in history, unread until it is read")
    func native() async throws {
        let inbox = ConversationID.inbox(bob.user)
        try await village.post("hello", guest, to: .user(try village.card(bob)), id: "7", by: .backend(app: nil))
        try await village.post("note", bob, to: .user(try village.card(bob)))
        let part = try #require(
            try await village.sync.sync(bob, cursors: [], limit: 9, rooms: []).conversations.first)
        #expect(part.conversation == inbox && part.unread == 1 && part.lastSeq == 2)
        #expect(try texts(part.events) == ["hello", "note"])
        let history = try await village.history.page(bob, inbox, .newest, limit: 9).items
        let first = try json(try #require(history.first))
        #expect(first["from"]?.integer == guest.user.value && first["fromName"]?.string == "Guest")
        #expect(first["content"]?["msgId"]?.string == "7" && first["type"]?.string == "text")
        #expect(try await village.cursors.read(bob, inbox, seq: 2).unread == 0)
        #expect(try await village.conversations.list(bob, limit: 9, cursor: nil).items.isEmpty)
        let others = await reason { () throws(Fault) in
            _ = try await village.history.page(alice, inbox, .newest, limit: 9)
        }
        #expect(others == .unknownConversation)
    }
}
