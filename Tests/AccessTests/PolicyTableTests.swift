import MartletCore
import Testing

/// The whole policy as tables: every action against every standing. A change of the policy changes a line here.
@Suite("Policy, as tables")
struct PolicyTableTests {
    private static let now = Instant(milliseconds: 1_000_000)
    private static let later = Instant(milliseconds: 2_000_000)

    private static func reason(_ body: () throws(Fault) -> Void) -> Fault.Reason? {
        do throws(Fault) {
            try body()
            return nil
        } catch {
            return error.reason
        }
    }

    // MARK: Conversations

    struct ConversationLine: Sendable, CustomTestStringConvertible {
        let name: String
        let standing: Standing
        /// By action, in the order of `Policy.ConversationAction.allCases`; nil where it is allowed.
        let outcomes: [Fault.Reason?]
        /// What guests get; nil for the same.
        var guests: [Fault.Reason?]?

        var testDescription: String { name }
    }

    private static func member(_ role: GroupRole, muted: Instant = .distantPast, all: Instant = .distantPast)
        -> Standing
    {
        .member(role, mutedUntil: muted, allMutedUntil: all)
    }

    private static let refused: [Fault.Reason?] = Array(repeating: .guestsRefused, count: 4)

    // Columns: read, write, follow, type.
    static let conversations: [ConversationLine] = [
        .init(name: "friend", standing: .direct(.friend), outcomes: [nil, nil, nil, nil], guests: refused),
        .init(name: "stranger", standing: .direct(.stranger), outcomes: [nil, nil, nil, nil], guests: refused),
        .init(
            name: "stranger, refused", standing: .direct(.strangerRefused),
            outcomes: [nil, .strangersRefused, nil, .strangersRefused], guests: refused),
        .init(
            name: "blocked by them", standing: .direct(.blockedByThem), outcomes: [nil, .blocked, nil, .blocked],
            guests: refused),
        .init(
            name: "blocked by me", standing: .direct(.blockedByMe), outcomes: [nil, .blocked, nil, .blocked],
            guests: refused),
        .init(name: "owner", standing: member(.owner), outcomes: [nil, nil, nil, nil]),
        .init(name: "admin", standing: member(.admin), outcomes: [nil, nil, nil, nil]),
        .init(name: "member", standing: member(.member), outcomes: [nil, nil, nil, nil]),
        .init(name: "owner, muted", standing: member(.owner, muted: later), outcomes: [nil, .muted, nil, .muted]),
        .init(name: "admin, muted", standing: member(.admin, muted: later), outcomes: [nil, .muted, nil, .muted]),
        .init(name: "member, muted", standing: member(.member, muted: later), outcomes: [nil, .muted, nil, .muted]),
        .init(
            name: "member, muted for ever", standing: member(.member, muted: .distantFuture),
            outcomes: [nil, .muted, nil, .muted]),
        .init(name: "member, mute over", standing: member(.member, muted: now), outcomes: [nil, nil, nil, nil]),
        .init(name: "owner, all muted", standing: member(.owner, all: later), outcomes: [nil, nil, nil, nil]),
        .init(name: "admin, all muted", standing: member(.admin, all: later), outcomes: [nil, nil, nil, nil]),
        .init(name: "member, all muted", standing: member(.member, all: later), outcomes: [nil, .muted, nil, .muted]),
        .init(name: "member, all-mute over", standing: member(.member, all: now), outcomes: [nil, nil, nil, nil]),
        .init(
            name: "outsider", standing: .outsider, outcomes: [.notAMember, .notAMember, .notAMember, .notAMember]),
        .init(name: "in the room", standing: .room(isHere: true), outcomes: [nil, nil, .notAllowed, nil]),
        .init(
            name: "not in the room", standing: .room(isHere: false),
            outcomes: [.notAMember, .notAMember, .notAMember, .notAMember]),
        .init(name: "own inbox", standing: .ownInbox, outcomes: [nil, .notAllowed, nil, .notAllowed]),
        .init(
            name: "nobody", standing: .nobody,
            outcomes: [.unknownUser, .unknownUser, .unknownUser, .unknownUser], guests: refused),
        .init(
            name: "nothing", standing: .nothing,
            outcomes: [.unknownConversation, .unknownConversation, .unknownConversation, .unknownConversation]),
    ]

    @Test("Who may do what with a conversation", arguments: conversations)
    func conversation(_ line: ConversationLine) {
        #expect(line.outcomes.count == Policy.ConversationAction.allCases.count)
        for role in Role.allCases {
            let expected = role == .guest ? line.guests ?? line.outcomes : line.outcomes
            for (action, outcome) in zip(Policy.ConversationAction.allCases, expected) {
                let actual = Self.reason { () throws(Fault) in
                    try Policy.require(action, line.standing, role: role, now: Self.now)
                }
                #expect(actual == outcome, "\(role) \(action)")
            }
        }
    }

