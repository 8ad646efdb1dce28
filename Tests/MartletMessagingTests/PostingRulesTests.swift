import MartletCore
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("Who may post and look in without a session")
struct PostingPolicyTests {
    private static let (app, other) = (AppID(unchecked: 1), AppID(unchecked: 2))

    private static func card(
        _ id: Int64, _ role: Role = .user, app: AppID = app, strangers: Bool = true
    ) -> UserCard {
        UserCard(
            id: UserID(unchecked: id), app: app, username: "u\(id)", nickname: "", avatar: "", role: role,
            strangersMayWrite: strangers)
    }

    private static func caller(_ card: UserCard) -> Caller {
        Caller(user: card.id, app: card.app, role: card.role, device: .web, name: card.name)
    }

    private static let alice = card(1)
    private static let bob = card(2)
    private static let shy = card(3, strangers: false)
    private static let guest = card(4, .guest)
    private static let guest2 = card(5, .guest, strangers: false)
    private static let foreign = card(6, app: other)

    struct Case: Sendable, CustomTestStringConvertible {
        let poster: Poster
        let sender: UserCard
        let place: PostingPlace
        let expected: Fault.Reason?

        init(_ poster: Poster, _ sender: UserCard, _ place: PostingPlace, _ expected: Fault.Reason?) {
            self.poster = poster
            self.sender = sender
            self.place = place
            self.expected = expected
        }

        var testDescription: String { "\(poster) as \(sender.username) to \(place)" }
    }

    private static let posters = [
        // Each of them as an account, as a guest; to a room, to a conversation.
        Case(.backend(app: nil), alice, .room, nil), Case(.backend(app: nil), guest, .room, nil),
        Case(.backend(app: app), alice, .room, nil), Case(.backend(app: other), alice, .room, .notAllowed),
        Case(.backend(app: nil), foreign, .room, .unknownUser), Case(.backend(app: app), foreign, .room, .unknownUser),
        Case(.backend(app: nil), alice, .conversation, nil), Case(.backend(app: app), guest, .conversation, nil),
        Case(.account(caller(alice)), alice, .room, nil), Case(.account(caller(guest)), guest, .room, nil),
        Case(.account(caller(alice)), bob, .room, .notAllowed),
        Case(.account(caller(alice)), guest, .room, .notAllowed),
        Case(.account(caller(guest)), guest2, .room, .notAllowed),
        Case(.account(caller(foreign)), foreign, .room, .notAllowed),
        Case(.account(caller(foreign)), alice, .room, .notAllowed),
        Case(.account(caller(alice)), alice, .conversation, nil),
        Case(.account(caller(alice)), bob, .conversation, .notAllowed),
        Case(.anyone, guest, .room, nil), Case(.anyone, alice, .room, .notAllowed),
        Case(.anyone, guest, .conversation, .notAllowed), Case(.anyone, alice, .conversation, .notAllowed),
    ]

    private static let inboxes = [
        Case(.backend(app: nil), alice, .inbox(of: guest), nil),
        Case(.backend(app: nil), alice, .inbox(of: alice), nil),
        Case(.backend(app: nil), alice, .inbox(of: bob), .notAllowed),
        Case(.backend(app: nil), shy, .inbox(of: shy), nil), Case(.backend(app: nil), guest, .inbox(of: bob), nil),
        Case(.backend(app: nil), guest, .inbox(of: shy), .strangersRefused),
        Case(.backend(app: nil), guest, .inbox(of: guest2), nil),
        Case(.backend(app: nil), guest, .inbox(of: foreign), .unknownUser),
        Case(.account(caller(alice)), alice, .inbox(of: guest), nil),
        Case(.account(caller(alice)), bob, .inbox(of: bob), .notAllowed),
        Case(.anyone, guest, .inbox(of: bob), .notAllowed), Case(.anyone, guest, .inbox(of: shy), .notAllowed),
        Case(.anyone, guest, .inbox(of: guest), nil), Case(.anyone, alice, .inbox(of: alice), .notAllowed),
        Case(.anyone, alice, .inbox(of: guest), .notAllowed),
    ]

    @Test("Posting", arguments: posters + inboxes)
    func posting(_ tried: Case) async {
        let refused = await reason { () throws(Fault) in
            try Policy.requirePosting(by: tried.poster, in: Self.app, as: tried.sender, to: tried.place)
        }
        #expect(refused == tried.expected)
    }

    @Test("Looking into the world room")
    func worldRoom() async {
        func refused(_ poster: Poster) async -> Fault.Reason? {
            await reason { () throws(Fault) in try Policy.requireWorldRoom(of: Self.app, for: poster) }
        }
        #expect(await refused(.backend(app: nil)) == nil)
        #expect(await refused(.backend(app: Self.app)) == nil)
        #expect(await refused(.backend(app: Self.other)) == .notAllowed)
        #expect(await refused(.account(Self.caller(Self.alice))) == nil)
        #expect(await refused(.account(Self.caller(Self.guest))) == nil)
        #expect(await refused(.account(Self.caller(Self.foreign))) == .notAllowed)
        #expect(await refused(.anyone) == nil)
    }

    // MARK: The draft

    private static func draft(_ id: String, content: String = #"{"text":"x"}"#) throws -> Draft {
        let posting = Posting(
            app: app, messageId: id, sender: alice, target: .room, kind: .text, content: Array(content.utf8))
        return try PostingRules.draft(posting, .room(app, nil))
    }

    @Test("The id is in the content", arguments: ["1", "é", "a\nb", "\u{7F}", String(repeating: "x", count: 65)])
    func inContent(id: String) throws {
        let draft = try Self.draft(id)
        let content = try JSONValue(parsing: draft.body)
        #expect(draft.clientId == "")
        #expect(content["msgId"]?.string == id && content["text"]?.string == "x")
        #expect(draft.senderName == "u1" && draft.origin == .none)
    }

    @Test("A field of that name makes room for it, and the others stay as they are")
    func replaced() throws {
        let draft = try Self.draft("1", content: #"{"msgId":5, "text":"\u0041","more":{"a":[1.0]}}"#)
        #expect(
            String(decoding: draft.body, as: UTF8.self) == #"{"text":"\u0041","more":{"a":[1.0]},"msgId":"1"}"#)
    }

    @Test("None is nowhere")
    func none() throws {
        let draft = try Self.draft("")
        #expect(draft.clientId == "" && draft.body == Array(#"{"text":"x"}"#.utf8))
    }
}
