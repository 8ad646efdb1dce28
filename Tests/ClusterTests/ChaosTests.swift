import EndToEndSupport
import Foundation
import MartletTestServices
import Testing

/// The contract, on three nodes whose parts fail one after the other while everybody sends.
@Suite(.serialized, .showsClusterLogs)
struct ChaosTests {
    /// `MARTLET_CHAOS_SECONDS` asks for a longer run, `MARTLET_TEST_SEED` for another one.
    @Test(.timeLimit(.minutes(60)))
    func `Nothing acknowledged is lost, doubled or out of order, and nobody misses anything`() async throws {
        let seed = SeededRandom.seed(20_260_401)
        let seconds = ProcessInfo.processInfo.environment["MARTLET_CHAOS_SECONDS"].flatMap { Int($0) } ?? 60
        print("chaos with MARTLET_TEST_SEED=\(seed)")
        let cluster = try await ClusterHarness.start(
            .init(hasStandby: true, hasFront: true, environment: ["MARTLET_GATEWAY_DRAIN": "1"], seed: seed))
        let report: ClusterFleet.Report
        do {
            report = try await ClusterFleet(cluster, .init(seed: seed, lasts: .seconds(seconds))).run()
        } catch {
            Issue.record("the run of seed \(seed) broke off: \(error)")
            return
        }
        print("chaos: \(report)\n\(report.recovery.table)")
        let breaches = report.breaches.prefix(20).map(\.description).joined(separator: "\n")
        #expect(report.breaches.isEmpty, "seed \(seed): \(breaches)")
        #expect(report.failures == [], "seed \(seed)")
        #expect(report.acknowledged == report.sent)
        #expect(Set(report.faults) == Set(ClusterFault.allCases))
        #expect(report.retried > 0)
        let spoiled = cluster.bus.counts
        #expect(spoiled.dropped > 0 && spoiled.doubled > 0 && spoiled.delayed > 0, "\(spoiled)")
        await cluster.stop()
        for node in cluster.nodes { #expect(node.status == 0) }
        let verified = try await cluster.verify()
        #expect(verified.status == 0, "\(verified.output)\(verified.error)")
    }
}
