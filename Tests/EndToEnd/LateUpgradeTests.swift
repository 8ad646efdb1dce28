import EndToEndSupport
import MartletWire
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Proxies keep connections to nodes, and use them for whatever comes next: also for an upgrade.
struct LateUpgradeTests {
    private let requests = [
        "GET /healthz HTTP/1.1\r\nHost: martlet\r\n\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: martlet\r\nContent-Length: 2\r\n\r\n{}",
        "GET /ws HTTP/1.1\r\nHost: martlet\r\n\r\n",
        "GET /api/route HTTP/1.1\r\nHost: martlet\r\n\r\n",
    ]

    /// A connection on which requests were answered.
    private func used(_ port: Int, key: String, more: Int = 0) async throws -> WireClient {
        let client = try await WireClient.connectRaw(port: port, key: key, plainAnswers: requests.count + more)
        for (number, request) in requests.enumerated() {
            client.sendRaw(Array(request.utf8))
            try await client.waitPlainAnswer(number + 1)
        }
        return client
    }

    private func upgraded(_ port: Int) async throws -> WireClient {
        let key = UpgradeRequest.randomKey()
        let client = try await used(port, key: key)
        client.sendRaw(UpgradeRequest.client(host: "martlet", key: key))
        try await client.waitUpgraded()
        return client
    }

    @Test func `A session behind other requests is like any other`() async throws {
        let server = try await ServerProcess.start()
        let rest = RestClient(port: server.port)
        let (ada, ben) = (try await register(rest, "ada"), try await register(rest, "ben"))
        let (late, other) = (
            try await upgraded(server.port), try await WireClient.signedIn(port: server.port, ben)
        )
        _ = try await late.login(ada)
        let first = try await late.say("from behind", in: ada.direct(ben))
        _ = try await other.nextPush("msg")
        let second = try await other.say(String(repeating: "back ", count: 500), in: ada.direct(ben))
        #expect(try await late.nextPush("msg")["data"]?["seq"]?.integer == second)
        #expect(second == first + 1)
        late.close()
        #expect(try await late.waitClosed() == 1000)
    }

    @Test func `It may come byte by byte, with a frame right behind it`() async throws {
        let server = try await ServerProcess.start()
        let key = UpgradeRequest.randomKey()
        let client = try await used(server.port, key: key)
        let heartbeat = WireClient.frame(.text, Array(WireClient.command("heartbeat", "{}", seq: "h").utf8))
        for byte in UpgradeRequest.client(host: "martlet", key: key) + heartbeat { client.sendRaw([byte]) }
        #expect(try await client.answer(to: "h").reason == "not_signed_in")
    }

    @Test func `One that is wrong is refused, and ends the connection`() async throws {
        let server = try await ServerProcess.start()
        let client = try await used(server.port, key: "")
        client.sendRaw(
            Array(
                """
                GET /ws HTTP/1.1\r\nHost: martlet\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: \(UpgradeRequest.randomKey())\r\nSec-WebSocket-Version: 12\r\n\r\n
                """.utf8))
        let refused = await #expect(throws: UpgradeRefused.self) { try await client.waitUpgraded() }
        #expect(refused?.status == 426)
    }

    @Test(
        arguments: [
            "GET /healthz HTTP/1.1\r\nHost: martlet\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: martlet\r\nConnection: close\r\n\r\n",
            "CONNECT martlet:80 HTTP/1.1\r\nHost: martlet\r\n\r\n",
        ])
    func `Behind a request that ends the connection there is none`(_ request: String) async throws {
        let server = try await ServerProcess.start()
        let key = UpgradeRequest.randomKey()
        let client = try await used(server.port, key: key, more: 1)
        client.sendRaw(Array(request.utf8))
        try await client.waitPlainAnswer(requests.count + 1)
        client.sendRaw(UpgradeRequest.client(host: "martlet", key: key))
        await #expect(throws: UpgradeRefused.self) { try await client.waitUpgraded() }
        let metrics = try await RestClient(port: server.port).call("GET", "/metrics").text
        #expect(metrics.contains("martlet_upgrades_total 0"))
    }

    @Test func `Behind a body that was too large there is none`() async throws {
        let server = try await ServerProcess.start()
        let key = UpgradeRequest.randomKey()
        let client = try await used(server.port, key: key, more: 1)
        let (size, body) = (70_000, [UInt8](repeating: 0x20, count: 35_000))
        client.sendRaw(Array("POST /api/auth/login HTTP/1.1\r\nHost: martlet\r\nContent-Length: \(size)\r\n\r\n".utf8))
        client.sendRaw(body)
        try await client.waitPlainAnswer(requests.count + 1)
        client.sendRaw(body + UpgradeRequest.client(host: "martlet", key: key))
        await #expect(throws: UpgradeRefused.self) { try await client.waitUpgraded() }
    }

    @Test func `One that does not wait for the answer before it is a request like any other`() async throws {
        let server = try await ServerProcess.start()
        let key = UpgradeRequest.randomKey()
        let client = try await used(server.port, key: key, more: 1)
        client.sendRaw(Array(requests[0].utf8) + UpgradeRequest.client(host: "martlet", key: key))
        try await client.waitPlainAnswer(requests.count + 1)
        let refused = await #expect(throws: UpgradeRefused.self) { try await client.waitUpgraded() }
        #expect(refused?.status == 404)
    }

    @Test func `A server that stops tells such sessions to go, and ends`() async throws {
        let server = try await ServerProcess.start(environment: ["MARTLET_GATEWAY_DRAIN": "1"])
        let rest = RestClient(port: server.port)
        let late = try await upgraded(server.port)
        _ = try await late.login(try await register(rest, "ada"))
        server.kill(SIGTERM)
        _ = try await late.nextPush("goaway")
        #expect(try await late.waitClosed() == 1001)
        #expect(await server.wait() == 0)
    }
}
