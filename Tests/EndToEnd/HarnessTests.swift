import EndToEndSupport
import Testing

@Suite(.server())
struct HarnessTests {
    @Test func `A server process answers and tells two sessions apart`() async throws {
        let user = try await TestServer.user()
        let client = try await TestServer.connect(user)
        #expect(try await client.request("heartbeat", "{}").code == 200)
        client.close()
        #expect(try await client.waitClosed() == 1000)
    }
}
