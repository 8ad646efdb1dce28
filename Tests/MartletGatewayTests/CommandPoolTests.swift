import Synchronization
import Testing

@testable import MartletGateway

@Suite struct CommandPoolTests {
    private final class Tally: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    @Test func `All that was taken is done before the pool ends`() async {
        let pool = CommandPool(limit: 10_000)
        let done = Tally()
        var taken = 0
        for _ in 0..<2000 where pool.submit({ done.add() }) { taken += 1 }
        async let running: Void = pool.run()
        for _ in 0..<2000
        where pool.submit({
            await Task.yield()
            done.add()
        }) { taken += 1 }
        pool.finish()
        await running
        #expect(taken == 4000)
        #expect(done.value == 4000)
        #expect(pool.depth == 0)
    }

    @Test func `Past its limit, and behind its end, work is refused`() async {
        let pool = CommandPool(limit: 2)
        #expect([pool.submit {}, pool.submit {}, pool.submit {}] == [true, true, false])
        pool.finish()
        await pool.run()
        #expect(pool.depth == 0)
        #expect(!pool.submit {})
    }

    @Test func `Workers that wait take what comes`() async {
        let pool = CommandPool(limit: 10)
        async let running: Void = pool.run()
        for _ in 0..<100 {
            await withCheckedContinuation { continuation in
                if !pool.submit({ continuation.resume() }) { continuation.resume() }
            }
        }
        pool.finish()
        await running
    }
}
