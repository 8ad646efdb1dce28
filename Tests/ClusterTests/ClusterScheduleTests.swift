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

    @Test func `Each node has its turn`() {
        #expect(Set(steps(200, seed: 9).map(\.node)) == [0, 1, 2])
    }
}

struct RecoveryTimesTests {
    private let start = ContinuousClock.now

    @Test func `A send counts that began after the fault, on each node once`() {
        var times = RecoveryTimes()
        times.acknowledged(on: 0, begun: start, at: start + .seconds(1))
        times.struck("a fault", at: start + .seconds(2), watched: [0, 1])
        times.acknowledged(on: 0, begun: start + .seconds(1), at: start + .seconds(3))
        #expect(times.missing == [0, 1])
        times.acknowledged(on: 0, begun: start + .seconds(3), at: start + .seconds(4))
        times.acknowledged(on: 0, begun: start + .seconds(4), at: start + .seconds(5))
        times.acknowledged(on: 2, begun: start + .seconds(4), at: start + .seconds(5))
        #expect(times.missing == [1])
        times.acknowledged(on: 1, begun: start + .seconds(4), at: start + .seconds(6))
        #expect(times.missing == [])
        #expect(times.samples == ["a fault": [.seconds(2), .seconds(4)]])
    }

    @Test func `The table has half and most of each kind`() {
        var times = RecoveryTimes()
        for delay in [1, 3, 2] {
            times.struck("a fault", at: start, watched: [0])
            times.acknowledged(on: 0, begun: start, at: start + .seconds(delay))
        }
        let row = times.table.split(separator: "\n").last?.split(separator: " ").map(String.init)
        #expect(row == ["a", "fault", "3", "2000", "3000"])
    }
}
