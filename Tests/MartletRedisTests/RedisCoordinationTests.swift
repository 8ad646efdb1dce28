import MartletBus
import MartletCore
import MartletRedis
import MartletTestServices
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct RedisCoordinationTests {
    private func record(_ node: RedisNode, _ name: String, sessions: Int = 3) -> NodeRecord {
        NodeRecord(
            name: name, incarnation: node.incarnation, roles: ["gateway", "api"],
            address: NodeAddress(host: "10.0.0.1", port: 443, isSecure: true), sessions: sessions, isDraining: false)
    }

    @Test func `Nodes know of one another, and forget who leaves at once`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "b"), try RedisNode([server.url], "a")]
        let directories = nodes.map { RedisNodeDirectory($0.servers, incarnation: $0.incarnation) }
        for node in nodes { #expect(await node.start()) }
        let records = [record(nodes[0], "b\nx=1"), record(nodes[1], "a")]
        await directories[0].announce(records[0])
        await directories[1].announce(records[1])
        #expect(directories[1].nodes().map(\.incarnation) == [nodes[1].incarnation, nodes[0].incarnation])
        #expect(directories[1].nodes()[0] == records[1])
        #expect(directories[1].nodes()[1].address == records[0].address)
        #expect(directories[1].nodes()[1].name == "b x=1")
        #expect(await eventually { directories[0].nodes().count == 2 })
        await directories[1].leave()
        #expect(directories[1].nodes().map(\.name) == ["b x=1"])
        #expect(await eventually(for: .seconds(4)) { directories[0].nodes() == [records[0]] })
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `A node that is not heard of for its lease is gone`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let directories = nodes.map {
            RedisNodeDirectory($0.servers, incarnation: $0.incarnation, lease: .seconds(2))
        }
        for node in nodes { #expect(await node.start()) }
        await directories[1].announce(record(nodes[1], "two"))
        await directories[0].announce(record(nodes[0], "one"))
        #expect(directories[0].nodes().count == 2)
        await nodes[1].servers.shutdown()
        #expect(await eventually(for: .seconds(8)) { directories[0].nodes().map(\.name) == ["one"] })
        await nodes[0].servers.shutdown()
    }

    @Test func `While Redis is away the others are believed for one lease more, and then only oneself`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let directories = nodes.map {
            RedisNodeDirectory($0.servers, incarnation: $0.incarnation, lease: .seconds(4))
        }
        for node in nodes { #expect(await node.start()) }
        await directories[1].announce(record(nodes[1], "two"))
        await directories[0].announce(record(nodes[0], "one"))
        let start = ContinuousClock.now
        await server.kill()
        #expect(await eventually { directories[0].nodes().map(\.name) == ["one"] })
        #expect(ContinuousClock.now - start > .seconds(5))
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `When a node vanishes the others ask the log, and not when it leaves`() async throws {
        let server = try await RedisServer()
        let nodes = try ["one", "two", "three"].map { try RedisNode([server.url], $0) }
        let directories = nodes.map {
            RedisNodeDirectory($0.servers, incarnation: $0.incarnation, lease: .seconds(2))
        }
        for node in nodes { #expect(await node.start()) }
        for index in 1...2 { await directories[index].announce(record(nodes[index], "\(index)")) }
        #expect(await eventually { directories[0].nodes().count == 2 })
        await directories[1].leave()
        #expect(await eventually { directories[0].nodes().count == 1 })
        #expect(nodes[0].seen.signals.isEmpty)
        await nodes[2].servers.shutdown()
        #expect(await eventually { nodes[0].seen.signals == [.missed] })
        #expect(directories[0].nodes().isEmpty)
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `Who may live is known for as long as nobody can be asked`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let directories = nodes.map {
            RedisNodeDirectory($0.servers, incarnation: $0.incarnation, lease: .seconds(3))
        }
        for node in nodes { #expect(await node.start()) }
        await directories[1].announce(record(nodes[1], "two"))
        await directories[0].announce(record(nodes[0], "one"))
        await server.kill()
        #expect(await eventually { directories[0].nodes().map(\.name) == ["one"] })
        #expect(Set(directories[0].believed().map(\.name)) == ["one", "two"])
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `When Redis is back everybody has a lease to tell of itself again`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let directories = nodes.map {
            RedisNodeDirectory($0.servers, incarnation: $0.incarnation, lease: .seconds(4))
        }
        for node in nodes { #expect(await node.start()) }
        await directories[0].announce(record(nodes[0], "one"))
        await directories[1].announce(record(nodes[1], "two"))
        let isKnown: @Sendable () -> Bool = { directories[0].believed().contains { $0.name == "two" } }
        #expect(await eventually { isKnown() })
        server.freeze()
        // Back within the lease: what it still knows then it forgets before anybody wrote it again.
        let isLostAway = await eventually(for: .milliseconds(3300)) { !isKnown() }
        server.thaw()
        let isLostBack = await eventually(for: .seconds(2)) { !isKnown() }
        #expect(!isLostAway && !isLostBack)
        #expect(await eventually { nodes[1].servers.areUp })
        await directories[1].announce(record(nodes[1], "two"))
        let isLostLater = await eventually(for: .milliseconds(3500)) { !isKnown() }
        #expect(!isLostLater)
        #expect(nodes[0].seen.signals.isEmpty)
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `Who is not heard of after Redis is back is gone in the end`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let directories = nodes.map {
            RedisNodeDirectory($0.servers, incarnation: $0.incarnation, lease: .seconds(3))
        }
        for node in nodes { #expect(await node.start()) }
        await directories[1].announce(record(nodes[1], "two"))
        #expect(await eventually { directories[0].believed().map(\.name) == ["two"] })
        await server.kill()
        await nodes[1].servers.shutdown()
        #expect(await eventually { directories[0].nodes().isEmpty })
        #expect(nodes[0].seen.signals.isEmpty)
        try await server.start()
        #expect(await eventually { nodes[0].seen.signals == [.missed] })
        #expect(directories[0].believed().isEmpty)
        await nodes[0].servers.shutdown()
    }

    @Test func `A node that starts knows the others before it is asked about them`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let old = RedisNodeDirectory(nodes[0].servers, incarnation: nodes[0].incarnation, lease: .seconds(60))
        let new = RedisNodeDirectory(nodes[1].servers, incarnation: nodes[1].incarnation, lease: .seconds(60))
        #expect(await nodes[0].start())
        await old.announce(record(nodes[0], "one"))
        #expect(await nodes[1].start())
        #expect(await eventually(for: .milliseconds(500)) { new.believed().map(\.name) == ["one"] })
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `One node at a time has a lease, and another once it is over`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let leases = nodes.map { RedisLeases($0.servers, incarnation: $0.incarnation) }
        for node in nodes { #expect(await node.start()) }
        #expect(await leases[0].hold("sweep", for: .seconds(2)))
        #expect(await !leases[1].hold("sweep", for: .seconds(2)))
        #expect(await leases[1].hold("other", for: .seconds(2)))
        #expect(await eventually { await leases[1].hold("sweep", for: .seconds(2)) })
        #expect(await !leases[0].hold("sweep", for: .seconds(2)))
        await server.kill()
        #expect(await !leases[1].hold("sweep", for: .seconds(2)))
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `A shared bucket is one for all nodes, and each node's own while Redis is away`() async throws {
        let server = try await RedisServer()
        let nodes = [try RedisNode([server.url], "one"), try RedisNode([server.url], "two")]
        let limiters = nodes.map { RedisRateLimiter($0.servers) }
        for node in nodes { #expect(await node.start()) }
        let rule = RateRule(perSecond: 0.5, burst: 4)
        let key = RateKey.account(String(repeating: "long", count: 100))
        let now = Instant(milliseconds: 1_700_000_000_000)
        for turn in 0..<4 { #expect(await limiters[turn % 2].takeShared(key, rule, now: now) == nil) }
        for limiter in limiters {
            let wait = await limiter.takeShared(key, rule, now: now)
            #expect(wait.map { $0 > .milliseconds(500) && $0 <= .milliseconds(2001) } == true)
        }
        #expect(await limiters[0].takeShared(.account("other"), rule, now: now) == nil)
        server.freeze()
        let start = ContinuousClock.now
        #expect(await limiters[0].takeShared(key, rule, now: now) == nil)
        #expect(ContinuousClock.now - start < .seconds(3))
        #expect(nodes[0].metric("martlet_limits_alone_total") == 1)
        server.thaw()
        for node in nodes { await node.servers.shutdown() }
    }

    @Test func `A bucket that is full refuses in the middle of its refill, too, and lets in after it`() async throws {
        let server = try await RedisServer()
        let node = try RedisNode([server.url], "one")
        let limiter = RedisRateLimiter(node.servers)
        #expect(await node.start())
        let rule = RateRule(perSecond: 5, burst: 1)
        let now = Instant(milliseconds: 0)
        #expect(await limiter.takeShared(.signIn("a"), rule, now: now) == nil)
        #expect(await limiter.takeShared(.signIn("a"), rule, now: now) != nil)
        #expect(await eventually { await limiter.takeShared(.signIn("a"), rule, now: now) == nil })
        await node.servers.shutdown()
    }
}
