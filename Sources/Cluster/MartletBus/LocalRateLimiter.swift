import MartletCore
import Synchronization

/// Token buckets in this process. Buckets that are full again are forgotten, so that memory follows the traffic of the
/// last minutes.
package final class LocalRateLimiter: RateLimiter {
    private struct Bucket {
        var tokens: Double
        var updated: Instant
        let rule: RateRule

        mutating func refill(_ now: Instant) {
            let elapsed = max(0, Double(now.milliseconds - updated.milliseconds) / 1000)
            tokens = min(rule.burst, tokens + elapsed * rule.perSecond)
            // A clock that was set back must not earn the same time twice.
            updated = max(updated, now)
        }

        /// How long until there is one token again.
        var wait: Duration {
            let seconds = (1 - tokens) / rule.perSecond
            return seconds < 3600 ? .milliseconds(Int64(seconds * 1000) + 1) : .seconds(3600)
        }
    }

    private struct Buckets {
        var byKey: [RateKey: Bucket] = [:]
        var sweepAt = LocalRateLimiter.sweepAt
    }

    private final class Shard: Sendable {
        let buckets = Mutex(Buckets())
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
            if buckets.byKey.count >= buckets.sweepAt { Self.sweep(&buckets, now) }
            var bucket = buckets.byKey[key] ?? Bucket(tokens: rule.burst, updated: now, rule: rule)
            bucket.refill(now)
            defer { buckets.byKey[key] = bucket }
            guard bucket.tokens < 1 else {
                bucket.tokens -= 1
                return nil
            }
            return bucket.wait
        }
    }

    package func takeShared(_ key: RateKey, _ rule: RateRule, now: Instant) async -> Duration? {
        take(key, rule, now: now)
    }

    /// Under a flood most buckets are in use: the next sweep waits until there are twice as many, so that a call costs
    /// little on average.
    private static func sweep(_ buckets: inout Buckets, _ now: Instant) {
        defer { buckets.sweepAt = max(Self.sweepAt, buckets.byKey.count * 2) }
        buckets.byKey = buckets.byKey.filter { _, bucket in
            var bucket = bucket
            bucket.refill(now)
            return bucket.tokens < bucket.rule.burst
        }
    }
}
