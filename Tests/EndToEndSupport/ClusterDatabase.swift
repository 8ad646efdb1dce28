import MartletTestServices
import Synchronization

/// The PostgreSQL of a cluster: a primary, and a standby that may take its place, both behind proxies.
package final class ClusterDatabase: Sendable {
    private struct Servers: Sendable {
        var primary: PostgresServer
        var standby: PostgresServer?
    }

    private let servers: Mutex<Servers>
    private let proxies: [SlowProxy]
    /// As nodes take it: all servers, of which one is the primary. Holds the password.
    package let url: String
    private let name: String

    private init(_ primary: PostgresServer, _ standby: PostgresServer?, _ proxies: [SlowProxy], name: String) {
        servers = Mutex(Servers(primary: primary, standby: standby))
        self.proxies = proxies
        self.name = name
        let hosts = proxies.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        let text = primary.urlText(name).replacing("127.0.0.1:\(primary.port)", with: hosts)
        url = text + (standby == nil ? "" : "?target_session_attrs=read-write")
    }

    /// A database of its own on the process's server; with a standby, on servers of its own.
    package static func start(hasStandby: Bool) async throws -> ClusterDatabase {
        // A standby looks for its primary, for which commits wait, each 5 s unless it is told otherwise.
        let options = PostgresServer.Options(isDurable: true, settings: ["wal_retrieve_retry_interval=200ms"])
        let primary = try await hasStandby ? PostgresServer(options) : PostgresServer.shared
        let name = "cluster_\(UInt64.random(in: .min ... .max))"
        try await primary.execute("CREATE DATABASE \(name)")
        let standby = hasStandby ? try await primary.standby() : nil
        var proxies: [SlowProxy] = []
        for server in [primary] + (standby.map { [$0] } ?? []) {
            proxies.append(try await SlowProxy.start(to: server.port))
        }
        return ClusterDatabase(primary, standby, proxies, name: name)
    }

    /// Statements and answers take this much longer on their way.
    package func delay(by delay: Duration) { for proxy in proxies { proxy.delay(by: delay) } }

    /// Ends all connections to it, or lets none through until `comeBack`.
    package func cut() { for proxy in proxies { proxy.cut() } }
    package func goAway() { for proxy in proxies { proxy.goAway() } }
    package func comeBack() { for proxy in proxies { proxy.comeBack() } }

    /// Stops the primary in order, and starts it again.
    package func restart(whenStopped: @Sendable () -> Void = {}) async throws {
        let primary = servers.withLock { $0.primary }
        try await primary.stop()
        whenStopped()
        try await primary.start()
    }

    /// Kills the primary, and makes the standby the primary in its place. Returns false where there is none.
    package func failOver(whenKilled: @Sendable () -> Void = {}) async throws -> Bool {
        let (primary, standby) = servers.withLock { ($0.primary, $0.standby) }
        guard let standby else { return false }
        try await primary.kill()
        whenKilled()
        try await standby.promote()
        servers.withLock { $0 = Servers(primary: standby) }
        return true
    }

    /// Runs one statement on the primary, past the proxy.
    package func execute(_ text: String) async throws {
        try await servers.withLock { $0.primary }.execute(text, in: name)
    }

    var lastWords: String { servers.withLock { $0.primary }.lastWords }
}
