import Foundation
import MartletCore
import MartletGateway
import MartletRedis

/// How a node works with others.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `bus` | list of `redis://[user:password@]host[:port][/database]` or `rediss://…` | none: a cluster of one |
/// | `bus-prefix` | 1 to 32 letters, digits, `-`, `_` or `:`; sets clusters on one Redis apart | `martlet:` |
/// | `bus-compare` | seconds between two comparisons of all followed topics with the log | 30 |
/// | `roles` | `all`, or some of `gateway`, `api`, `worker` | `all` |
/// | `database-connections` | connections of one node to PostgreSQL, besides those of the log | 8 |
/// | `database-timeout` | seconds for one statement of PostgreSQL | 15 |
package struct ClusterConfiguration: Sendable {
    /// URLs of Redis, which may hold passwords.
    package var bus: [String] = []
    package var busPrefix = "martlet:"
    package var comparePeriod = Duration.seconds(30)
    package var roles = NodeRole.all
    package var databaseConnections = 8
    package var databaseTimeout = Duration.seconds(15)

    package init() {}
}

extension ServerConfiguration {
    mutating func readCluster(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        cluster.bus = try await reader.list("bus", default: [], "a URL of Redis", isSecret: true) { text in
            text.hasPrefix("redis://") || text.hasPrefix("rediss://") ? text : nil
        }
        for text in cluster.bus {
            do throws(Fault) { _ = try RedisURL(text) } catch { throw ConfigurationReader.wrong("bus", error.message) }
        }
        cluster.busPrefix = try await reader.text("bus-prefix", default: cluster.busPrefix)
        let isPlain = cluster.busPrefix.utf8.allSatisfy {
            $0 >= 0x61 && $0 <= 0x7A || $0 >= 0x41 && $0 <= 0x5A || $0 >= 0x30 && $0 <= 0x3A || $0 == 0x2D || $0 == 0x5F
        }
        guard (1...32).contains(cluster.busPrefix.utf8.count), isPlain else {
            throw ConfigurationReader.wrong("bus-prefix", "1 to 32 letters, digits, -, _ or : are expected")
        }
        cluster.comparePeriod = try await reader.seconds("bus-compare", 1...3600, default: cluster.comparePeriod)
        let names: [String] = try await reader.list("roles", default: ["all"], "a role") { $0 }
        guard let roles = NodeRole.set(names) else {
            throw ConfigurationReader.wrong("roles", "all, or some of gateway, api and worker, are expected")
        }
        cluster.roles = roles
        gateway.takesSessions = roles.contains(.gateway)
        cluster.databaseConnections = try await reader.integer(
            "database-connections", 1...500, default: cluster.databaseConnections)
        cluster.databaseTimeout = try await reader.seconds(
            "database-timeout", 1...600, default: cluster.databaseTimeout)
    }

    /// Refuses what cannot work together, naming the key to change.
    func settleCluster() throws(OperatorFailure) {
        let isAll = cluster.roles == NodeRole.all
        if case .sqlite = store {
            guard cluster.bus.isEmpty else {
                throw ConfigurationReader.wrong(
                    "database", "nodes on a bus share their data: postgres://… is expected, since bus is set")
            }
            guard isAll else {
                throw ConfigurationReader.wrong(
                    "roles",
                    "a node on SQLite is alone and does everything; set database to postgres://… or roles to all"
                )
            }
        }
        guard isAll || !cluster.bus.isEmpty else {
            throw ConfigurationReader.wrong("bus", "nodes with some of the roles need a bus to one another")
        }
        guard !cluster.bus.isEmpty else { return }
        guard givenSecrets.tokenKey != nil else {
            throw ConfigurationReader.wrong(
                "secrets.token-key", "nodes on a bus accept one another's tokens: the same key has to be given to all")
        }
        guard !isDemo else { throw ConfigurationReader.wrong("demo", "it is for a node without a bus") }
    }
}
