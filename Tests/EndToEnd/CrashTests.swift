import EndToEndSupport
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The contract, under a server that is stopped again and again while everybody sends.
@Suite(.serialized)
struct CrashTests {
    @Test(.timeLimit(.minutes(5)))
    func `Nothing is lost, doubled or out of order when the server is killed`() async throws {
        let report = try await run(
            .init(seed: SeededRandom.seed(20_260_101), stops: 24, signal: SIGKILL, acknowledgements: 30...200), "killed"
        )
        #expect(report.statuses.count == 24)
        #expect(report.statuses.allSatisfy { $0 == 128 + SIGKILL })
        #expect(report.retried > 0 && report.repeats > 0)
    }

    @Test(.timeLimit(.minutes(5)))
    func `Nothing is lost when the server is asked to leave, and everybody is told`() async throws {
        let report = try await run(
            .init(seed: SeededRandom.seed(7), stops: 3, signal: SIGTERM, acknowledgements: 30...200), "asked to leave",
            environment: ["MARTLET_GATEWAY_DRAIN": "1"])
        #expect(report.statuses == [0, 0, 0])
        #expect(!report.closures.isEmpty)
        #expect(report.closures.allSatisfy { $0.code == 1001 && $0.hadGoAway })
    }

    private func run(
        _ plan: Fleet.Plan, _ how: String, environment: [String: String] = [:]
    ) async throws -> Fleet.Report {
        let server = try await ServerProcess.start(environment: environment)
        let report = try await Fleet(server, plan).run()
        print("server \(how): \(report)")
        let breaches = report.breaches.prefix(20).map(\.description).joined(separator: "\n")
        #expect(report.breaches.isEmpty, "\(breaches)")
        #expect(report.failures == [])
        #expect(report.acknowledged == report.sent)
        await server.stop()
        let verified = try await ServerProcess.run(["verify", "--data", server.data, "--json"])
        #expect(verified.status == 0, "\(verified.output)\(verified.error)")
        return report
    }
}
