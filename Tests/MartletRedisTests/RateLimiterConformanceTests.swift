import MartletBus
import MartletCore
import MartletRedis
import MartletTestServices
import Testing

/// What holds for buckets whatever they are made of.
@Suite(.serialized, .timeLimit(.minutes(2))) struct RateLimiterConformanceTests {
    /// A bucket of an adapter's: of the node alone (`take`), or of all nodes together (`takeShared`).
    enum Bucket: String, CaseIterable {
        case local, localShared, redis, redisShared

        /// Shared buckets in Redis go by its clock, all others by that of whoever asks.
        static let byOwnClock: [Bucket] = [.local, .localShared, .redis]
    }

    private typealias Take = @Sendable (RateKey, RateRule, Instant) async -> Duration?

    private let key = RateKey.account("a")
    /// So slow that no time of a test's earns anything.
    private let slow = RateRule(perSecond: 0.01, burst: 3)

    private func at(_ milliseconds: Int64) -> Instant { Instant(milliseconds: 1_700_000_000_000 + milliseconds) }

    private func with(_ bucket: Bucket, isOn: Bool = true, _ test: (@escaping Take) async throws -> Void) async throws {
        switch bucket {
        case .local, .localShared:
            let limiter = LocalRateLimiter(isOn: isOn)
            try await test(Self.take(limiter, isShared: bucket == .localShared))
        case .redis:
            // It asks nobody.
            let node = try RedisNode(["redis://127.0.0.1:1"])
            try await test(Self.take(RedisRateLimiter(node.servers, isOn: isOn), isShared: false))
        case .redisShared:
            let server = try await RedisServer()
            let node = try RedisNode([server.url])
            #expect(await node.start())
            try await test(Self.take(RedisRateLimiter(node.servers, isOn: isOn), isShared: true))
            #expect(node.metric("martlet_limits_alone_total") == 0)
            await node.servers.shutdown()
        }
    }

    private static func take(_ limiter: any RateLimiter, isShared: Bool) -> Take {
        { key, rule, now in
            if isShared { return await limiter.takeShared(key, rule, now: now) }
            return limiter.take(key, rule, now: now)
        }
    }

    @Test(arguments: Bucket.allCases) func `A burst goes through at once, and no more`(bucket: Bucket) async throws {
        try await with(bucket) { take in
            for _ in 0..<3 { #expect(await take(key, slow, at(0)) == nil) }
            #expect(await take(key, slow, at(0)) != nil)
        }
    }

    @Test(arguments: Bucket.allCases) func `Of those who ask at once as many go through as the burst allows`(
        bucket: Bucket
    ) async throws {
        try await with(bucket) { take in
            let (key, slow, now) = (key, slow, at(0))
            let passed = await withTaskGroup { tasks in
                for _ in 0..<40 { tasks.addTask { await take(key, slow, now) == nil } }
                return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(passed == 3)
        }
    }

    @Test(arguments: Bucket.allCases) func `The wait that is told is that of the rule, however often one asks`(
        bucket: Bucket
    ) async throws {
        try await with(bucket) { take in
            for _ in 0..<3 { _ = await take(key, slow, at(0)) }
            for _ in 0..<50 {
                let wait = try #require(await take(key, slow, at(0)))
                #expect(wait > .seconds(60) && wait <= .milliseconds(100_001))
            }
        }
    }

    @Test(arguments: Bucket.allCases) func `Every key has its own bucket`(bucket: Bucket) async throws {
        let long = String(repeating: "long", count: 100)
        let keys: [RateKey] = [
            .send(UserID(unchecked: 1)), .send(UserID(unchecked: 2)), .request(UserID(unchecked: 1)), .address("a"),
            .signIn("a"), .account("a"), .address("b"), .account(long), .account(long + "er"), .address(long),
            .account("a b\r\n"), .account(""),
        ]
        let one = RateRule(perSecond: 0.01, burst: 1)
        try await with(bucket) { take in
            for key in keys { #expect(await take(key, one, at(0)) == nil) }
            for key in keys { #expect(await take(key, one, at(0)) != nil) }
        }
    }

    @Test(arguments: Bucket.allCases) func `A clock that is set back earns nothing`(bucket: Bucket) async throws {
        try await with(bucket) { take in
            for _ in 0..<3 { _ = await take(key, slow, at(3_600_000)) }
            #expect(await take(key, slow, at(0)) != nil)
            #expect(await take(key, slow, at(3_600_000)) != nil)
        }
    }

    @Test(arguments: Bucket.allCases)
    func `A bucket that is never refilled makes one wait long, and nothing falls over`(
        bucket: Bucket
    ) async throws {
        try await with(bucket) { take in
            let never = RateRule(perSecond: 0, burst: 1)
            #expect(await take(key, never, at(0)) == nil)
            let wait = try #require(await take(key, never, at(0)))
            #expect(wait == .seconds(3600))
        }
    }

    @Test(arguments: Bucket.allCases) func `Where limits are off everything goes`(bucket: Bucket) async throws {
        try await with(bucket, isOn: false) { take in
            for _ in 0..<100 { #expect(await take(key, RateRule(perSecond: 0, burst: 1), at(0)) == nil) }
        }
    }

    // What needs time to pass is tried where time is the test's.

    private let quick = RateRule(perSecond: 2, burst: 3)

    @Test(arguments: Bucket.byOwnClock) func `The wait that is told is enough, and hardly more`(
        bucket: Bucket
    ) async throws {
        try await with(bucket) { take in
            for _ in 0..<3 { _ = await take(key, quick, at(0)) }
            let wait = try #require(await take(key, quick, at(0)))
            #expect(wait > .milliseconds(490) && wait < .milliseconds(510))
            #expect(await take(key, quick, at(wait.milliseconds - 5)) != nil)
            #expect(await take(key, quick, at(wait.milliseconds)) == nil)
        }
    }

    @Test(arguments: Bucket.byOwnClock) func `Being refused costs nothing`(bucket: Bucket) async throws {
        try await with(bucket) { take in
            for _ in 0..<3 { _ = await take(key, quick, at(0)) }
            for time in Int64(0)..<500 { _ = await take(key, quick, at(time)) }
            #expect(await take(key, quick, at(501)) == nil)
        }
    }

    @Test(arguments: Bucket.byOwnClock) func `Rest earns a burst again, but not two`(bucket: Bucket) async throws {
        try await with(bucket) { take in
            for _ in 0..<3 { _ = await take(key, quick, at(0)) }
            for _ in 0..<3 { #expect(await take(key, quick, at(3_600_000)) == nil) }
            #expect(await take(key, quick, at(3_600_000)) != nil)
        }
    }
}
