import MartletBus
import MartletCore
import Testing

@Suite struct LocalRateLimiterTests {
    private let limiter = LocalRateLimiter()
    private let key = RateKey.send(UserID(unchecked: 1))
    private let rule = RateRule(perSecond: 2, burst: 3)

    private func at(_ milliseconds: Int64) -> Instant { Instant(milliseconds: 1_700_000_000_000 + milliseconds) }

    @Test func `A burst goes through at once, and no more`() {
        for _ in 0..<3 { #expect(limiter.take(key, rule, now: at(0)) == nil) }
        #expect(limiter.take(key, rule, now: at(0)) != nil)
    }

    @Test func `The wait that is told is enough, and hardly more`() throws {
        for _ in 0..<3 { _ = limiter.take(key, rule, now: at(0)) }
        let wait = try #require(limiter.take(key, rule, now: at(0)))
        #expect(wait > .milliseconds(490) && wait < .milliseconds(510))
        #expect(limiter.take(key, rule, now: at(wait.milliseconds - 5)) != nil)
        #expect(limiter.take(key, rule, now: at(wait.milliseconds)) == nil)
    }

    @Test func `Being refused costs nothing`() {
        for _ in 0..<3 { _ = limiter.take(key, rule, now: at(0)) }
        for time in Int64(0)..<500 { _ = limiter.take(key, rule, now: at(time)) }
        #expect(limiter.take(key, rule, now: at(501)) == nil)
    }

    @Test func `Rest earns a burst again, but not two`() {
        for _ in 0..<3 { _ = limiter.take(key, rule, now: at(0)) }
        for _ in 0..<3 { #expect(limiter.take(key, rule, now: at(3_600_000)) == nil) }
        #expect(limiter.take(key, rule, now: at(3_600_000)) != nil)
    }

    @Test func `Every key has its own bucket`() {
        let keys: [RateKey] = [
            .send(UserID(unchecked: 1)), .send(UserID(unchecked: 2)), .request(UserID(unchecked: 1)), .address("a"),
            .signIn("a"), .account("a"), .address("b"),
        ]
        let one = RateRule(perSecond: 1, burst: 1)
        for key in keys { #expect(limiter.take(key, one, now: at(0)) == nil) }
        for key in keys { #expect(limiter.take(key, one, now: at(0)) != nil) }
    }

    @Test func `A clock that is set back earns nothing`() {
        for _ in 0..<3 { _ = limiter.take(key, rule, now: at(10_000)) }
        #expect(limiter.take(key, rule, now: at(0)) != nil)
        #expect(limiter.take(key, rule, now: at(10_000)) != nil)
    }

    @Test func `A bucket that is never refilled makes one wait long, not the server fall over`() throws {
        let never = RateRule(perSecond: 0, burst: 1)
        #expect(limiter.take(key, never, now: at(0)) == nil)
        let wait = try #require(limiter.take(key, never, now: at(0)))
        #expect(wait >= .seconds(60))
    }

    @Test func `A crowd of addresses is not forgotten while it is limited`() {
        let one = RateRule(perSecond: 0.001, burst: 1)
        for index in 0..<150_000 { #expect(limiter.take(.address("\(index)"), one, now: at(0)) == nil) }
        for index in stride(from: 0, to: 150_000, by: 1000) {
            #expect(limiter.take(.address("\(index)"), one, now: at(1)) != nil)
        }
    }

    @Test func `Where limits are off everything goes`() {
        let off = LocalRateLimiter(isOn: false)
        for _ in 0..<1000 { #expect(off.take(key, RateRule(perSecond: 1, burst: 1), now: at(0)) == nil) }
    }
}
