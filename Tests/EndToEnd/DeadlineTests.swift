import EndToEndSupport
import MartletWire
import Testing

/// Who is silent before the login.
@Suite(.server(environment: ["MARTLET_GATEWAY_SIGN_IN_TIMEOUT": "4"]))
struct DeadlineTests {
    @Test func `Nobody signs in`() async throws {
        let client = try await WireClient.connect(port: TestServer.current.port)
        #expect(try await client.waitClosed() == 4000)
    }

    @Test func `A handshake that does not go on`() async throws {
        let client = try await WireClient.connectRaw(port: TestServer.current.port)
        client.sendRaw(Array("GET /ws HT".utf8))
        #expect(try await client.waitClosed() == nil)
    }

    @Test func `A connection that says nothing`() async throws {
        let client = try await WireClient.connectRaw(port: TestServer.current.port)
        #expect(try await client.waitClosed() == nil)
    }
}

/// Who is silent behind it.
@Suite(.server(environment: ["MARTLET_GATEWAY_HEARTBEAT": "1"]))
struct HeartbeatTests {
    @Test func `Three heartbeats are missed`() async throws {
        let client = try await TestServer.connect(try await TestServer.user())
        let heartbeat = client.post("heartbeat", "{}")
        #expect(try await client.waitClosed() == 4001)
        #expect(try await client.answer(to: heartbeat).code == 200)
    }
}
