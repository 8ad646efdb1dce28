import EndToEndSupport
import Foundation
import MartletWire
import Testing

/// What a proxy writes before anything else.
private enum ProxyHeader: String, CaseIterable, Sendable {
    case line, block

    func bytes(_ client: String) -> [UInt8] {
        switch self {
        case .line: return Array("PROXY TCP4 \(client) 127.0.0.1 4711 80\r\n".utf8)
        case .block:
            let address = client.split(separator: ".").compactMap { UInt8($0) }
            return Self.signature + [0x21, 0x11, 0, 12] + address + [127, 0, 0, 1, 0x12, 0x34, 0, 80]
        }
    }

    static let signature = Array("\r\n\r\n\0\r\nQUIT\n".utf8)
}

private let limits = [
    "MARTLET_GATEWAY_CONNECTIONS_PER_ADDRESS": "3", "MARTLET_API_ADDRESS_REQUESTS": "0.01",
    "MARTLET_ACCOUNTS_GUESTS": "true", "MARTLET_ACCOUNTS_SIGN_IN_RATE": "0.01", "MARTLET_ACCOUNTS_SIGN_IN_BURST": "2",
]

/// Behind a proxy that passes connections on as they are: whom they come from stands before their first byte. The tests are the proxy at
/// 127.0.0.2, and strangers at 127.0.0.1.
@Suite(
    .server(
        environment: limits.merging([
            "MARTLET_API_TRUSTED_PROXIES": "127.0.0.2", "MARTLET_GATEWAY_PROXY_PROTOCOL": "true",
        ]) { $1 }, rateLimited: true))
struct ProxyHeaderTests {
    private static let proxy = "127.0.0.2"

    private func connect(_ first: [UInt8], from source: String = proxy) async throws -> WireClient {
        let port = TestServer.current.port
        let key = UpgradeRequest.randomKey()
        let client = try await WireClient.connectRaw(port: port, key: key, source: source)
        client.sendRaw(first + UpgradeRequest.client(host: "127.0.0.1:\(port)", path: "/ws", key: key, headers: []))
        return client
    }

    private func upgraded(_ first: [UInt8], from source: String = proxy) async throws -> WireClient? {
        let client = try await connect(first, from: source)
        do {
            try await client.waitUpgraded()
            return client
        } catch is UpgradeRefused {
            return nil
        }
    }

    /// The status of the answer to a request over HTTP; 0 where there is none.
    private func status(_ first: [UInt8], _ target: String, from source: String = proxy) async throws -> Int {
        let client = try await WireClient.connectRaw(port: TestServer.current.port, key: "", source: source)
        client.sendRaw(first + Array("GET \(target) HTTP/1.1\r\nHost: martlet\r\nConnection: close\r\n\r\n".utf8))
        do {
            try await client.waitUpgraded()
            return 101
        } catch let refused as UpgradeRefused {
            return refused.status
        }
    }