    @Test("Every relation and every role of a group has a line")
    func isComplete() {
        for relation in Relation.allCases {
            #expect(Self.conversations.contains { if case .direct(relation) = $0.standing { true } else { false } })
        }
        for role in GroupRole.allCases {
            let lines = Self.conversations.filter { if case .member(role, _, _) = $0.standing { true } else { false } }
            #expect(lines.count >= 3)
        }
    }

    @Test("A mute with an end says when to try again, one without does not")
    func muteEnds() {
        func wait(_ until: Instant) -> Duration? {
            do throws(Fault) {
                try Policy.require(.write, Self.member(.member, muted: until), role: .user, now: Self.now)
                return nil
            } catch {
                return error.retryAfter
            }
        }
        #expect(wait(Self.later) == .seconds(1000))
        #expect(wait(.distantFuture) == nil)
    }

    // MARK: Groups

    struct GroupLine: Sendable, CustomTestStringConvertible {
        let action: Policy.GroupAction
        let by: GroupRole
        /// By the role of the one whom it is about: none, owner, admin, member; true where it is allowed.
        let on: [Bool]
        /// For open groups, where it makes a difference.
        var inOpen: [Bool]?

        var testDescription: String { "\(action) by \(by)" }
    }

    private static let yes = [true, true, true, true]
    private static let no = [false, false, false, false]
    /// Whoever is not the owner.
    private static let notOwner = [true, false, true, true]
    private static let members = [false, false, false, true]

    static let groups: [GroupLine] = [
        .init(action: .invite, by: .owner, on: yes),
        .init(action: .invite, by: .admin, on: yes),
        .init(action: .invite, by: .member, on: no, inOpen: yes),
        .init(action: .kick, by: .owner, on: notOwner),
        .init(action: .kick, by: .admin, on: members),
        .init(action: .kick, by: .member, on: no),
        .init(action: .setRole, by: .owner, on: notOwner),
        .init(action: .setRole, by: .admin, on: no),
        .init(action: .setRole, by: .member, on: no),
        .init(action: .muteOne, by: .owner, on: notOwner),
        .init(action: .muteOne, by: .admin, on: members),
        .init(action: .muteOne, by: .member, on: no),
        .init(action: .muteAll, by: .owner, on: yes),
        .init(action: .muteAll, by: .admin, on: yes),
        .init(action: .muteAll, by: .member, on: no),
        .init(action: .transfer, by: .owner, on: notOwner),
        .init(action: .transfer, by: .admin, on: no),
        .init(action: .transfer, by: .member, on: no),
        .init(action: .edit, by: .owner, on: yes),
        .init(action: .edit, by: .admin, on: yes),
        .init(action: .edit, by: .member, on: no),
        .init(action: .dissolve, by: .owner, on: yes),
        .init(action: .dissolve, by: .admin, on: no),
        .init(action: .dissolve, by: .member, on: no),
        .init(action: .answerRequests, by: .owner, on: yes),
        .init(action: .answerRequests, by: .admin, on: yes),
        .init(action: .answerRequests, by: .member, on: no),
        .init(action: .leave, by: .owner, on: no),
        .init(action: .leave, by: .admin, on: yes),
        .init(action: .leave, by: .member, on: yes),
    ]

    @Test("Who may do what to a group", arguments: groups)
    func group(_ line: GroupLine) {
        let denied: Fault.Reason = line.action == .leave ? .ownerMustTransfer : .notAllowed
        for mode in JoinMode.allCases {
            let allowed = mode == .open ? line.inOpen ?? line.on : line.on
            for (target, isAllowed) in zip([nil, GroupRole.owner, .admin, .member], allowed) {
                let actual = Self.reason { () throws(Fault) in
                    try Policy.require(line.action, by: line.by, on: target, joinMode: mode)
                }
                #expect(actual == (isAllowed ? nil : denied), "\(mode), on \(String(describing: target))")
            }
        }
    }

    @Test("Outsiders do nothing to a group", arguments: Policy.GroupAction.allCases)
    func outsiders(_ action: Policy.GroupAction) {
        for mode in JoinMode.allCases {
            for target in [nil, GroupRole.owner, .admin, .member] {
                let actual = Self.reason { () throws(Fault) in
                    try Policy.require(action, by: nil, on: target, joinMode: mode)
                }
                #expect(actual == .notAMember)
            }
        }
    }

    @Test("Every action of every role has a line")
    func hasAllLines() {
        let lines = Set(Self.groups.map { "\($0.action) \($0.by)" })
        #expect(lines.count == Policy.GroupAction.allCases.count * GroupRole.allCases.count)
    }

    // MARK: Messages

    struct RecallLine: Sendable, CustomTestStringConvertible {
        let role: GroupRole?
        let isAuthor: Bool
        let authorRole: GroupRole?
        let inTime: Fault.Reason?
        let tooLate: Fault.Reason?

        var testDescription: String {
            "\(role.map(\.rawValue) ?? "nobody"), \(isAuthor ? "their own" : "of \(authorRole.map(\.rawValue) ?? "nobody")")"
        }
    }

