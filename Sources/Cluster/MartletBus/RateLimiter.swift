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

/// Decides whether one more is allowed.
package protocol RateLimiter: Sendable {
    /// Takes one from this node's bucket; otherwise says how long to wait for the next. At once: for the paths where
    /// messages go.
    func take(_ key: RateKey, _ rule: RateRule, now: Instant) -> Duration?
    /// The same for all nodes together: for what must not be tried more often by asking several nodes. Where the others
    /// can't be asked, this node's bucket decides.
    func takeShared(_ key: RateKey, _ rule: RateRule, now: Instant) async -> Duration?
}