    @Test(arguments: ProxyHeader.allCases)
    private func `Connections count for the address that the header names`(_ header: ProxyHeader) async throws {
        let (many, other) = header == .line ? ("203.0.113.1", "203.0.113.2") : ("203.0.113.3", "203.0.113.4")
        var clients: [WireClient] = []
        for _ in 0..<3 { clients.append(try #require(try await upgraded(header.bytes(many)))) }
        #expect(try await upgraded(header.bytes(many)) == nil)
        #expect(try await upgraded(header.bytes(other)) != nil)
        // One that ends makes room for another, once the server has noticed.
        await clients.removeFirst().drop()
        let deadline = ContinuousClock.now + patience
        var next: WireClient?
        while next == nil, ContinuousClock.now < deadline { next = try await upgraded(header.bytes(many)) }
        #expect(next != nil)
    }

    @Test(arguments: ProxyHeader.allCases)
    private func `Guests share the sign-ins of the address that the header names`(_ header: ProxyHeader) async throws {
        func guest(_ address: String) async throws -> Int {
            let client = try #require(try await upgraded(header.bytes(address)))
            return try await client.request("login", #"{"guest":"visitor"}"#).code
        }
        let (many, other) = header == .line ? ("203.0.113.11", "203.0.113.12") : ("203.0.113.13", "203.0.113.14")
        #expect([try await guest(many), try await guest(many), try await guest(many)] == [200, 200, 429])
        #expect(try await guest(other) == 200)
    }

    @Test(arguments: ProxyHeader.allCases)
    private func `Requests count for the address that the header names`(_ header: ProxyHeader) async throws {
        let (many, other) = header == .line ? ("203.0.113.21", "203.0.113.22") : ("203.0.113.23", "203.0.113.24")
        var statuses: [Int] = []
        for address in [many, many, other] {
            statuses.append(try await status(header.bytes(address), "/api/route"))
        }
        #expect(statuses == [200, 429, 200])
    }

    @Test func `A header may come byte by byte`() async throws {
        let client = try await WireClient.connectRaw(port: TestServer.current.port, key: "", source: Self.proxy)
        let request = "GET /healthz HTTP/1.1\r\nHost: martlet\r\n\r\n"
        for byte in ProxyHeader.block.bytes("203.0.113.31") + Array(request.utf8) { client.sendRaw([byte]) }
        let refused = await #expect(throws: UpgradeRefused.self) { try await client.waitUpgraded() }
        #expect(refused?.status == 200)
    }

    @Test func `A balancer's own connection is its own`() async throws {
        let local = ProxyHeader.signature + [0x20, 0, 0, 0]
        #expect(try await status(local, "/readyz") == 200)
        #expect(try await status(Array("PROXY UNKNOWN\r\n".utf8), "/readyz") == 200)
    }

    @Test func `Whom a proxy speaks for is not this machine`() async throws {
        #expect(try await status(ProxyHeader.line.bytes("127.0.0.1"), "/metrics") == 403)
        #expect(try await status([], "/metrics", from: "127.0.0.1") == 200)
    }

    @Test func `A connection without the header that it needs, or with one that it must not have, is closed`()
        async throws
    {
        #expect(try await status([], "/healthz") == 0, "a proxy must begin with a header")
        #expect(try await status(Array("PROXY TCP4 me you 1 2\r\n".utf8), "/healthz") == 0)
        for header in ProxyHeader.allCases {
            #expect(try await status(header.bytes("203.0.113.41"), "/healthz", from: "127.0.0.1") == 0, "a stranger")
        }
        #expect(try await upgraded([], from: "127.0.0.1") != nil, "a stranger without a header")
        let metrics = try await TestServer.rest.call("GET", "/metrics").text
        for (reason, count) in [("missing", 1), ("malformed", 1), ("unexpected", 2)] {
            #expect(metrics.contains("martlet_proxy_refusals_total{reason=\"\(reason)\"} \(count)"), "\(reason)")
        }
    }
}

/// Behind a proxy that speaks HTTP.
@Suite(.server(environment: limits.merging(["MARTLET_API_TRUSTED_PROXIES": "127.0.0.0/8"]) { $1 }, rateLimited: true))
struct ForwardedForTests {
    private func connect(_ hops: String) async throws -> WireClient {
        try await WireClient.connect(port: TestServer.current.port, headers: [(name: "X-Forwarded-For", value: hops)])
    }

    @Test func `Connections count for the address that the proxy names`() async throws {
        var clients: [WireClient] = []
        for _ in 0..<3 { clients.append(try await connect("203.0.113.1")) }
        for hops in ["203.0.113.1", "198.51.100.1, 203.0.113.1", "203.0.113.1, 127.0.0.9"] {
            let refused = await #expect(throws: UpgradeRefused.self) { _ = try await connect(hops) }
            #expect(refused?.status == 429, "\(hops)")
        }
        clients.append(try await connect("203.0.113.2"))
        #expect(clients.allSatisfy { !$0.isClosed })
    }

    @Test func `Guests share the sign-ins of the address that the proxy names`() async throws {
        func guest(_ address: String) async throws -> Int {
            try await connect(address).request("login", #"{"guest":"visitor"}"#).code
        }
        let codes = [try await guest("203.0.113.11"), try await guest("203.0.113.11"), try await guest("203.0.113.11")]
        #expect(codes == [200, 200, 429])
        #expect(try await guest("203.0.113.12") == 200)
    }
}

/// A node that leaves behind a balancer.
@Suite struct DrainTests {
    private static let environment = ["MARTLET_GATEWAY_DRAIN_NOTICE": "5", "MARTLET_GATEWAY_DRAIN": "50"]

    @Test func `It says that it leaves, goes on serving for a while, and is gone once its sessions are`() async throws {
        let server = try await ServerProcess.start(environment: Self.environment)
        let rest = RestClient(port: server.port)
        let user = try await register(rest, "leaver")
        var clients: [WireClient] = []
        for _ in 0..<8 { clients.append(try await WireClient.signedIn(port: server.port, user)) }

        server.kill(SIGTERM)
        var ready = try await rest.call("GET", "/readyz", headers: [("Connection", "keep-alive")])
        while ready.status == 200 {
            ready = try await rest.call("GET", "/readyz", headers: [("Connection", "keep-alive")])
        }
        #expect(ready.status == 503)
        #expect(ready.reason == "shutting_down")
        #expect(ready.header("Connection") == "close")
        // Those whom a balancer sends meanwhile are served, and told with the others.
        #expect(clients.allSatisfy { $0.pushes("goaway").isEmpty })
        clients.append(try await WireClient.signedIn(port: server.port, user))

        var delays: [Int64] = []
        for client in clients {
            delays.append(try #require(try await client.nextPush("goaway")["data"]?["delayMs"]?.integer))
        }
        #expect(delays.allSatisfy { (0...50_000).contains($0) })
        #expect(Set(delays).count > 1)
        #expect(clients.allSatisfy { $0.pushes("goaway").count == 1 })
        await #expect(throws: (any Error).self, "the port is closed now") { try await rest.call("GET", "/healthz") }

        let left = ContinuousClock.now
        for client in clients { client.close() }
        #expect(await server.wait() == 0)
        #expect(left.duration(to: .now) < .seconds(30), "nobody is left to wait for")
    }

    @Test func `Who signs in while it leaves is told to go at once`() async throws {
        let server = try await ServerProcess.start(environment: ["MARTLET_GATEWAY_DRAIN": "50"])
        let user = try await register(RestClient(port: server.port), "latecomer")
        let (early, late) = (
            try await WireClient.signedIn(port: server.port, user), try await WireClient.connect(port: server.port)
        )
        server.kill(SIGTERM)
        _ = try await early.nextPush("goaway")
        try await late.login(user)
        let delay = try await late.nextPush("goaway")["data"]?["delayMs"]?.integer
        #expect((0...50_000).contains(try #require(delay)))
        early.close()
        late.close()
        #expect(await server.wait() == 0)
    }
}
