import MartletCore
import Synchronization

/// Token buckets in this process. Buckets that are full again are forgotten, so that memory follows the traffic of the last minutes.
package final class LocalRateLimiter: RateLimiter {
    private struct Bucket {
        var tokens: Double
        var updated: Instant
        let rule: RateRule

        mutating func refill(_ now: Instant) {
            let elapsed = max(0, Double(now.milliseconds - updated.milliseconds) / 1000)
            tokens = min(rule.burst, tokens + elapsed * rule.perSecond)
            updated = now
        }
    }

    private final class Shard: Sendable {
        let buckets = Mutex<[RateKey: Bucket]>([:])
    }

    /// Buckets in one shard before the full ones are swept out.
    private static let sweepAt = 4096

    private let shards: [Shard]
    private let isOn: Bool

    /// With `isOn` false everything is allowed: for load tests.
    package init(isOn: Bool = true) {
        self.isOn = isOn
        shards = (0..<16).map { _ in Shard() }
    }

    package func take(_ key: RateKey, _ rule: RateRule, now: Instant) -> Duration? {
        guard isOn else { return nil }
        let shard = shards[Int(UInt(bitPattern: key.hashValue) % UInt(shards.count))]
        return shard.buckets.withLock { buckets in
            if buckets.count >= Self.sweepAt { Self.sweep(&buckets, now) }
            var bucket = buckets[key] ?? Bucket(tokens: rule.burst, updated: now, rule: rule)
            bucket.refill(now)
            defer { buckets[key] = bucket }
            guard bucket.tokens < 1 else {
                bucket.tokens -= 1
                return nil
            }
            return .milliseconds(Int64((1 - bucket.tokens) / rule.perSecond * 1000) + 1)
        }
    }

    private static func sweep(_ buckets: inout [RateKey: Bucket], _ now: Instant) {
        buckets = buckets.filter { _, bucket in
            var bucket = bucket
            bucket.refill(now)
            return bucket.tokens < bucket.rule.burst
        }
    }
}
