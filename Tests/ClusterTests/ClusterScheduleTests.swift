import EndToEndSupport
import Testing

struct ClusterScheduleTests {
    private func steps(_ count: Int, seed: UInt64) -> [ClusterSchedule.Step] {
        var schedule = ClusterSchedule(seed: seed, nodes: 3)
        return (0..<count).map { _ in schedule.next() }
    }

    @Test func `The same seed gives the same faults, another one others`() {
        #expect(steps(40, seed: 1) == steps(40, seed: 1))
        #expect(steps(40, seed: 1) != steps(40, seed: 2))
    }

    @Test func `In the first round each fault comes once, and the primary is lost only then`() {
        let kinds = ClusterFault.allCases
        let all = steps(kinds.count * 3, seed: 5).map(\.fault)
        #expect(Set(all.prefix(kinds.count)) == Set(kinds))
        #expect(all.count { $0 == .primaryLost } == 1)
    }

    @Test func `Only while a node is frozen there is something else, and sometimes`() {
        let all = steps(300, seed: 3)
        #expect(all.allSatisfy { $0.meanwhile == nil || $0.fault == .nodeFrozen })
        #expect(all.contains { $0.meanwhile != nil })
        #expect(all.contains { $0.fault == .nodeFrozen && $0.meanwhile == nil })
    }

    @Test func `Each node has its turn`() {
        #expect(Set(steps(200, seed: 9).map(\.node)) == [0, 1, 2])
    }
}
