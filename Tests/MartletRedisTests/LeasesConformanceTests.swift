import MartletBus
import MartletRedis
import MartletTestServices
import Testing

/// What holds for leases whatever they are made of, for a node that is alone.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LeasesConformanceTests {
    private func with(_ adapter: Adapter, _ test: (any Leases) async throws -> Void) async throws {
        switch adapter {
        case .local: try await test(LocalLeases())
        case .redis:
            let server = try await RedisServer()
            let node = try RedisNode([server.url])
            let leases = RedisLeases(node.servers, incarnation: node.incarnation)
            #expect(await node.start())
            try await test(leases)
            await node.servers.shutdown()
        }
    }

    @Test(arguments: Adapter.allCases) func `Who has a lease may ask again to keep it`(adapter: Adapter) async throws {
        try await with(adapter) { leases in
            for time in [Duration.seconds(60), .seconds(1), .seconds(3600)] {
                #expect(await leases.hold("sweep", for: time))
            }
        }
    }

    @Test(arguments: Adapter.allCases) func `Every name is a lease of its own`(adapter: Adapter) async throws {
        try await with(adapter) { leases in
            for name in ["sweep", "sweep:2", "s w\r\neep", String(repeating: "long", count: 100)] {
                #expect(await leases.hold(name, for: .seconds(60)))
            }
        }
    }

    @Test(arguments: Adapter.allCases) func `A lease may be for no time at all`(adapter: Adapter) async throws {
        try await with(adapter) { leases in
            for time in [Duration.zero, .seconds(-1), .nanoseconds(1)] {
                #expect(await leases.hold("sweep", for: time))
            }
        }
    }
}
