import MartletCore
import Testing

@Suite("Policy of conversations and groups")
struct PolicyTests {
    private static let now = Instant(milliseconds: 1000)
    private static let later = Instant(milliseconds: 2000)

    /// Standing, then the answers to read, write, follow and type.
    private static let conversations: [(String, Standing, Role, [Fault.Reason?])] = [
        ("friend", .direct(.friend), .user, [nil, nil, nil, nil]),
        ("stranger", .direct(.stranger), .user, [nil, nil, nil, nil]),
        ("refused", .direct(.strangerRefused), .user, [nil, .strangersRefused, nil, .strangersRefused]),
        ("blocked", .direct(.blockedByThem), .user, [nil, .blocked, nil, .blocked]),
        ("blocking", .direct(.blockedByMe), .user, [nil, .blocked, nil, .blocked]),
        ("guest", .direct(.stranger), .guest, [.guestsRefused, .guestsRefused, .guestsRefused, .guestsRefused]),
        ("member", member(.member), .user, [nil, nil, nil, nil]),
        ("muted", member(.member, mutedUntil: later), .user, [nil, .muted, nil, .muted]),
        ("mute that ended", member(.member, mutedUntil: now), .user, [nil, nil, nil, nil]),
        ("all muted", member(.member, all: later), .user, [nil, .muted, nil, .muted]),
        ("admin, all muted", member(.admin, all: later), .user, [nil, nil, nil, nil]),
        ("admin, muted", member(.admin, mutedUntil: later), .user, [nil, .muted, nil, .muted]),
        ("owner, all muted", member(.owner, all: .distantFuture), .user, [nil, nil, nil, nil]),
        ("outsider", .outsider, .user, [.notAMember, .notAMember, .notAMember, .notAMember]),
        ("in the room", .room(isHere: true), .guest, [nil, nil, .notAllowed, nil]),
        ("outside the room", .room(isHere: false), .user, [.notAMember, .notAMember, .notAMember, .notAMember]),
        ("inbox", .ownInbox, .user, [nil, .notAllowed, nil, .notAllowed]),
        (
            "nothing", .nothing, .admin,
            [.unknownConversation, .unknownConversation, .unknownConversation, .unknownConversation]
        ),
    ]

    private static func member(
        _ role: GroupRole, mutedUntil: Instant = .distantPast, all: Instant = .distantPast
    ) -> Standing {
        .member(role, mutedUntil: mutedUntil, allMutedUntil: all)
    }

    @Test("What is done with a conversation", arguments: conversations.indices)
    func conversation(index: Int) async {
        let (name, standing, role, expected) = Self.conversations[index]
        for (action, expected) in zip([Policy.ConversationAction.read, .write, .follow, .type], expected) {
            let reason = await reason { () throws(Fault) in
                try Policy.require(action, standing, role: role, now: Self.now)
            }
            #expect(reason == expected, "\(name) \(action)")
        }
    }

    /// Who may do what to whom: allowed pairs of roles; a nil target where an action has none.
    private static let groups: [(Policy.GroupAction, [(GroupRole, GroupRole?)])] = [
        (.kick, [(.owner, .admin), (.owner, .member), (.admin, .member)]),
        (.muteOne, [(.owner, .admin), (.owner, .member), (.admin, .member)]),
        (.setRole, [(.owner, .admin), (.owner, .member)]), (.transfer, [(.owner, .admin), (.owner, .member)]),
        (.muteAll, [(.owner, nil), (.admin, nil)]), (.edit, [(.owner, nil), (.admin, nil)]),
        (.answerRequests, [(.owner, nil), (.admin, nil)]), (.invite, [(.owner, nil), (.admin, nil)]),
        (.dissolve, [(.owner, nil)]), (.leave, [(.admin, nil), (.member, nil)]),
    ]

    @Test("What is done to a group", arguments: groups.indices)
    func group(index: Int) async {
        let (action, allowed) = Self.groups[index]
        let targets: [GroupRole?] = allowed.first?.1 == nil ? [nil] : GroupRole.allCases
        for role in GroupRole.allCases {
            for target in targets {
                let refusal = await reason { () throws(Fault) in try Policy.require(action, by: role, on: target) }
                let isAllowed = allowed.contains { $0.0 == role && $0.1 == target }
                #expect((refusal == nil) == isAllowed, "\(action) by \(role) on \(String(describing: target))")
            }
        }
        #expect(await reason { () throws(Fault) in try Policy.require(action, by: nil) } == .notAMember)
    }

    @Test("In an open group everybody invites")
    func openInvites() async {
        #expect(await reason { () throws(Fault) in try Policy.require(.invite, by: .member, joinMode: .open) } == nil)
    }

    /// Author's role, caller's role, whether the caller is the author, whether the limit is over: the answer.
    private static let recalls: [(GroupRole?, GroupRole?, Bool, Bool, Fault.Reason?)] = [
        (nil, nil, true, false, nil), (nil, nil, true, true, .tooLate), (nil, nil, false, false, .notAllowed),
        (.member, .member, true, true, .tooLate), (.admin, .admin, true, true, nil), (.owner, .owner, true, true, nil),
        (.member, .admin, false, true, nil), (.admin, .admin, false, false, .notAllowed),
        (.owner, .admin, false, false, .notAllowed), (.admin, .owner, false, true, nil),
        (nil, .admin, false, true, nil),
        (.member, .member, false, false, .notAllowed),
    ]

    @Test("Who recalls a message", arguments: recalls.indices)
    func recall(index: Int) async {
        let (authorRole, role, isAuthor, isLate, expected) = Self.recalls[index]
        let caller = Caller(
            user: UserID(unchecked: 5), app: AppID(unchecked: 1), role: .user, device: .web, name: "five")
        let facts = Policy.MessageFacts(
            author: isAuthor ? caller.user : UserID(unchecked: 9), authorRole: authorRole, time: Self.now)
        let now = Self.now + (isLate ? .seconds(121) : .seconds(120))
        let reason = await reason { () throws(Fault) in
            try Policy.requireRecall(facts, by: caller, role: role, limit: .seconds(120), now: now)
        }
        #expect(reason == expected)
    }
}
