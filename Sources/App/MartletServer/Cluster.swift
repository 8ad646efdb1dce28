import Logging
import MartletBus
import MartletCore
import NIOCore

/// The adapters of the ports between nodes: in this process, or over Redis.
struct Cluster: Sendable {
    let broker: any Broker
    let presence: any Presence
    let presenceWriter: any PresenceWriter
    let directory: any NodeDirectory
    let leases: any Leases
    let limiter: any RateLimiter
    /// Sets where the broker delivers to.
    let attach: @Sendable (any BrokerReceiver) -> Void
    /// What `/readyz` says of the bus; nil where there is none.
    let check: (@Sendable () -> (isPassed: Bool, detail: String))?
    /// Lets go of connections; what is under way is given up.
    let close: @Sendable () async -> Void

    static func open(
        _ configuration: ServerConfiguration, incarnation: String, group: any EventLoopGroup, metrics: MetricRegistry,
        logger: Logger
    ) async throws(Fault) -> Cluster {
        .local(isRateLimited: configuration.isRateLimited)
    }

    /// A cluster of one.
    static func local(isRateLimited: Bool) -> Cluster {
        let (broker, presence) = (LocalBroker(), LocalPresence())
        return Cluster(
            broker: broker, presence: presence, presenceWriter: presence, directory: LocalNodeDirectory(),
            leases: LocalLeases(), limiter: LocalRateLimiter(isOn: isRateLimited), attach: { broker.attach($0) },
            check: nil, close: {})
    }
}
