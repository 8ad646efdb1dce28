import MartletCore
import MartletRedis
import MartletTestServices
import NIOCore
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct RedisServersTests {
    private func check(_ urls: [String]) async throws -> Fault? {
        let servers = try RedisServers(
            urls: urls.map { try RedisURL($0) }, group: RedisNode.group, logger: RedisNode.quiet(),
            metrics: MetricRegistry())
        do throws(Fault) {
            try await servers.check()
            return nil
        } catch {
            return error
        }
    }

    @Test func `A server that can be used passes`() async throws {
        let server = try await RedisServer()
        #expect(try await check([server.url]) == nil)
    }

    @Test func `A wrong password is one clear line`() async throws {
        let server = try await RedisServer()
        for url in ["redis://:wrong@127.0.0.1:\(server.port)", "redis://127.0.0.1:\(server.port)"] {
            let fault = try await check([url])
            #expect(fault?.reason == .unavailable)
            #expect(fault?.message == "Redis at 127.0.0.1:\(server.port)/0 refuses the user or the password of its URL")
        }
    }

    @Test func `Nobody there is one clear line, but one of several that is away is not the end`() async throws {
        let server = try await RedisServer()
        let fault = try await check(["redis://127.0.0.1:1"])
        #expect(fault?.message.hasPrefix("Redis at 127.0.0.1:1/0 can't be reached") == true)
        #expect(try await check(["redis://127.0.0.1:1", server.url]) == nil)
    }

    @Test func `A server that listens and says nothing is not waited for long`() async throws {
        let server = try await RedisServer()
        server.freeze()
        let start = ContinuousClock.now
        let fault = try await check([server.url])
        #expect(fault?.message.hasSuffix("does not answer") == true)
        #expect(ContinuousClock.now - start < .seconds(10))
        server.thaw()
    }

    @Test func `A user who may not publish is one clear line`() async throws {
        let server = try await RedisServer(
            arguments: ["--user", "bob", "on", ">secret", "~*", "&*", "+@all", "-spublish"])
        let fault = try await check(["redis://bob:secret@127.0.0.1:\(server.port)"])
        let head = "Redis at 127.0.0.1:\(server.port)/0 forbids its user what is needed: NOPERM"
        #expect(fault?.message.hasPrefix(head) == true)
        #expect(fault?.message.contains("secret") == false)
    }

    @Test func `A user who may not listen is not tried at full speed`() async throws {
        let server = try await RedisServer(
            arguments: ["--user", "bob", "on", ">secret", "~*", "resetchannels", "&martlet:check", "+@all"])
        let node = try RedisNode(["redis://bob:secret@127.0.0.1:\(server.port)"])
        node.servers.start()
        #expect(await eventually { node.metric("martlet_bus_reconnects_total") >= 1 })
        // At full speed there would be some 40 of them.
        try await Task.sleep(for: .seconds(4))
        let tries = node.metric("martlet_bus_reconnects_total")
        #expect(tries < 12)
        #expect(!node.servers.areUp)
        await node.servers.shutdown()
    }

    @Test func `TLS is spoken with a server whose authority is known, and with no other`() async throws {
        let server = try await RedisServer(isSecure: true)
        #expect(try await check([server.url]) == nil)
        let stranger = try await check(["rediss://:\(server.password)@127.0.0.1:\(server.port)"])
        #expect(stranger?.message.contains("can't be reached") == true)
        let node = try RedisNode([server.url])
        #expect(await node.start())
        await node.servers.shutdown()
    }

    @Test func `A frozen server does not keep those waiting who close their connections, over TLS neither`()
        async throws
    {
        let server = try await RedisServer(isSecure: true)
        let node = try RedisNode([server.url])
        #expect(await node.start())
        server.freeze()
        let start = ContinuousClock.now
        await node.servers.shutdown()
        #expect(ContinuousClock.now - start < .seconds(3))
        server.thaw()
    }

    @Test func `A database of the URL is chosen`() async throws {
        let server = try await RedisServer()
        #expect(try await check([server.url + "/3"]) == nil)
        #expect(try await check([server.url + "/99"])?.reason == .unavailable)
    }

    @Test func `Lists that can't be meant are refused`() async throws {
        await #expect(throws: Fault.self) { _ = try await check([]) }
        await #expect(throws: Fault.self) { _ = try await check(["redis://a", "redis://u:p@a:6379/0"]) }
    }
}
