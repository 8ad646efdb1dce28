import MartletBus
import MartletCore
import MartletRedis
import MartletTestServices
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct RedisBrokerTests {
    private let alice = ConversationID.inbox(UserID(unchecked: 1))
    private let bob = ConversationID.inbox(UserID(unchecked: 2))
    private let both = ConversationID.direct(UserID(unchecked: 1), UserID(unchecked: 2))
    private let group = ConversationID.group(GroupID(unchecked: 5000))

    /// Two nodes on one server; the second follows `topics`.
    private func pair(_ server: RedisServer, following topics: [ConversationID] = []) async throws -> (
        RedisNode, RedisNode
    ) {
        let nodes = (try RedisNode([server.url], "one"), try RedisNode([server.url], "two"))
        #expect(await nodes.0.start())
        #expect(await nodes.1.start())
        for topic in topics { nodes.1.broker.follow(topic) }
        await nodes.1.broker.settled(topics)
        return nodes
    }

    private func end(_ nodes: (RedisNode, RedisNode)) async {
        await nodes.0.servers.shutdown()
        await nodes.1.servers.shutdown()
    }

    @Test func `Events arrive where their topic is followed, whole and in order, and only there`() async throws {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [group])
        one.broker.publish([event(group, 1), event(both, 1), event(group, 2)])
        one.broker.publish([event(group, 3)])
        #expect(await eventually { two.seen.seqs == [1, 2, 3] })
        let first = two.seen.state.withLock { $0.events[0] }
        let sent = event(group, 1)
        #expect(first.conversation == group && first.ordinal == 10 && first.sender == sent.sender)
        #expect(first.senderName == sent.senderName && first.clientId == "c1" && first.time == sent.time)
        #expect(first.body == sent.body && first.origin == sent.origin && first.kind == .text)
        #expect(two.metric("martlet_bus_damaged_total") == 0)
        await end((one, two))
    }

    @Test func `A direct conversation is heard by who follows either of its users`() async throws {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [bob])
        one.broker.publish([event(both, 1)])
        #expect(await eventually { two.seen.seqs == [1] })
        await end((one, two))
    }

    @Test func `What is unfollowed stays for a moment, and what is followed twice until the second is gone`()
        async throws
    {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [group, group])
        two.broker.unfollow(group)
        two.broker.unfollow(group)
        one.broker.publish([event(group, 1)])
        #expect(await eventually { two.seen.seqs == [1] })
        #expect(await eventually { two.metric("martlet_bus_topics") == 0 })
        await end((one, two))
    }

    @Test func `Signals reach followers once, and everybody where they concern everybody`() async throws {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [alice, bob])
        let typing = Signal.typing(both, by: UserID(unchecked: 1), to: .followers)
        let everybody = Signal.rightsChanged(.inbox(UserID(unchecked: 9)), nil)
        let presence = Signal.presence(
            UserID(unchecked: 3), online: true, to: [UserID(unchecked: 1), UserID(unchecked: 9)])
        await one.broker.publish(typing)
        one.broker.post(presence)
        one.broker.post(everybody)
        #expect(await eventually { two.seen.signals.contains(everybody) })
        let heard = two.seen.signals
        #expect(heard.filter { $0 == typing }.count == 1)
        #expect(heard.contains(.presence(UserID(unchecked: 3), online: true, to: [UserID(unchecked: 1)])))
        #expect(heard.count == 3)
        await end((one, two))
    }

    @Test func `After a restart of the server all is followed again, and told as missed`() async throws {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [group, alice])
        let before = two.seen.missed.count
        await server.kill()
        #expect(await eventually { !two.servers.areUp && !one.servers.areUp })
        one.broker.publish([event(group, 1)])
        #expect(one.seen.seqs == [1])
        try await server.start()
        #expect(await eventually { Set(two.seen.missed.dropFirst(before)) == [group, alice] })
        #expect(await eventually { one.servers.areUp })
        one.broker.publish([event(group, 2)])
        #expect(await eventually { two.seen.seqs == [2] })
        #expect(one.metric("martlet_bus_dropped_total") > 0)
        await end((one, two))
    }

    @Test func `A frozen server is noticed, and what was sent meanwhile comes late or is told as missed`() async throws
    {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [group])
        let before = two.seen.missed.count
        server.freeze()
        one.broker.publish([event(group, 1)])
        #expect(await eventually { !one.servers.areUp && !two.servers.areUp })
        server.thaw()
        #expect(
            await eventually {
                two.seen.seqs == [1] || two.seen.missed.count > before || two.seen.signals.contains(.missed)
            })
        await end((one, two))
    }

    @Test func `Waiting for topics ends when they are there, and in bounded time when the bus is away`() async throws {
        let server = try await RedisServer()
        let (one, two) = try await pair(server)
        let many = (1...2000).map { ConversationID.group(GroupID(unchecked: $0)) }
        for topic in many { two.broker.follow(topic) }
        await two.broker.settled(many)
        one.broker.publish(many.map { event($0, 1) })
        #expect(await eventually { two.seen.seqs.count == 2000 })
        server.freeze()
        let start = ContinuousClock.now
        two.broker.follow(group)
        await two.broker.settled([group])
        #expect(ContinuousClock.now - start < .seconds(10))
        server.thaw()
        #expect(await eventually { two.seen.missed.contains(group) })
        await end((one, two))
    }

    @Test func `After a restart of the server all is followed again, however little of it the queue takes at once`()
        async throws
    {
        let server = try await RedisServer()
        let one = try RedisNode([server.url], "one")
        // All topics at once would take some ten times as much.
        let two = try RedisNode([server.url], "two", queue: 64 << 10)
        for node in [one, two] { #expect(await node.start()) }
        let many = (1...20_000).map { ConversationID.group(GroupID(unchecked: 10_000 + $0)) }
        for topic in many { two.broker.follow(topic) }
        let before = two.metric("martlet_bus_missed_total")
        await server.kill()
        #expect(await eventually { !two.servers.areUp && !one.servers.areUp })
        try await server.start()
        #expect(await eventually { two.servers.areUp && one.servers.areUp })
        let connections = two.metric("martlet_bus_reconnects_total")
        two.broker.follow(alice)
        #expect(await eventually { two.metric("martlet_bus_missed_total") - before >= many.count })
        #expect(two.metric("martlet_bus_reconnects_total") == connections)
        let ends = [many[0], many[9_999], many[19_999], alice]
        let areHeard = await eventually {
            one.broker.publish(ends.map { event($0, 1) })
            return two.seen.conversations(at: 1) == Set(ends)
        }
        #expect(areHeard)
        await end((one, two))
    }

    @Test func `A server that can't save carries the bus all the same`() async throws {
        let server = try await RedisServer(arguments: RedisNode.unsaving)
        let (one, two) = try await pair(server, following: [alice])
        #expect(await one.failSaving())
        two.broker.follow(group)
        await two.broker.settled([group])
        one.broker.publish([event(group, 1)])
        #expect(await eventually { two.seen.seqs == [1] })
        // Five connections have nothing else to do: each is asked more than once.
        let before = await one.count("calls", of: "echo")
        #expect(await eventually { await one.count("calls", of: "echo") >= before + 15 })
        #expect(one.seen.signals.isEmpty && two.seen.signals.isEmpty)
        for node in [one, two] {
            #expect(node.metric("martlet_bus_reconnects_total") == 0)
            #expect(node.metric("martlet_bus_dropped_total") == 0)
        }
        await end((one, two))
    }

    @Test func `A batch that is too large for one frame goes in several`() async throws {
        let server = try await RedisServer()
        let (one, two) = try await pair(server, following: [group])
        one.broker.publish((1...200).map { event(group, $0, bytes: 16_000) })
        #expect(await eventually { two.seen.seqs == Array(1...200) })
        #expect(two.metric("martlet_bus_frames_received_total") == 4)
        await end((one, two))
    }

    @Test func `Of several servers, only the topics of the one that goes move, and they come back`() async throws {
        let servers = [try await RedisServer(), try await RedisServer(), try await RedisServer()]
        let nodes = (try RedisNode(servers.map(\.url), "one"), try RedisNode(servers.map(\.url).reversed(), "two"))
        #expect(await nodes.0.start())
        #expect(await nodes.1.start())
        let topics = (1...60).map { ConversationID.group(GroupID(unchecked: $0)) }
        for topic in topics { nodes.1.broker.follow(topic) }
        await nodes.1.broker.settled(topics)
        nodes.0.broker.publish(topics.map { event($0, 1) })
        #expect(await eventually { nodes.1.seen.seqs.count == 60 })

        let rendezvous = Rendezvous(try servers.map { try RedisURL($0.url).identity })
        let moving = Set(topics.filter { rendezvous.owner(of: $0.text, present: [true, true, true]) == 0 })
        let before = nodes.1.seen.missed.count
        await servers[0].kill()
        #expect(await eventually { nodes.0.servers.status[0].awaySince != nil })
        #expect(await eventually { Set(nodes.1.seen.missed.dropFirst(before)).count == moving.count })
        let moved = Set(nodes.1.seen.missed.dropFirst(before))
        #expect(moved == moving && !moving.isEmpty)
        #expect(await eventually { nodes.0.seen.signals.isEmpty && nodes.0.servers.present == [false, true, true] })
        nodes.0.broker.publish(topics.map { event($0, 2) })
        #expect(await eventually { nodes.1.seen.conversations(at: 2).count == 60 })

        let again = nodes.1.seen.missed.count
        try await servers[0].start()
        #expect(await eventually { Set(nodes.1.seen.missed.dropFirst(again)) == moved })
        #expect(await eventually { nodes.0.servers.areUp && nodes.0.servers.present == [true, true, true] })
        nodes.0.broker.publish(topics.map { event($0, 3) })
        #expect(await eventually { nodes.1.seen.conversations(at: 3).count == 60 })
        await end(nodes)
    }
}
