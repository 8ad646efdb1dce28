import EndToEndSupport
import Testing

/// After the suite's last test its server must be ready, have said nothing of failures of its own, stop when it is told to, and leave
/// a store without a fault. To be named behind `.server()`.
struct HealthTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await function()
        let server = TestServer.current
        #expect(server.status == nil, "the server ended: \(server.log.suffix(2000))")
        guard server.status == nil else { return }
        let ready = try await TestServer.rest.call("GET", "/readyz")
        #expect(ready.status == 200, "\(ready.text)")
        for line in server.log.split(separator: "\n") {
            let isBad = ["request failed", "command failed", "internal", "Fatal", " error ", "critical"].contains {
                line.contains($0)
            }
            #expect(!isBad, "\(line)")
        }
        #expect(await server.stop() == 0)
        let verified = try await ServerProcess.run(["verify", "--data", server.data])
        #expect(verified.status == 0, "\(verified.output)\(verified.error)")
    }
}

extension Trait where Self == HealthTrait {
    static var staysHealthy: HealthTrait { HealthTrait() }
}
