import Logging
import MartletBus
import MartletCore
import MartletRedis
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
    /// How the bus's servers are; nil where there are none.
    private let status: (@Sendable () -> [RedisServerState])?
    /// Lets go of connections; what is under way is given up.
    let close: @Sendable () async -> Void

    /// The adapters that a configuration asks for. Throws `unavailable`, with one clear line, where the bus can't be used.
    static func open(
        _ configuration: ServerConfiguration, incarnation: String, group: any EventLoopGroup, metrics: MetricRegistry,
        logger: Logger
    ) async throws(Fault) -> Cluster {
        guard !configuration.cluster.bus.isEmpty else { return .local(configuration) }
        var urls: [RedisURL] = []
        for text in configuration.cluster.bus { urls.append(try RedisURL(text)) }
        let servers = try RedisServers(
            urls: urls, prefix: configuration.cluster.busPrefix, group: group, logger: logger, metrics: metrics)
        let broker = RedisBroker(servers, incarnation: incarnation)
        let directory = RedisNodeDirectory(servers, incarnation: incarnation)
        let presence = RedisPresence(servers, directory: directory, incarnation: incarnation)
        let leases = RedisLeases(servers, incarnation: incarnation)
        let limiter = RedisRateLimiter(servers, isOn: configuration.isRateLimited)
        try await servers.check()
        servers.start()
        return Cluster(
            broker: broker, presence: presence, presenceWriter: presence, directory: directory, leases: leases,
            limiter: limiter, attach: { broker.attach($0) }, status: { servers.status },
            close: { await servers.shutdown() })
    }

    /// What `/readyz` says of the bus; nil where there is none. `behind`: topics whose events wait to be read from the log.
    func check(behind: Gauge) -> (@Sendable () -> (isPassed: Bool, detail: String))? {
        guard let status else { return nil }
        return {
            let servers = status()
            let (away, behind) = (servers.filter { $0.awaySince != nil }.count, behind.value)
            let details = [
                away > 0 ? "\(away) of \(servers.count) servers away" : nil,
                behind > 0 ? "catching up with the log: \(behind) topics" : nil,
            ]
            // Others take over the topics of those that are away.
            return (away < servers.count, details.compactMap(\.self).joined(separator: "; "))
        }
    }

    /// A cluster of one.
    private static func local(_ configuration: ServerConfiguration) -> Cluster {
        let isSQLite = if case .sqlite = configuration.store { true } else { false }
        let (broker, presence) = (LocalBroker(isLossy: !isSQLite), LocalPresence())
        return Cluster(
            broker: broker, presence: presence, presenceWriter: presence, directory: LocalNodeDirectory(),
            leases: LocalLeases(), limiter: LocalRateLimiter(isOn: configuration.isRateLimited),
            attach: { broker.attach($0) },
            status: nil, close: {})
    }
}
