import MartletCore
import MartletWire
import NIOCore
import Testing

/// A dialect whose local time is one word, and what its answers are as texts.
struct ClusterChat: Sendable {
    static let now = "2026-01-02 03:04:05"

    let dialect: ClusterChatDialect

    init(_ numbering: ClusterChatNumbering) {
        dialect = ClusterChatDialect(
            numbering, app: AppID(unchecked: 1), pace: .milliseconds(20), signInTimeout: .seconds(60),
            localTime: { _ in Self.now })
    }

    private let allocator = ByteBufferAllocator()

    static func ticket(_ command: ClusterChatCommand) -> Ticket { Ticket(command.rawValue, nil) }

    func refusal(_ command: ClusterChatCommand, _ reason: Fault.Reason, _ message: String = "no") -> String? {
        dialect.refusal(Self.ticket(command), Fault(reason, message), allocator).map { String(buffer: $0) }
    }

    func answer(_ command: ClusterChatCommand, _ data: [UInt8]?) -> String? {
        dialect.answer(Self.ticket(command), data, allocator).map { String(buffer: $0) }
    }

    func push(_ event: Event) -> String? { dialect.push(event, allocator).map { String(buffer: $0) } }

    func welcome(_ user: Int64, _ name: String, _ roster: Roster) -> (text: String, missed: Int) {
        let welcome = Welcome(
            user: UserID(unchecked: user), username: name, nickname: "", session: .none, heartbeat: .seconds(30),
            now: Instant(milliseconds: 0), roster: roster)
        let frame = dialect.welcome(Self.ticket(.login), welcome, allocator)
        return (frame.frame.map { String(buffer: $0) } ?? "", frame.missed)
    }

    /// The command of a client's message.
    func command(_ message: [UInt8]) throws -> Command {
        let head = try dialect.head(message.span)
        return try dialect.command(head, message.span)
    }
}

extension Event {
    /// A message of a direct conversation, or of a group.
    static func chat(
        _ sender: Int64, _ name: String, to peer: Int64? = nil, group: Int64? = nil, kind: EventKind = .text,
        _ body: String?, in conversation: ConversationID? = nil
    ) -> Event {
        let (one, other) = (UserID(unchecked: sender), UserID(unchecked: peer ?? 0))
        let direct = ConversationID.between(one, other) ?? .inbox(one)
        return Event(
            conversation: conversation ?? group.map { .group(GroupID(unchecked: $0)) } ?? direct, seq: 1, ordinal: 1,
            sender: one, senderName: name, kind: kind, clientId: "", time: Instant(milliseconds: 1),
            body: body.map { utf8($0) })
    }
}

extension Roster {
    static func of(friends: [Person] = [], groups: [Group] = [], missed: [Event] = []) -> Roster {
        Roster(friends: friends, groups: groups, missed: missed, positions: [:])
    }

    static func person(_ id: Int64, _ name: String, isOnline: Bool = true) -> Person {
        Person(id: UserID(unchecked: id), name: name, isOnline: isOnline)
    }
}

/// What an original server of the family wrote, byte for byte, and the same in the other numbering.
@Suite struct ClusterChatTraceTests {
    private let seed = ClusterChat(.seed)
    private let course = ClusterChat(.course)
    private let registered = ClusterChatRequest.registered(UserID(unchecked: 1))

    @Test func answersRegistrations() {
        #expect(seed.answer(.register, registered) == #"{"errno":0,"id":1,"msgid":4}"# + "\0")
        #expect(seed.refusal(.register, .usernameTaken) == #"{"errno":1,"msgid":4}"# + "\0")
        #expect(course.answer(.register, registered) == #"{"errno":0,"id":1,"msgid":5}"# + "\0")
        #expect(course.refusal(.register, .usernameTaken) == #"{"errno":1,"msgid":5}"# + "\0")
    }

    @Test func refusesLoginsWithAWrongPassword() {
        let expected = #"{"errmsg":"id or password error","errno":1,"msgid":2}"# + "\0"
        #expect(seed.refusal(.login, .wrongCredentials) == expected)
        let other = #"{"errmsg":"id or password is invalid!","errno":1,"msgid":2}"# + "\0"
        #expect(course.refusal(.login, .wrongCredentials) == other)
    }

    @Test(arguments: [Fault.Reason.limitReached, .alreadySignedIn])
    func refusesLoginsOfSomebodyWhoIsHere(_ reason: Fault.Reason) {
        #expect(seed.refusal(.login, reason) == #"{"errmsg":"id is online","errno":2,"msgid":2}"# + "\0")
        let other = #"{"errmsg":"this account is using, input another!","errno":2,"msgid":2}"# + "\0"
        #expect(course.refusal(.login, reason) == other)
    }

