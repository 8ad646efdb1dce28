import MartletCore

/// A token bucket's shape: `burst` at once, refilled at `perSecond`.
package struct RateRule: Sendable, Hashable {
    package let perSecond: Double
    package let burst: Double

    package init(perSecond: Double, burst: Double) {
        self.perSecond = perSecond
        self.burst = burst
    }
}

/// What is limited, and whose share it is.
package enum RateKey: Hashable, Sendable {
    /// A user's sends, over all their sessions and REST.
    case send(UserID)
    /// A user's other requests.
    case request(UserID)
    /// Requests without a login, by address.
    case address(String)
    /// Sign-ins, registrations and refreshes, by address.
    case signIn(String)
    /// Tries of one account's password.
    case account(String)
}

/// Decides at once whether one more is allowed.
package protocol RateLimiter: Sendable {
    /// Takes one from the bucket; otherwise says how long to wait for the next.
    func take(_ key: RateKey, _ rule: RateRule, now: Instant) -> Duration?
}
