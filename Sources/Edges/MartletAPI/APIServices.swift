import Logging
import MartletBus
import MartletCore

/// What the API leans on.
package struct APIServices: Sendable {
    package var authenticator: any TokenAuthenticator
    package var limiter: any RateLimiter
    package var clock: any TimeSource
    package var metrics: MetricRegistry
    package var logger: Logger
    /// Lets a scraper read `/metrics` from another machine; without it only this machine may.
    package var metricsToken: String?
    /// May this node receive traffic?
    package var readiness: @Sendable () async -> [ReadinessCheck]
    /// Where a client finds a gateway; throws `unavailable` where there is none.
    package var gateway: @Sendable () async throws(Fault) -> GatewayAddress
    /// Has this node begun to leave? Then it is not ready, and each answer is its connection's last.
    package var isLeaving: @Sendable () -> Bool = { false }

    package init(
        authenticator: any TokenAuthenticator, limiter: any RateLimiter, clock: any TimeSource, metrics: MetricRegistry,
        logger: Logger, metricsToken: String?, readiness: @escaping @Sendable () async -> [ReadinessCheck],
        gateway: @escaping @Sendable () async throws(Fault) -> GatewayAddress
    ) {
        self.authenticator = authenticator
        self.limiter = limiter
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        self.metricsToken = metricsToken
        self.readiness = readiness
        self.gateway = gateway
    }
}

/// One thing that a node needs to serve.
package struct ReadinessCheck: Sendable {
    package let name: String
    package let isPassed: Bool
    /// For anyone to read: no addresses, no secrets.
    package let detail: String

    package init(name: String, isPassed: Bool, detail: String = "") {
        self.name = name
        self.isPassed = isPassed
        self.detail = detail
    }
}