    @Test func saysWhyElseALoginIsRefused() {
        let expected = #"{"errmsg":"wait \"a\" while","errno":1,"msgid":2}"# + "\0"
        #expect(seed.refusal(.login, .rateLimited, #"wait "a" while"#) == expected)
        let long = seed.refusal(.login, .rateLimited, String(repeating: "\u{1}語", count: 4000)) ?? ""
        #expect((1...1023).contains(long.utf8.count))
    }

    @Test func saysNothingElse() {
        let receipt = Receipt(seq: 1, ordinal: 1, time: Instant(milliseconds: 1), isRepeat: false)
        for command in ClusterChatCommand.allCases where command != .login && command != .register {
            #expect(seed.refusal(command, .notAllowed) == nil)
            #expect(seed.answer(command, registered) == nil)
        }
        #expect(seed.answer(.register, nil) == nil)
        let stored = seed.dialect.stored(
            ClusterChat.ticket(.chat), .group(GroupID(unchecked: 1)), receipt, ByteBufferAllocator())
        #expect(stored == nil)
        #expect(seed.dialect.push(.goAway(within: .seconds(1)), ByteBufferAllocator()) == nil)
    }

    @Test func pushesAChat() {
        let event = Event.chat(1, "alice", to: 2, #"{"text":"你好","time":"2024-01-01 00:00:00"}"#)
        let expected = #"{"id":1,"msg":"你好","msgid":5,"name":"alice","time":"2024-01-01 00:00:00","to":2}"# + "\0"
        #expect(seed.push(event) == expected)
        let other = #"{"id":1,"msg":"你好","msgid":6,"name":"alice","time":"2024-01-01 00:00:00","toid":2}"# + "\0"
        #expect(course.push(event) == other)
    }

    @Test func pushesAGroupsMessage() {
        let event = Event.chat(2, "bob", group: 1, #"{"text":"yo","time":"t"}"#)
        #expect(seed.push(event) == #"{"groupid":1,"id":2,"msg":"yo","msgid":9,"name":"bob","time":"t"}"# + "\0")
        #expect(course.push(event) == #"{"groupid":1,"id":2,"msg":"yo","msgid":10,"name":"bob","time":"t"}"# + "\0")
    }

    @Test func welcomesOneWhoHasNothing() {
        let welcome = seed.welcome(1, "alice", .of())
        #expect(welcome.text == #"{"errno":0,"id":1,"msgid":2,"name":"alice"}"# + "\0")
        #expect(welcome.missed == 0)
        #expect(course.welcome(1, "alice", .of()).text == welcome.text)
    }

    @Test func welcomesWithAMissedMessage() {
        let event = Event.chat(1, "alice", to: 2, #"{"text":"hi there","time":"2024-01-01 00:00:00"}"#)
        let welcome = seed.welcome(2, "bob", .of(missed: [event]))
        let expected =
            #"{"errno":0,"id":2,"msgid":2,"name":"bob","offlinemsg":["{\"id\":1,\"msg\":\"hi there\",\"msgid\":5,"#
            + #"\"name\":\"alice\",\"time\":\"2024-01-01 00:00:00\",\"to\":2}"]}"# + "\0"
        #expect(welcome.text == expected)
        #expect(welcome.missed == 1)
        let other =
            #"{"errno":0,"id":2,"msgid":2,"name":"bob","offlinemsg":["{\"id\":1,\"msg\":\"hi there\",\"msgid\":6,"#
            + #"\"name\":\"alice\",\"time\":\"2024-01-01 00:00:00\",\"toid\":2}"]}"# + "\0"
        #expect(course.welcome(2, "bob", .of(missed: [event])).text == other)
    }

    @Test func welcomesWithFriendsAndGroups() {
        let members = [
            Roster.Member(Roster.person(1, "alice"), .owner),
            Roster.Member(Roster.person(2, "bob", isOnline: false), .member),
        ]
        let group = Roster.Group(id: GroupID(unchecked: 1), name: "g1", description: "d1", members: members)
        let welcome = seed.welcome(1, "alice", .of(friends: [Roster.person(2, "bob")], groups: [group]))
        let expected =
            #"{"errno":0,"friends":["{\"id\":2,\"name\":\"bob\",\"state\":\"online\"}"],"#
            + #""groups":["{\"groupdesc\":\"d1\",\"groupname\":\"g1\",\"id\":1,\"users\":["#
            + #"\"{\\\"id\\\":1,\\\"name\\\":\\\"alice\\\",\\\"role\\\":\\\"creator\\\",\\\"state\\\":\\\"online\\\"}\","#
            + #"\"{\\\"id\\\":2,\\\"name\\\":\\\"bob\\\",\\\"role\\\":\\\"normal\\\",\\\"state\\\":\\\"offline\\\"}\""#
            + #"]}"],"id":1,"msgid":2,"name":"alice"}"# + "\0"
        #expect(welcome.text == expected)
    }
}
