import EndToEndSupport
import MartletTestServices
import MartletWire
import Testing

/// nginx passes TCP connections on as they are, and says whom they come from (`martlet-stream.conf`).
struct StreamTests {
    /// What a guest's sign-in over a new connection through nginx is answered, from an address of loopback.
    private func guest(_ port: Int, from source: String) async throws -> Int {
        let key = UpgradeRequest.randomKey()
        let client = try await WireClient.connectRaw(port: port, key: key, source: source)
        client.sendRaw(UpgradeRequest.client(host: "martlet", key: key))
        try await client.waitUpgraded()
        return try await client.request("login", #"{"guest":"visitor"}"#).code
    }

    @Test func `Sessions and requests come through, and count for their clients' addresses`() async throws {
        let server = try await ServerProcess.start(
            environment: [
                "MARTLET_GATEWAY_PROXY_PROTOCOL": "true", "MARTLET_API_TRUSTED_PROXIES": "127.0.0.3",
                "MARTLET_ACCOUNTS_GUESTS": "true", "MARTLET_ACCOUNTS_SIGN_IN_RATE": "0.01",
                "MARTLET_ACCOUNTS_SIGN_IN_BURST": "2",
            ], rateLimited: true)
        let nginx = try await NginxServer(
            site: ClusterHarness.shippedSite("martlet-stream.conf"), nodes: [server.port], source: "127.0.0.3")
        let rest = RestClient(port: nginx.port)
        #expect(try await rest.call("GET", "/api/route").status == 200)
        var codes: [Int] = []
        for source in ["127.0.0.7", "127.0.0.7", "127.0.0.7", "127.0.0.8"] {
            codes.append(try await guest(nginx.port, from: source))
        }
        #expect(codes == [200, 200, 429, 200])
        // Of this machine, and yet not to be believed: it came through the proxy.
        #expect(try await rest.call("GET", "/metrics").status == 403)
        nginx.stop()
        #expect(await server.stop() == 0)
    }

    /// What an older client's registration is answered, which takes from its address' share of sign-ins.
    private func register(_ name: String, _ port: Int, from source: String) async throws -> Int64? {
        let message = #"{"msgid":3,"name":"\#(name)","password":"x"}"#
        let answer = try await ClusterStream.ask(message, port: port, from: source)
        return try JSONValue(parsing: Array(answer.utf8))["errno"]?.integer
    }

    @Test func `Clients of clusterchat count for their own addresses, and nobody comes in a proxy's name`() async throws
    {
        let server = try await ServerProcess.start(
            environment: [
                "MARTLET_CLUSTERCHAT_PORT": "0", "MARTLET_CLUSTERCHAT_PROXY_PROTOCOL": "true",
                "MARTLET_API_TRUSTED_PROXIES": "127.0.0.3", "MARTLET_ACCOUNTS_SIGN_IN_RATE": "0.01",
                "MARTLET_ACCOUNTS_SIGN_IN_BURST": "2",
            ], rateLimited: true)
        let port = try await server.port(of: "clusterchat-seed")
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let nginx = try await NginxServer(
            site: ClusterStream.site(in: folder), nodes: [port], source: "127.0.0.3")
        var answers: [Int64?] = []
        for (number, source) in ["127.0.0.7", "127.0.0.7", "127.0.0.7", "127.0.0.8"].enumerated() {
            answers.append(try await register("visitor\(number)", nginx.port, from: source))
        }
        #expect(answers == [0, 0, 1, 0])
        // Past nginx: others need no header, and nginx's address does.
        #expect(try await register("neighbour", port, from: "127.0.0.9") == 0)
        await #expect(throws: ConnectionLost.self) { try await register("stranger", port, from: "127.0.0.3") }
        nginx.stop()
        #expect(await server.stop() == 0)
    }
}

/// nginx speaks HTTP for all, over connections to the node that it keeps (`martlet.conf`).
struct FrontTests {
    @Test func `Who asks for another protocol spoils no connection for others`() async throws {
        let server = try await ServerProcess.start(environment: ["MARTLET_API_TRUSTED_PROXIES": "127.0.0.1"])
        let nginx = try await NginxServer(site: ClusterHarness.shippedSite("martlet.conf"), nodes: [server.port])
        let request = "GET /healthz HTTP/1.1\r\nHost: martlet\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        // More than nginx keeps; each on its way at once, so that each has a connection of its own to the node.
        let strangers = try await (0..<80).asyncMap { _ in
            try await WireClient.connectRaw(port: nginx.port, plainAnswers: 1)
        }
        for stranger in strangers { stranger.sendRaw(Array(request.utf8)) }
        for stranger in strangers { try await stranger.waitPlainAnswer(1) }
        let rest = RestClient(port: nginx.port)
        for _ in 0..<100 { #expect(try await rest.call("GET", "/api/route").status == 200) }
        nginx.stop()
        #expect(await server.stop() == 0)
    }
}
