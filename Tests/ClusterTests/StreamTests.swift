import EndToEndSupport
import MartletTestServices
import MartletWire
import Testing

/// nginx passes TCP connections on as they are, and says whom they come from (`martlet-stream.conf`).
struct StreamTests {
    /// A connection through nginx that became a WebSocket, from an address of loopback; nil where it was refused.
    private func upgraded(_ port: Int, from source: String) async throws -> WireClient? {
        let key = UpgradeRequest.randomKey()
        let client = try await WireClient.connectRaw(port: port, key: key, source: source)
        client.sendRaw(UpgradeRequest.client(host: "martlet", key: key))
        do {
            try await client.waitUpgraded()
            return client
        } catch is UpgradeRefused {
            return nil
        }
    }

    @Test func `Sessions and requests come through, and count for their clients' addresses`() async throws {
        let server = try await ServerProcess.start(
            environment: [
                "MARTLET_GATEWAY_PROXY_PROTOCOL": "true", "MARTLET_API_TRUSTED_PROXIES": "127.0.0.3",
                "MARTLET_GATEWAY_CONNECTIONS_PER_ADDRESS": "2", "MARTLET_ACCOUNTS_GUESTS": "true",
            ], rateLimited: true)
        let nginx = try await NginxServer(
            site: ClusterHarness.shippedSite("martlet-stream.conf"), nodes: [server.port], source: "127.0.0.3")
        let rest = RestClient(port: nginx.port)
        #expect(try await rest.call("GET", "/api/route").status == 200)
        let first = try #require(try await upgraded(nginx.port, from: "127.0.0.7"))
        _ = try await first.succeed("login", #"{"guest":"visitor"}"#)
        #expect(try await upgraded(nginx.port, from: "127.0.0.8") != nil)
        let second = try #require(try await upgraded(nginx.port, from: "127.0.0.7"))
        #expect(try await upgraded(nginx.port, from: "127.0.0.7") == nil, "nginx says who it is")
        try await first.settle()
        second.close()
        // Of this machine, and yet not to be believed: it came through the proxy.
        #expect(try await rest.call("GET", "/metrics").status == 403)
        nginx.stop()
        #expect(await server.stop() == 0)
    }
}
