import MartletBus
import MartletCore
import Testing

/// What only buckets in this process have to bear; the rest is with the rules of the port.
@Suite struct LocalRateLimiterTests {
    private let limiter = LocalRateLimiter()

    private func at(_ milliseconds: Int64) -> Instant { Instant(milliseconds: 1_700_000_000_000 + milliseconds) }

    @Test func `A crowd of addresses is not forgotten while it is limited`() {
        let one = RateRule(perSecond: 0.001, burst: 1)
        for index in 0..<150_000 { #expect(limiter.take(.address("\(index)"), one, now: at(0)) == nil) }
        for index in stride(from: 0, to: 150_000, by: 1000) {
            #expect(limiter.take(.address("\(index)"), one, now: at(1)) != nil)
        }
    }
}
