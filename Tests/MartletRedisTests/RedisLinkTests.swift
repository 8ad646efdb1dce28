import MartletTestServices
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import MartletRedis

/// What a link told.
private final class Told: RedisLinkObserver {
    struct State {
        var refusals = 0
        /// What was unanswered, for each connection that ended.
        var ends: [Int] = []
    }

    private let box = Mutex(State())

    var state: State { box.withLock { $0 } }

    func linkIsUp() {}
    func linkIsDown(unanswered: Int) { box.withLock { $0.ends.append(unanswered) } }
    func linkPushed(_ elements: [RESPValue]) {}
    func linkRead() {}
    func linkRefused(_ error: String) { box.withLock { $0.refusals += 1 } }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct RedisLinkTests {
    private func link(_ server: RedisServer, _ told: Told) async throws -> RedisLink {
        let link = RedisLink(
            try RedisURL(server.url), name: "martlet-publish", loop: RedisNode.group.next(), tls: nil, prefix: "t:"
        ) { _ in }
        link.observe(told)
        link.start()
        #expect(await eventually { link.isUp })
        return link
    }

    @Test func `That nothing was lost with an idle connection is told`() async throws {
        let server = try await RedisServer()
        let told = Told()
        let link = try await link(server, told)
        // It is asked whether it is there, and does not answer.
        server.freeze()
        #expect(await eventually { !told.state.ends.isEmpty })
        server.thaw()
        #expect(told.state.ends == [0])
        await link.stop()
    }

    @Test func `What was posted and not answered is told`() async throws {
        let server = try await RedisServer()
        let told = Told()
        let link = try await link(server, told)
        server.freeze()
        #expect(link.post(RedisCommand("SPUBLISH", "t:x", "y").bytes, commands: 1))
        #expect(await eventually { !told.state.ends.isEmpty })
        server.thaw()
        #expect(told.state.ends == [1])
        await link.stop()
    }

    @Test func `A server that refuses to say whether it is there refused nothing that was posted`() async throws {
        let server = try await RedisServer(arguments: ["--rename-command", "ECHO", ""])
        let (told, others) = (Told(), Told())
        let link = try await link(server, told)
        // Never idle.
        let asking = try await self.link(server, others)
        #expect(await eventually { await refusals(asking) >= 2 })
        #expect(link.post(RedisCommand("ECHO", "x").bytes, commands: 1))
        #expect(await eventually { told.state.refusals > 0 })
        #expect(told.state.refusals == 1)
        #expect(told.state.ends.isEmpty && others.state.refusals == 0)
        await link.stop()
        await asking.stop()
    }

    /// Commands that the server refused as unknown.
    private func refusals(_ link: RedisLink) async -> Int {
        let result = await withCheckedContinuation { continuation in
            link.send(RedisCommand("INFO", "errorstats").bytes, within: .seconds(1)) {
                continuation.resume(returning: $0)
            }
        }
        guard case .success(let reply) = result else { return 0 }
        let count = (reply.text ?? "").split(separator: "errorstat_ERR:count=").last.flatMap {
            $0.split(separator: "\r\n").first
        }
        return count.flatMap { Int($0) } ?? 0
    }
}
