import MartletBus
import MartletCore
import MartletTestServices
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("World rooms from outside", .everyEngine)
struct LookingInTests {
    private let village: Village
    private let alice: Caller
    private let room = ConversationID.room(Village.app, nil)

    init() async throws {
        village = try await Village()
        alice = try await village.person("Alice")
    }

    private func page(
        before: Int64? = nil, limit: Int = 50, for poster: Poster = .anyone
    ) async throws(Fault) -> RoomPage {
        try await village.roomHistory.messages(in: room, before: before, limit: limit, for: poster)
    }

    private func texts(_ page: RoomPage) -> [String] {
        page.messages.map { "\($0.senderName) \(String(decoding: $0.body ?? [], as: UTF8.self))" }
    }

    @Test("Pages go back from the newest message, with names")
    func pages() async throws {
        for number in 1...5 { try await village.post("\(number)", alice, to: .room) }
        let newest = try await page(limit: 2)
        #expect(texts(newest) == [#"Alice {"text":"4"}"#, #"Alice {"text":"5"}"#])
        #expect(newest.nextCursor == 4 && newest.firstSeq == 1 && newest.lastSeq == 5)
        let last = try await page(before: 3, limit: 2)
        #expect(texts(last) == [#"Alice {"text":"1"}"#, #"Alice {"text":"2"}"#] && last.nextCursor == nil)
        let nothing = try await page(before: 1)
        #expect(nothing.messages.isEmpty && nothing.nextCursor == nil && nothing.lastSeq == 5)
    }

    @Test("A room where nothing was said")
    func empty() async throws {
        let page = try await page()
        #expect(page.messages.isEmpty && page.nextCursor == nil && page.firstSeq == 1 && page.lastSeq == 0)
    }

    @Test("Messages show their present state")
    func state() async throws {
        for number in 1...3 { try await village.post("\(number)", alice, to: .room) }
        village.presence.entered(room, alice.user) { _ in }
        let content = JSONWriter.object { $0.field("text", "new") }
        _ = try await village.messages.edit(alice, room, target: 1, clientId: "e", content: content)
        _ = try await village.messages.recall(alice, room, target: 2)
        #expect(texts(try await page()) == [#"Alice {"text":"new"}"#, #"Alice {"text":"3"}"#])
    }

    @Test("Who is there, by ascending id")
    func people() async throws {
        let guest = try await village.person("Guest", role: .guest)
        for person in [guest, alice] { village.presence.entered(room, person.user) { _ in } }
        let people = try await village.rooms.people(in: room, limit: 9, for: .backend(app: Village.app))
        #expect(people.cards.map(\.username) == ["alice", "guest"] && people.count == 2)
        let some = try await village.rooms.people(in: room, limit: 1, for: .account(alice))
        #expect(some.cards.map(\.username) == ["alice"] && some.count == 2)
    }

    @Test("Other apps, and what is no world room, stay closed")
    func closed() async throws {
        let foreigner = try await village.person("Zoe", app: Village.otherApp)
        func refusals(_ place: ConversationID, _ poster: Poster) async -> [Fault.Reason?] {
            [
                await reason { () throws(Fault) in
                    _ = try await village.roomHistory.messages(in: place, before: nil, limit: 9, for: poster)
                },
                await reason { () throws(Fault) in
                    _ = try await village.rooms.people(in: place, limit: 9, for: poster)
                },
            ]
        }
        #expect(await refusals(room, .account(foreigner)) == [.notAllowed, .notAllowed])
        #expect(await refusals(room, .backend(app: Village.otherApp)) == [.notAllowed, .notAllowed])
        for place in [ConversationID.room(Village.app, "lobby"), .inbox(alice.user), .group(GroupID(unchecked: 1))] {
            #expect(await refusals(place, .backend(app: nil)) == [.notARoom, .notARoom])
        }
    }
}

@Suite("Rosters", .everyEngine)
struct RosterTests {
    private static func text(_ roster: GroupRoster) -> String {
        let members = roster.members.map { "\($0.card.username):\($0.role.rawValue)\($0.isOnline ? "+" : "")" }
        return "\(roster.name) \(members.joined(separator: " "))"
    }

    @Test("Groups by ascending id, each with its owner first, then others by ascending id")
    func order() async throws {
        let village = try await Village()
        let alice = try await village.person("Alice")
        let bob = try await village.person("Bob")
        let carol = try await village.person("Carol")
        let first = try await village.group(of: carol, alice, bob)
        _ = try await village.group(of: bob, alice)
        _ = try await village.group(of: bob, carol)
        try await village.groups.setRole(carol, first, bob.user, .admin)
        village.presence.opened(
            SessionOpening(user: bob.user, session: SessionID(7), device: "web", sameDevice: .allow, limit: 9)
        ) { _ in }
        func rosters(_ groups: Int, _ members: Int) async throws(Fault) -> [String] {
            try await village.groups.rosters(of: alice, groups: groups, members: members).map(Self.text)
        }
        #expect(
            try await rosters(9, 9) == [
                "Swifts carol:owner alice:member bob:admin+", "Swifts bob:owner+ alice:member",
            ])
        #expect(try await rosters(1, 2) == ["Swifts carol:owner alice:member"])
        #expect(try await rosters(0, 2).isEmpty)
        let all = try await village.groups.rosters(of: alice, groups: 9, members: 9)
        #expect(all.first?.group == first && all.first?.description == "")
    }

    @Test("More groups than one statement names; guests have none")
    func many() async throws {
        let village = try await Village()
        let alice = try await village.person("Alice")
        for _ in 1...60 { _ = try await village.groups.create(alice, name: "Mine") }
        let rosters = try await village.groups.rosters(of: alice, groups: 100, members: 5)
        #expect(rosters.count == 60 && rosters.allSatisfy { Self.text($0) == "Mine alice:owner" })
        let guest = try await village.person("Guest", role: .guest)
        let refused = await reason { () throws(Fault) in
            _ = try await village.groups.rosters(of: guest, groups: 1, members: 1)
        }
        #expect(refused == .guestsRefused)
    }
}
