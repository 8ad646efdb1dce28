import MartletBus
import MartletCore
import MartletTestServices
import Synchronization
import Testing

@testable import MartletRedis

/// Which nodes there are, as the test says.
final class KnownNodes: NodeDirectory {
    private let names: Mutex<[String]>

    init(_ names: [String]) { self.names = Mutex(names) }

    func set(_ new: [String]) { names.withLock { $0 = new } }
    func nodes() -> [NodeRecord] {
        names.withLock { $0 }.map { name in
            NodeRecord(name: name, incarnation: name, roles: [], address: nil, sessions: 0, isDraining: false)
        }
    }
    func announce(_ record: NodeRecord) async {}
    func leave() async {}
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct RedisPresenceTests {
    private let alice = UserID(unchecked: 1)
    private let bob = UserID(unchecked: 2)
    private let lobby = ConversationID.room(AppID(unchecked: 1), "lobby")

    private struct Cluster {
        let known: KnownNodes
        let nodes: [RedisNode]
        let presences: [RedisPresence]

        func end() async { for node in nodes { await node.servers.shutdown() } }
    }

    private func cluster(_ servers: [RedisServer]) async throws -> Cluster {
        let nodes = [try RedisNode(servers.map(\.url), "one"), try RedisNode(servers.map(\.url), "two")]
        let known = KnownNodes(nodes.map(\.incarnation))
        let presences = nodes.map { RedisPresence($0.servers, directory: known, incarnation: $0.incarnation) }
        for node in nodes { #expect(await node.start()) }
        return Cluster(known: known, nodes: nodes, presences: presences)
    }

    @Test func `Sessions count on all nodes`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        let (one, two) = (cluster.presences[0], cluster.presences[1])
        #expect(await one.open(alice, 1) == .admitted(isFirst: true, replaced: []))
        #expect(await two.open(alice, 2) == .admitted(isFirst: false, replaced: []))
        #expect(await one.open(alice, 3, .web, .refuse) == .refused)
        let replacing = await two.open(alice, 4, .web, .replace)
        #expect(replacing == .admitted(isFirst: false, replaced: [SessionID(1), SessionID(2)]))
        #expect(await !one.close(alice, 1))
        #expect(await one.online(among: [alice, bob]) == [alice])
        #expect(await two.close(alice, 4))
        #expect(await one.online(among: [alice]) == [])
        await cluster.end()
    }

    @Test func `Of sign-ins at the same moment on two nodes one is let in`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        for round in 1...50 as ClosedRange<UInt64> {
            let user = UserID(unchecked: Int64(round))
            async let left = cluster.presences[0].open(user, round * 10, .ios, .refuse)
            async let right = cluster.presences[1].open(user, round * 10 + 1, .ios, .refuse)
            let admissions = [await left, await right]
            #expect(admissions.filter { $0 == .refused }.count == 1)
        }
        await cluster.end()
    }

