import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// The nodes of a cluster, each a key that expires with its lease. What this node knows of the others it keeps in memory,
/// and asks once a second.
package final class RedisNodeDirectory: NodeDirectory {
    private struct Known {
        var record: NodeRecord
        var expires: ContinuousClock.Instant
    }

    private struct State {
        var own: NodeRecord?
        var hasLeft = false
        var others: [String: Known] = [:]
        var refreshed = ContinuousClock.now
        /// Until then nobody's time is over: nobody could be asked, and who lives has one lease to tell of itself again.
        var graceUntil = ContinuousClock.now

        func isOver(_ known: Known, _ now: ContinuousClock.Instant) -> Bool { max(known.expires, graceUntil) <= now }

        /// This node and those of the others that count, by incarnation.
        func records(_ counts: (Known) -> Bool) -> [NodeRecord] {
            let own = hasLeft ? nil : own
            return (others.values.filter(counts).map(\.record) + (own.map { [$0] } ?? []))
                .sorted { $0.incarnation < $1.incarnation }
        }
    }

    /// Nodes that are read at once; more than a cluster ever has.
    private static let limit = 1024
    /// What stands in place of the record of a node that left, so that the others forget it before its lease is over.
    private static let left = "-"

    /// Returns incarnations, records and the milliseconds that these still hold, in turns.
    private static let list = RedisScript(
        """
        if ARGV[1] then
          redis.call('SET', ARGV[2] .. ARGV[1], ARGV[3], 'PX', ARGV[4])
          redis.call('SADD', KEYS[1], ARGV[1])
          redis.call('PEXPIRE', KEYS[1], 86400000)
        end
        local found = {}
        for index, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
          if index > \(limit) then break end
          local key = (ARGV[2] or KEYS[1] .. ':') .. name
          local record = redis.call('GET', key)
          if record then
            found[#found + 1] = name
            found[#found + 1] = record
            found[#found + 1] = redis.call('PTTL', key)
          else
            redis.call('SREM', KEYS[1], name)
          end
        end
        return found
        """)

    private let servers: RedisServers
    private let incarnation: String
    private let lease: Duration
    private let state = Mutex(State())

    /// `lease`: how long a node counts as being there after it was last heard of. Make it before the servers start.
    package init(_ servers: RedisServers, incarnation: String, lease: Duration = .seconds(6)) {
        self.servers = servers
        self.incarnation = incarnation
        self.lease = lease
        // Whoever counts sessions must know the others before: asked as soon as anybody can be.
        servers.onUp { [weak self] server in
            guard let self, server == servers.owner(of: "n") else { return }
            servers.run(Self.list, on: server, keys: [key], []) { [weak self] result in
                if case .success(let reply) = result { self?.take(reply.elements ?? []) }
            }
        }
        servers.keepDoing(every: .seconds(1), with: self) { await $0.ask([]) }
    }

    package func nodes() -> [NodeRecord] {
        let now = ContinuousClock.now
        return state.withLock { state in
            // While nobody can be asked, what was known last holds for one lease more.
            let silence = now - state.refreshed
            let isAway = silence > .seconds(2) && silence < lease * 2
            return state.records { !state.isOver($0, now) || isAway }
        }
    }

    package func believed() -> [NodeRecord] {
        let now = ContinuousClock.now
        return state.withLock { state in
            let isStale = now - state.refreshed > .seconds(2)
            return state.records { !state.isOver($0, now) || isStale }
        }
    }

    package func announce(_ record: NodeRecord) async {
        state.withLock { state in
            state.own = record
            state.hasLeft = false
        }
        await ask([incarnation, key + ":", NodeText.write(record), String(lease.milliseconds)])
    }

    package func leave() async {
        state.withLock { $0.hasLeft = true }
        await ask([incarnation, key + ":", Self.left, String(lease.milliseconds)])
    }

    private var key: String { servers.prefix + "n" }

    private func ask(_ arguments: [String]) async {
        do throws(Fault) {
            let reply = try await servers.run(Self.list, on: servers.owner(of: "n"), keys: [key], arguments)
            take(reply.elements ?? [])
        } catch {
            // The list of before holds; whoever is interested sees the servers' state.
        }
    }

    private func take(_ found: [RESPValue]) {
        let now = ContinuousClock.now
        let hasLost = state.withLock { state in
            // A server that just took over, or that just came back, knows of nobody, or only for the rest of a lease that
            // nobody could renew: what was heard before holds.
            if now - state.refreshed > .seconds(2) { state.graceUntil = now + lease }
            state.refreshed = now
            let known = Set(state.others.keys)
            var gone: Set<String> = []
            state.others = state.others.filter { !state.isOver($0.value, now) }
            for index in stride(from: 0, to: found.count - 2, by: 3) {
                guard let name = found[index].text, name != incarnation, let text = found[index + 1].text,
                    let time = found[index + 2].integer
                else { continue }
                guard let record = NodeText.read(text, incarnation: name) else {
                    if text != Self.left { servers.metrics.damaged.add() }
                    state.others[name] = nil
                    gone.insert(name)
                    continue
                }
                let expires = now + .milliseconds(min(max(0, time), lease.milliseconds))
                state.others[name] = Known(record: record, expires: expires)
            }
            return !known.subtracting(gone).isSubset(of: state.others.keys)
        }
        if hasLost { servers.nodeVanished() }
    }
}

/// A node's record as text: `name=value` lines, of which unknown ones are passed over.
enum NodeText {
    static func write(_ record: NodeRecord) -> String {
        var lines = ["name=\(clean(record.name))", "roles=\(clean(record.roles.joined(separator: ",")))"]
        if let address = record.address {
            lines.append("host=\(clean(address.host))")
            lines.append("port=\(address.port)")
            lines.append("secure=\(address.isSecure ? 1 : 0)")
        }
        lines.append("sessions=\(record.sessions)")
        lines.append("draining=\(record.isDraining ? 1 : 0)")
        return lines.joined(separator: "\n")
    }

    /// Nil for what no node wrote.
    static func read(_ text: String, incarnation: String) -> NodeRecord? {
        guard text.utf8.count <= 4096, incarnation.utf8.count <= 256 else { return nil }
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            guard let mark = line.firstIndex(of: "=") else { return nil }
            fields[line[..<mark]] = line[line.index(after: mark)...]
        }
        guard let name = fields["name"], let sessions = fields["sessions"].flatMap({ Int($0) }), sessions >= 0 else {
            return nil
        }
        var address: NodeAddress?
        if let host = fields["host"], let port = fields["port"].flatMap({ Int($0) }), (1...65535) ~= port {
            address = NodeAddress(host: String(host), port: port, isSecure: fields["secure"] == "1")
        }
        return NodeRecord(
            name: String(name), incarnation: incarnation,
            roles: (fields["roles"] ?? "").split(separator: ",").map { String($0) }, address: address,
            sessions: sessions, isDraining: fields["draining"] == "1")
    }

    private static func clean(_ text: String) -> String { String(text.prefix(200)).replacing("\n", with: " ") }
}
