import EndToEndSupport
import Testing

struct RecoveryTimesTests {
    private let start = ContinuousClock.now

    @Test func `A send counts that began after the fault, on each node once`() {
        var times = RecoveryTimes()
        times.acknowledged(on: 0, begun: start, at: start + .seconds(1))
        times.struck("a fault", at: start + .seconds(2), watched: [0, 1])
        times.acknowledged(on: 0, begun: start + .seconds(1), at: start + .seconds(3))
        times.acknowledged(on: 0, begun: start + .seconds(3), at: start + .seconds(4))
        times.acknowledged(on: 0, begun: start + .seconds(4), at: start + .seconds(5))
        times.acknowledged(on: 2, begun: start + .seconds(4), at: start + .seconds(5))
        times.acknowledged(on: 1, begun: start + .seconds(4), at: start + .seconds(6))
        #expect(times.samples["a fault"]?.sent == [.seconds(2), .seconds(4)])
        #expect(times.samples["a fault"]?.heard == [])
    }

    @Test func `A node is missing until it has both acknowledged and heard`() {
        var times = RecoveryTimes()
        times.struck("a fault", at: start, watched: [0, 1])
        for node in [0, 1] { times.acknowledged(on: node, begun: start, at: start + .seconds(1)) }
        times.heard(on: 1, begun: start, at: start + .seconds(2))
        #expect(times.missing == [0])
        times.heard(on: 0, begun: start - .seconds(1), at: start + .seconds(2))
        #expect(times.missing == [0])
        times.heard(on: 0, begun: start, at: start + .seconds(3))
        #expect(times.missing == [])
        #expect(times.samples["a fault"]?.heard == [.seconds(2), .seconds(3)])
    }

    @Test func `The table has half and most of each kind`() {
        var times = RecoveryTimes()
        for delay in [1, 3, 2] {
            times.struck("a fault", at: start, watched: [0])
            times.acknowledged(on: 0, begun: start, at: start + .seconds(delay))
            times.heard(on: 0, begun: start, at: start + .seconds(2 * delay))
        }
        let row = times.table.split(separator: "\n").last?.split(separator: " ").map(String.init)
        #expect(row == ["a", "fault", "3", "2000", "3000", "4000", "6000"])
    }
}
