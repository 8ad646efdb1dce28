import MartletCore
import MartletLog
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("Order of the list of conversations")
struct ConversationRulesTests {
    private typealias Place = ConversationRules.Place

    private static func place(_ pinned: Bool, _ time: Int64, _ group: Int64) -> Place {
        Place(pinned: pinned, time: Instant(milliseconds: time), conversation: .group(GroupID(unchecked: group)))
    }

    @Test("Pinned first, then by last activity, then by name")
    func order() {
        let sorted = [
            Self.place(true, 1, 1), Self.place(false, 9, 2), Self.place(false, 5, 3), Self.place(false, 5, 4),
        ]
        #expect(sorted.shuffled().sorted() == sorted)
    }

    @Test("A cursor names a place")
    func cursors() throws {
        let place = Place(
            pinned: true, time: Instant(milliseconds: 17),
            conversation: .direct(UserID(unchecked: 5), UserID(unchecked: 9)))
        #expect(try Place(cursor: place.cursor) == place)
    }

    @Test("What is no cursor is refused", arguments: ["", "1", "2.17.d:5:9", "1.x.d:5:9", "1.17.d:9:5", "1.17."])
    func wrongCursors(text: String) async {
        #expect(await reason { () throws(Fault) in _ = try Place(cursor: text) } == .invalidField)
    }

    @Test("A hidden conversation comes back with its next message")
    func hidden() {
        #expect(ConversationRules.isHidden(7, lastMessage: 7))
        #expect(ConversationRules.isHidden(7, lastMessage: nil))
        #expect(!ConversationRules.isHidden(7, lastMessage: 8))
        #expect(!ConversationRules.isHidden(0, lastMessage: 3))
    }
}

@Suite("Plan of a sync")
struct SyncPlanTests {
    private static func conversation(_ number: Int64) -> ConversationID { .group(GroupID(unchecked: number)) }

    private static func steps(_ times: [Int64: Int64], cursors: [ConversationID: Int64]) -> [ConversationID] {
        let bounds = times.map {
            (conversation($0), LogBounds(first: 1, last: 5, lastTime: Instant(milliseconds: $1)))
        }
        return SyncPlan.steps(
            times.keys.map { .init(conversation: conversation($0), firstSeq: 1) },
            Dictionary(uniqueKeysWithValues: bounds), cursors: cursors
        ).map(\.conversation)
    }

    @Test("The last active ones come first")
    func order() {
        #expect(Self.steps([1: 10, 2: 30, 3: 20], cursors: [:]) == [2, 3, 1].map(Self.conversation))
    }

    @Test("Without cursors there is an end; with cursors all that have news come")
    func bounded() {
        let times = Dictionary(uniqueKeysWithValues: (1...150).map { (Int64($0), Int64($0)) })
        #expect(Self.steps(times, cursors: [:]).count == Limits.syncConversations)
        #expect(Self.steps(times, cursors: [Self.conversation(1): 5]).count == 149)
    }

    @Test("What has no events has news for those only who hold some of it")
    func withoutEvents() {
        let candidates = (1...3).map { SyncPlan.Candidate(conversation: Self.conversation($0), firstSeq: 1) }
        let steps = SyncPlan.steps(
            candidates, [:], cursors: [Self.conversation(1): 4, Self.conversation(2): 0, Self.conversation(9): 4])
        #expect(steps == [.init(conversation: Self.conversation(1), firstSeq: 1, cursor: 4)])
    }

    /// Cursor, first readable seq, bounds; then from where to read and whether it is a reset.
    @Test(
        "Where reading begins",
        arguments: [
            (3, 1, 1, 9, 4, false), (0, 1, 1, 9, 1, false), (0, 1, 4, 9, 4, true), (3, 1, 4, 9, 4, false),
            (2, 1, 4, 9, 4, true), (2, 6, 1, 9, 6, true), (5, 6, 1, 9, 6, false), (12, 1, 2, 9, 2, true),
            (3, 1, 1, 0, 1, true),
        ] as [(Int64, Int64, Int64, Int64, Int64, Bool)])
    func reading(cursor: Int64, firstSeq: Int64, first: Int64, last: Int64, from: Int64, reset: Bool) {
        let step = SyncPlan.Step(conversation: Self.conversation(1), firstSeq: firstSeq, cursor: cursor)
        let reading = SyncPlan.reading(step, LogBounds(first: first, last: last, lastTime: .distantPast))
        #expect(reading == .init(from: from, newest: false, reset: reset))
    }
}

@Suite("Folding of amendments")
struct EventFoldingTests {
    private static func amendment(_ seq: Int64, _ kind: EventKind, _ user: Int64, _ body: [UInt8]?) -> Amendment {
        Amendment(
            target: 1, seq: seq, kind: kind, sender: UserID(unchecked: user), time: Instant(milliseconds: seq),
            body: body)
    }

    private static func reaction(_ seq: Int64, _ user: Int64, _ emoji: String, _ on: Bool) -> Amendment {
        amendment(seq, .react, user, AmendmentBody.react(1, emoji: emoji, on: on))
    }

    @Test("The last edit counts, byte for byte")
    func edits() {
        let folded = EventFolding.fold([
            Self.amendment(2, .edit, 5, AmendmentBody.edit(1, content: Array(#"{"text":"b"}"#.utf8))),
            Self.amendment(3, .edit, 5, AmendmentBody.edit(1, content: Array(#"{ "text" : "c" }"#.utf8))),
            Self.amendment(4, .edit, 5, nil),
        ])
        #expect(folded[1]?.content == Array(#"{ "text" : "c" }"#.utf8))
        #expect(folded[1]?.edited == Instant(milliseconds: 3))
    }

    @Test("Reactions are counted once for each user, and taken back")
    func reactions() {
        let folded = EventFolding.fold([
            Self.reaction(2, 5, "👍", true), Self.reaction(3, 9, "🎉", true), Self.reaction(4, 9, "👍", true),
            Self.reaction(5, 5, "👍", true), Self.reaction(6, 9, "🎉", false), Self.reaction(7, 9, "🐦", false),
        ])
        let users = [UserID(unchecked: 5), UserID(unchecked: 9)]
        #expect(folded[1]?.reactions == [.init(emoji: "👍", userIds: users)])
    }
}
