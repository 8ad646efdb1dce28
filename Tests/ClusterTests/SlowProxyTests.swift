import MartletSQL
import MartletTestServices
import Testing

/// The proxy in front of the database does what faults need of it.
@Suite(.serialized)
struct SlowProxyTests {
    private func ask(_ proxy: SlowProxy, _ server: PostgresServer) -> Bool {
        let text = server.urlText().replacing(":\(server.port)/", with: ":\(proxy.port)/")
        guard let url = try? PostgresURL(text),
            let connection = try? PostgresConnection(url, statementTimeout: .seconds(10), name: "test")
        else { return false }
        defer { connection.close() }
        return (try? connection.execute(PostgresStatement(text: "SELECT 1 AS one", isKept: false))) != nil
    }

    @Test func `It passes on, later if told to, and nothing while it is away`() async throws {
        let server = try await PostgresServer.shared
        let proxy = try await SlowProxy.start(to: server.port)
        #expect(ask(proxy, server))
        proxy.delay(by: .milliseconds(100))
        let begin = ContinuousClock.now
        #expect(ask(proxy, server))
        // At least the question and its answer.
        #expect(ContinuousClock.now - begin > .milliseconds(200))
        proxy.delay(by: .zero)
        proxy.goAway()
        #expect(!ask(proxy, server))
        proxy.comeBack()
        #expect(ask(proxy, server))
    }
}
