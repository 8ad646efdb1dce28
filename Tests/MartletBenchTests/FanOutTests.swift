import MartletCore
import Testing

@testable import MartletBench

/// What a message that goes to everybody is measured by.
@Suite struct DueTimesTests {
    @Test func `The oldest come first, without those that were refused`() {
        var times = DueTimes()
        for time in [10, 20, 30, 40] as [UInt64] { times.add(time) }
        #expect(times.take(0) == [])
        #expect(times.take(1) == [10])
        times.drop(2)
        times.drop(0)
        times.drop(99)
        #expect(times.take(3) == [20, 40])
        #expect(times.take(5) == [])
    }

    @Test func `Thousands of messages keep their places`() {
        var times = DueTimes()
        for counter in 0..<5000 {
            times.add(UInt64(counter) + 1)
            times.add(UInt64(counter) + 100_001)
            if counter == 4000 { times.drop(8001) }
            #expect(times.take(2).count == (counter == 4000 ? 1 : 2))
        }
    }
}

@Suite struct SlowestDeliveriesTests {
    private func delivery(_ milliseconds: UInt64, took: UInt64) -> SlowestDeliveries.Delivery {
        .init(due: milliseconds * 1_000_000, nanoseconds: took, sender: 1, receiver: 2)
    }

    @Test func `Of each tenth of a second the slowest is kept`() {
        var slowest = SlowestDeliveries()
        for (time, took) in [(10, 5), (20, 7), (30, 6), (110, 1), (250, 9)] as [(UInt64, UInt64)] {
            slowest.note(delivery(time, took: took))
        }
        var other = SlowestDeliveries()
        other.note(delivery(190, took: 8))
        other.note(delivery(40, took: 2))
        slowest.add(other)
        #expect(slowest.slowest == [delivery(250, took: 9), delivery(190, took: 8), delivery(20, took: 7)])
    }

    @Test func `Ten are named`() {
        var slowest = SlowestDeliveries()
        for time in 0..<30 { slowest.note(delivery(UInt64(time) * 100, took: UInt64(time))) }
        #expect(slowest.slowest.map(\.nanoseconds) == (20..<30).reversed().map { UInt64($0) })
    }
}

@Suite struct LoadPlanTests {
    private func plan(
        _ profile: BenchProfile, connections: Int, _ change: (inout BenchOptions) -> Void = { _ in }
    ) throws -> LoadPlan {
        var options = BenchOptions(
            profile, try BenchAddress("ws://127.0.0.1/ws"),
            (0..<connections).map { BenchToken(user: Int64($0) + 1, token: "t") })
        options.connections = connections
        change(&options)
        try options.check()
        return LoadPlan(options, run: 1, timeOfDay: Instant(milliseconds: 1_700_000_000_000))
    }

    @Test(arguments: BenchProfile.allCases)
    func `Who hears whom is the same from all sides`(_ profile: BenchProfile) throws {
        let plan = try plan(profile, connections: 12) { options in
            options.loops = 3
            if profile == .pairs { options.active = 8 }
            if profile.isFanOut { options.senders = 2 }
            if profile == .slow { options.slow = 3 }
        }
        let senders = (0..<12).filter { plan.senders > 0 && plan.isSender($0) }
        #expect(senders.count == plan.senders)
        for session in 0..<12 {
            let heard = plan.heard(by: session)
            #expect(Set(heard.map(\.sender)).isSubset(of: senders))
            for sender in 0..<12 {
                #expect(plan.place(of: sender, heardBy: session) == heard.first { $0.sender == sender }?.place)
            }
        }
        for sender in senders {
            let receivers = (0..<12).count { plan.place(of: sender, heardBy: $0) != nil }
            #expect(receivers == plan.receiversPerMessage)
            guard profile.isFanOut else { continue }
            let waitedFor = (0..<3).reduce(0) { $0 + plan.receivers(of: sender, on: $1) }
            #expect(waitedFor == receivers - plan.options.slow)
        }
    }
}
