import MartletBus
import MartletCore
import MartletRedis
import MartletTestServices
import NIOCore
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct BusProxyTests {
    private let group = ConversationID.group(GroupID(unchecked: 5))

    private struct Net {
        let server: RedisServer
        let proxy: BusProxy
        let direct: RedisNode
        let proxied: RedisNode

        func end() async {
            await direct.servers.shutdown()
            await proxied.servers.shutdown()
            await proxy.stop()
        }
    }

    private func net(confirmTime: TimeAmount = .seconds(10)) async throws -> Net {
        let server = try await RedisServer()
        let proxy = try await BusProxy(to: server.port, seed: 7)
        let net = Net(
            server: server, proxy: proxy, direct: try RedisNode([server.url], "direct"),
            proxied: try RedisNode(
                ["redis://:\(server.password)@127.0.0.1:\(proxy.port)"], "proxied", confirmTime: confirmTime))
        for node in [net.direct, net.proxied] {
            #expect(await node.start())
            node.broker.follow(group)
            await node.broker.settled([group])
        }
        return net
    }

    @Test func `Without faults everything passes, in order`() async throws {
        let net = try await net()
        for seq in 1...500 { net.direct.broker.publish([event(group, Int64(seq), bytes: seq * 10)]) }
        for seq in 501...600 { net.proxied.broker.publish([event(group, Int64(seq))]) }
        #expect(await eventually { net.proxied.seen.seqs.count == 600 && net.direct.seen.seqs.count == 600 })
        #expect(net.proxied.seen.seqs.filter { $0 <= 500 } == Array(1...500))
        #expect(net.direct.seen.seqs.filter { $0 > 500 } == Array(501...600))
        await net.end()
    }

    @Test func `Frames are lost, doubled and late as told, and the connection stays`() async throws {
        let net = try await net()
        net.proxy.set(BusProxy.Faults(drop: 0.2, double: 0.2, delay: 0.3))
        for seq in 1...1000 { net.direct.broker.publish([event(group, Int64(seq))]) }
        #expect(
            await eventually { net.proxy.counts.passed + net.proxy.counts.delayed + net.proxy.counts.dropped >= 1000 })
        let counts = net.proxy.counts
        let expected = counts.passed + counts.delayed + counts.doubled
        #expect(await eventually { net.proxied.seen.seqs.count == expected })
        let seqs = net.proxied.seen.seqs
        #expect(counts.dropped > 100 && counts.doubled > 50 && counts.delayed > 100)
        #expect(Set(seqs).count == counts.passed + counts.delayed)
        #expect(seqs != seqs.sorted())
        for seq in 2001...2100 { net.proxied.broker.publish([event(group, Int64(seq))]) }
        #expect(await eventually { net.proxy.counts.dropped > counts.dropped })
        #expect(net.proxied.metric("martlet_bus_reconnects_total") == 0)
        #expect(net.proxied.servers.areUp)
        await net.end()
    }

    @Test func `A connection that is cut in the middle of a frame comes back, and tells what may be lost`() async throws
    {
        let net = try await net()
        let before = net.proxied.seen.missed.count
        net.proxy.set(BusProxy.Faults(cut: 1))
        net.direct.broker.publish([event(group, 1, bytes: 5000)])
        #expect(await eventually { net.proxy.counts.cut == 1 })
        net.proxy.set(BusProxy.Faults())
        #expect(await eventually { net.proxied.seen.missed.count > before && net.proxied.servers.areUp })
        net.direct.broker.publish([event(group, 2)])
        #expect(await eventually { net.proxied.seen.seqs == [2] })
        await net.end()
    }

    @Test func `A server that pushes and does not confirm is connected to again`() async throws {
        let net = try await net(confirmTime: .milliseconds(500))
        let late = ConversationID.group(GroupID(unchecked: 6))
        net.proxy.set(BusProxy.Faults(mutes: true))
        net.proxied.broker.follow(late)
        // What is pushed keeps the connection alive.
        let isMadeAgain = await eventually {
            net.direct.broker.publish([event(group, 1)])
            return net.proxied.metric("martlet_bus_reconnects_total") > 0
        }
        #expect(isMadeAgain)
        net.proxy.set(BusProxy.Faults())
        #expect(await eventually { net.proxied.seen.missed.contains(late) })
        #expect(net.direct.metric("martlet_bus_reconnects_total") == 0)
        await net.end()
    }

    @Test func `A node that could not publish tells the others once it can`() async throws {
        let net = try await net()
        net.proxy.refuse(true)
        net.proxy.cut(.publish)
        #expect(await eventually { !net.proxied.servers.areUp })
        net.proxied.broker.publish([event(group, 1)])
        #expect(net.proxied.metric("martlet_bus_dropped_total") > 0)
        #expect(net.direct.seen.signals.isEmpty)
        net.proxy.refuse(false)
        #expect(await eventually { net.direct.seen.signals == [.missed] })
        #expect(net.proxied.seen.signals.isEmpty)
        await net.end()
    }

    @Test func `Signals that are worth little leave room for events`() async throws {
        let net = try await net()
        let users = (1...1000).map { UserID(unchecked: $0) }
        net.server.freeze()
        for _ in 0..<50 { net.proxied.broker.post(.presence(UserID(unchecked: 5000), online: true, to: users)) }
        let dropped = net.proxied.metric("martlet_bus_dropped_total")
        let queued = net.proxied.metric("martlet_bus_queue")
        net.proxied.broker.publish([event(group, 1)])
        let after = net.proxied.metric("martlet_bus_dropped_total")
        net.server.thaw()
        #expect(dropped >= 10_000 && after == dropped)
        #expect(queued <= 32_768 + 10)
        #expect(await eventually { net.direct.seen.seqs == [1] || net.direct.seen.signals.contains(.missed) })
        await net.end()
    }

    @Test func `Nobody asks the log for signals that were refused`() async throws {
        let net = try await net()
        net.proxy.refuse(true)
        net.proxy.cut(.publish)
        #expect(await eventually { !net.proxied.servers.areUp })
        net.proxied.broker.post(.typing(group, by: UserID(unchecked: 1), to: .followers))
        net.proxied.broker.post(.rightsChanged(group, nil))
        #expect(net.proxied.metric("martlet_bus_dropped_total") == 2)
        net.proxy.refuse(false)
        #expect(await eventually { net.proxied.servers.areUp })
        net.proxied.broker.publish([event(group, 1)])
        #expect(await eventually { net.direct.seen.seqs == [1] })
        #expect(net.direct.seen.signals.isEmpty)
        await net.end()
    }

    @Test func `What does not fit into the queue is refused, and told as missed`() async throws {
        let net = try await net()
        net.server.freeze()
        for round in 0..<80 {
            net.proxied.broker.publish(
                (1...1000).map { event(.group(GroupID(unchecked: Int64(round * 1000 + $0 + 100))), 1) })
        }
        #expect(net.proxied.metric("martlet_bus_dropped_total") >= 10_000)
        #expect(net.proxied.metric("martlet_bus_queue") <= 65_536 + 10)
        #expect(net.proxied.seen.seqs.count == 80_000)
        net.server.thaw()
        #expect(await eventually { net.direct.seen.signals.contains(.missed) })
        await net.end()
    }
}
