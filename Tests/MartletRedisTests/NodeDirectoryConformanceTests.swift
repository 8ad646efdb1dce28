import MartletBus
import MartletRedis
import MartletTestServices
import Testing

/// What holds for the directory of nodes whatever it is made of: what a node that is alone reads there of itself.
@Suite(.serialized, .timeLimit(.minutes(2))) struct NodeDirectoryConformanceTests {
    private func with(
        _ adapter: Adapter, _ test: (any NodeDirectory, _ incarnation: String) async throws -> Void
    ) async throws {
        switch adapter {
        case .local: try await test(LocalNodeDirectory(), "one-1")
        case .redis:
            let server = try await RedisServer()
            let node = try RedisNode([server.url])
            let directory = RedisNodeDirectory(node.servers, incarnation: node.incarnation)
            #expect(await node.start())
            try await test(directory, node.incarnation)
            await node.servers.shutdown()
        }
    }

    private func record(_ incarnation: String, sessions: Int = 3, isDraining: Bool = false) -> NodeRecord {
        NodeRecord(
            name: "one", incarnation: incarnation, roles: ["gateway", "api"],
            address: NodeAddress(host: "10.0.0.1", port: 443, isSecure: true), sessions: sessions,
            isDraining: isDraining)
    }

    private func expect(_ directory: any NodeDirectory, _ records: [NodeRecord]) {
        #expect(directory.nodes() == records)
        #expect(directory.believed() == records)
    }

    @Test(arguments: Adapter.allCases) func `Before it is announced a node is not there`(adapter: Adapter) async throws
    {
        try await with(adapter) { directory, _ in expect(directory, []) }
    }

    @Test(arguments: Adapter.allCases) func `A node that was announced reads of itself what it said`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { directory, incarnation in
            await directory.announce(record(incarnation))
            expect(directory, [record(incarnation)])
        }
    }

    @Test(arguments: Adapter.allCases) func `What is announced later takes the place of what was`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { directory, incarnation in
            await directory.announce(record(incarnation))
            let later = record(incarnation, sessions: 4, isDraining: true)
            await directory.announce(later)
            expect(directory, [later])
        }
    }

    @Test(arguments: Adapter.allCases) func `A node that left is gone at once, and may come back`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { directory, incarnation in
            await directory.announce(record(incarnation))
            await directory.leave()
            expect(directory, [])
            await directory.leave()
            expect(directory, [])
            await directory.announce(record(incarnation, sessions: 1))
            expect(directory, [record(incarnation, sessions: 1)])
        }
    }

    @Test(arguments: Adapter.allCases) func `A node may leave that was never announced`(adapter: Adapter) async throws {
        try await with(adapter) { directory, _ in
            await directory.leave()
            expect(directory, [])
        }
    }
}
