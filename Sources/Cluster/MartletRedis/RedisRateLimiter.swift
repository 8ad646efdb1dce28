import MartletBus
import MartletCore
import NIOCore

/// Buckets of this node, and shared ones in Redis for what must not be tried more often by asking several nodes.
package final class RedisRateLimiter: RateLimiter {
    /// Time comes from the server, so that nodes' clocks need not agree. Returns 0, or the milliseconds to wait.
    private static let script = RedisScript(
        """
        local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
        local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
        local old = redis.call('HMGET', KEYS[1], 't', 'n')
        local updated = tonumber(old[1] or now)
        local tokens = math.min(burst, tonumber(old[2] or burst) + math.max(0, now - updated) / 1000 * rate)
        local wait = 0
        if tokens < 1 then
          wait = math.min(3600000, math.floor((1 - tokens) / math.max(rate, 0.000001) * 1000) + 1)
        else
          tokens = tokens - 1
        end
        redis.call('HSET', KEYS[1], 't', string.format('%.0f', math.max(now, updated)), 'n', tostring(tokens))
        local full = (burst - tokens) / math.max(rate, 0.000001) * 1000
        redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(86400000, math.max(1000, full))))
        return wait
        """)

    private let servers: RedisServers
    private let local: LocalRateLimiter
    private let isOn: Bool

    /// With `isOn` false everything is allowed: for load tests.
    package init(_ servers: RedisServers, isOn: Bool = true) {
        self.servers = servers
        self.isOn = isOn
        local = LocalRateLimiter(isOn: isOn)
    }

    package func take(_ key: RateKey, _ rule: RateRule, now: Instant) -> Duration? { local.take(key, rule, now: now) }

    /// Takes at most 250 ms to answer.
    package func takeShared(_ key: RateKey, _ rule: RateRule, now: Instant) async -> Duration? {
        guard isOn else { return nil }
        let name = "b:" + Self.name(key)
        do throws(Fault) {
            let reply = try await servers.run(
                Self.script, on: servers.owner(of: name), keys: [servers.prefix + name],
                ["\(rule.perSecond)", "\(rule.burst)"], within: .milliseconds(250))
            guard let wait = reply.integer else { return nil }
            return wait > 0 ? .milliseconds(wait) : nil
        } catch {
            servers.metrics.limitsAlone.add()
            return local.take(key, rule, now: now)
        }
    }

    /// Of bounded length, whatever a client calls itself.
    private static func name(_ key: RateKey) -> String {
        switch key {
        case .send(let user): "send:\(user.value)"
        case .request(let user): "request:\(user.value)"
        case .address(let address): "address:" + bounded(address)
        case .signIn(let address): "sign-in:" + bounded(address)
        case .account(let account): "account:" + bounded(account)
        }
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > 64 else { return text }
        return String(text.prefix(16)) + "#" + String(Rendezvous.mix(Rendezvous.hash(text)), radix: 16)
    }
}