    static let recalls: [RecallLine] = [
        .init(role: nil, isAuthor: true, authorRole: nil, inTime: nil, tooLate: .tooLate),
        .init(role: .member, isAuthor: true, authorRole: .member, inTime: nil, tooLate: .tooLate),
        .init(role: .admin, isAuthor: true, authorRole: .admin, inTime: nil, tooLate: nil),
        .init(role: .owner, isAuthor: true, authorRole: .owner, inTime: nil, tooLate: nil),
        .init(role: nil, isAuthor: false, authorRole: nil, inTime: .notAllowed, tooLate: .notAllowed),
        .init(role: .member, isAuthor: false, authorRole: .member, inTime: .notAllowed, tooLate: .notAllowed),
        .init(role: .member, isAuthor: false, authorRole: nil, inTime: .notAllowed, tooLate: .notAllowed),
        .init(role: .admin, isAuthor: false, authorRole: .member, inTime: nil, tooLate: nil),
        .init(role: .admin, isAuthor: false, authorRole: nil, inTime: nil, tooLate: nil),
        .init(role: .admin, isAuthor: false, authorRole: .admin, inTime: .notAllowed, tooLate: .notAllowed),
        .init(role: .admin, isAuthor: false, authorRole: .owner, inTime: .notAllowed, tooLate: .notAllowed),
        .init(role: .owner, isAuthor: false, authorRole: .member, inTime: nil, tooLate: nil),
        .init(role: .owner, isAuthor: false, authorRole: .admin, inTime: nil, tooLate: nil),
        .init(role: .owner, isAuthor: false, authorRole: nil, inTime: nil, tooLate: nil),
    ]

    private static func caller(_ user: Int64, _ role: Role = .user) -> Caller {
        Caller(user: UserID(unchecked: user), app: AppID(unchecked: 1), role: role, device: .web, name: "somebody")
    }

    @Test("Who recalls whose message", arguments: recalls)
    func recall(_ line: RecallLine) {
        for (age, expected) in [(Duration.seconds(120), line.inTime), (.seconds(121), line.tooLate)] {
            let facts = Policy.MessageFacts(
                author: UserID(unchecked: line.isAuthor ? 5 : 9), authorRole: line.authorRole, time: Self.now - age)
            let actual = Self.reason { () throws(Fault) in
                try Policy.requireRecall(
                    facts, by: Self.caller(5), role: line.role, limit: .seconds(120), now: Self.now)
            }
            #expect(actual == expected, "\(age)")
        }
    }

    @Test("Only authors edit, and not for long", arguments: [nil, GroupRole.owner, .admin, .member])
    func edit(_ role: GroupRole?) {
        let table: [(author: Int64, age: Duration, expected: Fault.Reason?)] = [
            (5, .seconds(10), nil), (5, .seconds(11), .tooLate), (9, .seconds(1), .notAllowed),
        ]
        for line in table {
            let facts = Policy.MessageFacts(
                author: UserID(unchecked: line.author), authorRole: role, time: Self.now - line.age)
            let actual = Self.reason { () throws(Fault) in
                try Policy.requireEdit(facts, by: Self.caller(5), limit: .seconds(10), now: Self.now)
            }
            #expect(actual == line.expected)
        }
    }

    @Test("What asks for a role or for an account", arguments: Role.allCases)
    func roles(_ role: Role) {
        let caller = Self.caller(5, role)
        #expect(
            Self.reason { () throws(Fault) in try Policy.requireAdministrator(caller) }
                == (role == .admin ? nil : .notAllowed))
        #expect(
            Self.reason { () throws(Fault) in try Policy.requireAccount(caller) }
                == (role == .guest ? .guestsRefused : nil))
    }

    // MARK: Without a session

    struct PosterLine: Sendable, CustomTestStringConvertible {
        let name: String
        let poster: Poster
        /// Whether they see who is connected: from another machine, and from this one.
        let seesConnections: [Bool]

        var testDescription: String { name }
    }

    static let posters: [PosterLine] = [
        .init(name: "key of every app", poster: .backend(app: nil), seesConnections: [true, true]),
        .init(name: "key of an app", poster: .backend(app: AppID(unchecked: 1)), seesConnections: [false, false]),
        .init(name: "guest", poster: .account(caller(5, .guest)), seesConnections: [false, false]),
        .init(name: "account", poster: .account(caller(5)), seesConnections: [false, false]),
        .init(name: "administrator", poster: .account(caller(5, .admin)), seesConnections: [false, false]),
        .init(name: "anyone", poster: .anyone, seesConnections: [false, true]),
    ]

    @Test("Who sees who is connected", arguments: posters)
    func connections(_ line: PosterLine) {
        for (isLocal, expected) in zip([false, true], line.seesConnections) {
            #expect(Policy.maySeeConnections(line.poster, isLocal: isLocal) == expected, "local: \(isLocal)")
        }
    }
}
