import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// Leases as keys that expire. When the server that a lease is on goes, another node may have the same lease for as long
/// as the first one's runs: work under a lease has to bear being done twice.
package final class RedisLeases: Leases {
    private static let script = RedisScript(
        """
        local owner = redis.call('GET', KEYS[1])
        if owner and owner ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return 1
        """)

    private let servers: RedisServers
    private let token: String

    /// `incarnation`: unlike that of any other node or start.
    package init(_ servers: RedisServers, incarnation: String) {
        self.servers = servers
        token = incarnation
    }

    package func hold(_ name: String, for time: Duration) async -> Bool {
        let key = "l:" + name
        let milliseconds = String(max(1, time.milliseconds))
        do throws(Fault) {
            let reply = try await servers.run(
                Self.script, on: servers.owner(of: key), keys: [servers.prefix + key], [token, milliseconds])
            return reply.integer == 1
        } catch {
            return false
        }
    }
}