    @Test func `What a node that is gone left behind does not count, once it is old enough to know`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        let (one, two) = (cluster.presences[0], cluster.presences[1])
        _ = await two.open(alice, 1, .web, .refuse)
        _ = await two.enter(lobby, alice)
        cluster.known.set([cluster.nodes[0].incarnation])
        // So young an entry may be of a node that is not in everybody's directory yet.
        #expect(await one.online(among: [alice]) == [alice])
        #expect(await one.people(in: lobby, limit: 9).count == 0)
        #expect(await eventually { await one.online(among: [alice]) == [] })
        #expect(await one.open(alice, 2, .web, .refuse) == .admitted(isFirst: true, replaced: []))
        await cluster.end()
    }

    @Test func `A user in a room on two nodes is one person`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        let (one, two) = (cluster.presences[0], cluster.presences[1])
        #expect(await one.enter(lobby, alice))
        #expect(await !two.enter(lobby, alice))
        #expect(await two.enter(lobby, bob))
        let people = await one.people(in: lobby, limit: 10)
        #expect(people.users == [alice, bob] && people.count == 2)
        #expect(await one.isHere(bob, in: lobby))
        #expect(await !one.leave(lobby, alice))
        #expect(await two.leave(lobby, alice))
        await cluster.end()
    }

    @Test func `While Redis is away a node goes by what it knows, and tells it once it is back`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        let (one, two) = (cluster.presences[0], cluster.presences[1])
        _ = await one.open(alice, 1)
        await server.kill()
        #expect(await eventually { !cluster.nodes[0].servers.areUp && !cluster.nodes[1].servers.areUp })
        let start = ContinuousClock.now
        #expect(await one.open(bob, 2) == .admitted(isFirst: true, replaced: []))
        #expect(await one.online(among: [alice, bob]) == [alice, bob])
        #expect(await two.online(among: [alice, bob]) == [])
        #expect(await one.enter(lobby, bob))
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(cluster.nodes[0].metric("martlet_presence_alone_total") > 0)
        try await server.start()
        #expect(await eventually { await two.online(among: [alice, bob]) == [alice, bob] })
        #expect(await eventually { await two.people(in: lobby, limit: 9).users == [bob] })
        #expect(await eventually { await two.rooms(of: AppID(unchecked: 1)).map(\.room) == [lobby] })
        #expect(await one.close(bob, 2))
        #expect(await two.online(among: [bob]) == [])
        await cluster.end()
    }

    @Test func `A frozen Redis keeps nobody waiting for long`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        server.freeze()
        let start = ContinuousClock.now
        #expect(await cluster.presences[0].open(alice, 1) == .admitted(isFirst: true, replaced: []))
        #expect(ContinuousClock.now - start < .seconds(5))
        server.thaw()
        await cluster.end()
    }

    @Test func `A session that ends before it was let in leaves nothing behind`() async throws {
        let server = try await RedisServer()
        let cluster = try await cluster([server])
        let one = cluster.presences[0]
        let order = Mutex<[String]>([])
        let opening = SessionOpening(user: alice, session: SessionID(1), device: "web", sameDevice: .allow, limit: 9)
        one.opened(opening) { _ in order.withLock { $0.append("opened") } }
        let isLast = await one.close(alice, 1)
        #expect(isLast)
        #expect(order.withLock { $0 } == ["opened"])
        #expect(await one.online(among: [alice]) == [])
        await cluster.end()
    }

    @Test func `What ended while one of several servers was away does not come back with it`() async throws {
        let servers = [try await RedisServer(), try await RedisServer()]
        let cluster = try await cluster(servers)
        let (one, two) = (cluster.presences[0], cluster.presences[1])
        let users = (1...60).map { UserID(unchecked: $0) }
        let rooms = (1...30).map { ConversationID.room(AppID(unchecked: 1), "room\($0)") }
        for user in users { _ = await one.open(user, UInt64(user.value)) }
        for room in rooms { _ = await one.enter(room, alice) }
        servers[0].freeze()
        #expect(await eventually { cluster.nodes.allSatisfy { $0.servers.present == [false, true] } })
        for user in users { _ = await one.close(user, UInt64(user.value)) }
        for room in rooms { _ = await one.leave(room, alice) }
        servers[0].thaw()
        #expect(await eventually { cluster.nodes.allSatisfy { $0.servers.present == [true, true] } })
        #expect(await eventually { await two.online(among: users) == [] })
        #expect(
            await eventually {
                for room in rooms where await two.people(in: room, limit: 9).count > 0 { return false }
                return true
            })
        await cluster.end()
    }

    @Test func `The end of a session is told until Redis has it`() async throws {
        let server = try await RedisServer(arguments: RedisNode.unsaving)
        let cluster = try await cluster([server])
        let (node, one, two) = (cluster.nodes[0], cluster.presences[0], cluster.presences[1])
        _ = await one.open(alice, 1)
        #expect(await node.failSaving())
        #expect(await one.close(alice, 1))
        let refused = await node.count("rejected_calls", of: "hdel")
        one.sweep()
        #expect(await eventually { await node.count("rejected_calls", of: "hdel") > refused })
        #expect(await two.online(among: [alice]) == [alice])
        _ = try await node.servers.ask(0, RedisCommand("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"))
        let isGone = await eventually {
            one.sweep()
            return await two.online(among: [alice]) == []
        }
        #expect(isGone)
        await cluster.end()
    }

    @Test func `When one of several servers goes, its users are soon known elsewhere`() async throws {
        let servers = [try await RedisServer(), try await RedisServer()]
        let cluster = try await cluster(servers)
        let users = (1...100).map { UserID(unchecked: $0) }
        for user in users { _ = await cluster.presences[0].open(user, UInt64(user.value)) }
        #expect(await cluster.presences[1].online(among: users).count == 100)
        await servers[0].kill()
        #expect(await eventually { await cluster.presences[1].online(among: users).count == 100 })
        await cluster.end()
    }
}
