import MartletBus
import MartletCore
import MartletRedis
import MartletTestServices
import Testing

/// What holds for presence whatever it is made of.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PresenceConformanceTests {
    private let alice = UserID(unchecked: 1)
    private let bob = UserID(unchecked: 2)
    private let lobby = ConversationID.room(AppID(unchecked: 1), "lobby")

    private func with(
        _ adapter: Adapter, _ test: (any Presence & PresenceWriter) async throws -> Void
    ) async throws {
        switch adapter {
        case .local: try await test(LocalPresence())
        case .redis:
            let server = try await RedisServer()
            let node = try RedisNode([server.url])
            let presence = node.presence()
            #expect(await node.start())
            try await test(presence)
            #expect(node.metric("martlet_presence_alone_total") == 0)
            await node.servers.shutdown()
        }
    }

    @Test(arguments: Adapter.allCases) func `A user is online from the first session to the last`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { presence in
            #expect(await presence.open(alice, 1) == .admitted(isFirst: true, replaced: []))
            #expect(await presence.open(alice, 2) == .admitted(isFirst: false, replaced: []))
            #expect(await presence.online(among: [bob, alice]) == [alice])
            #expect(await !presence.close(alice, 1))
            #expect(await !presence.close(alice, 1))
            #expect(await presence.close(alice, 2))
            #expect(await presence.online(among: [alice, bob]) == [])
            #expect(await presence.open(alice, 3) == .admitted(isFirst: true, replaced: []))
        }
    }

    @Test(arguments: Adapter.allCases) func `What was never opened is not closed`(adapter: Adapter) async throws {
        try await with(adapter) { presence in
            #expect(await !presence.close(alice, 1))
            #expect(await !presence.leave(lobby, alice))
            #expect(await presence.open(alice, 1) == .admitted(isFirst: true, replaced: []))
        }
    }

    @Test(arguments: Adapter.allCases) func `Sign-ins of the same device are allowed, refused or replace`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { presence in
            #expect(await presence.open(alice, 1, .web, .refuse) == .admitted(isFirst: true, replaced: []))
            #expect(await presence.open(alice, 2, .web, .refuse) == .refused)
            #expect(await presence.open(alice, 3, .ios, .refuse) == .admitted(isFirst: false, replaced: []))
            #expect(await presence.open(alice, 4, .web, .allow) == .admitted(isFirst: false, replaced: []))
            let replaced = [SessionID(1), SessionID(4)]
            #expect(await presence.open(alice, 5, .web, .replace) == .admitted(isFirst: false, replaced: replaced))
            #expect(await !presence.close(alice, 1))
            #expect(await !presence.close(alice, 5))
            #expect(await presence.close(alice, 3))
        }
    }

    @Test(arguments: Adapter.allCases) func `Past the limit the oldest make room`(adapter: Adapter) async throws {
        try await with(adapter) { presence in
            for session in 1...3 as ClosedRange<UInt64> { _ = await presence.open(alice, session, limit: 3) }
            let fourth = await presence.open(alice, 4, limit: 3)
            #expect(fourth == .admitted(isFirst: false, replaced: [SessionID(1)]))
            let fifth = await presence.open(alice, 5, limit: 1)
            #expect(fifth == .admitted(isFirst: false, replaced: [SessionID(2), SessionID(3), SessionID(4)]))
        }
    }

    /// The rule of `SessionList` and what an adapter makes of it, on the same random sign-ins.
    @Test(arguments: Adapter.allCases) func `Any sequence ends as the rule says`(adapter: Adapter) async throws {
        try await with(adapter) { presence in
            var list = SessionList()
            for session in 1...200 as ClosedRange<UInt64> {
                let device = DeviceKind.allCases[Int.random(in: 0..<3)]
                let same = SameDevice.allCases[Int.random(in: 0..<3)]
                let limit = Int.random(in: 1...4)
                let opening = SessionOpening(
                    user: alice, session: SessionID(session), device: device.rawValue, sameDevice: same, limit: limit)
                let expected = Self.sorted(list.admit(opening))
                let admission = Self.sorted(await presence.open(alice, session, device, same, limit: limit))
                #expect(admission == expected)
                if let entry = list.entries.randomElement(), Bool.random() {
                    _ = list.remove(entry.session)
                    let isLast = await presence.close(alice, entry.session.value)
                    #expect(isLast == list.isEmpty)
                }
            }
        }
    }

    /// Those who make room, in any order.
    private static func sorted(_ admission: Admission) -> Admission {
        guard case .admitted(let isFirst, let replaced) = admission else { return admission }
        return .admitted(isFirst: isFirst, replaced: replaced.sorted { $0.value < $1.value })
    }

    @Test(arguments: Adapter.allCases) func `A user is in a room from the first session there to the last`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { presence in
            #expect(await presence.enter(lobby, alice))
            #expect(await !presence.enter(lobby, alice))
            #expect(await presence.isHere(alice, in: lobby))
            #expect(await !presence.isHere(bob, in: lobby))
            #expect(await !presence.leave(lobby, alice))
            #expect(await presence.leave(lobby, alice))
            #expect(await !presence.leave(lobby, alice))
            #expect(await !presence.isHere(alice, in: lobby))
        }
    }

    @Test(arguments: Adapter.allCases) func `People come by ascending id, up to a limit, with their number`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { presence in
            for id in [5, 30, 9, 1, 700] as [Int64] { _ = await presence.enter(lobby, UserID(unchecked: id)) }
            let people = await presence.people(in: lobby, limit: 4)
            #expect(people.users.map(\.value) == [1, 5, 9, 30])
            #expect(people.count == 5)
            let nobody = await presence.people(in: .room(AppID(unchecked: 1), "empty"), limit: 3)
            #expect(nobody.users.isEmpty && nobody.count == 0)
        }
    }

    @Test(arguments: Adapter.allCases) func `Rooms with somebody in them are listed by app`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { presence in
            let world = ConversationID.room(AppID(unchecked: 1), nil)
            for user in [alice, bob] { _ = await presence.enter(lobby, user) }
            _ = await presence.enter(world, alice)
            _ = await presence.enter(.room(AppID(unchecked: 2), "lobby"), bob)
            let rooms = await presence.rooms(of: AppID(unchecked: 1))
            #expect(Dictionary(uniqueKeysWithValues: rooms.map { ($0.room, $0.people) }) == [lobby: 2, world: 1])
            _ = await presence.leave(world, alice)
            #expect(await presence.rooms(of: AppID(unchecked: 1)).map(\.room) == [lobby])
        }
    }
}
