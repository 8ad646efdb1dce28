import Logging
import MartletBus
import MartletCore
import MartletSQL

/// Brings what other processes ended (the command line bans a user, another node changes a password) to the tokens and
/// live sessions of this one, by reading the table of revocations each second. What this process did itself is known
/// already and not announced again.
package struct RevocationWatcher: Sendable {
    private let store: TokenStore
    private let revocations: Revocations
    private let broker: any Broker
    private let clock: any TimeSource
    private let lifetime: Duration
    private let interval: Duration
    private let logger: Logger

    /// `lifetime` is that of access tokens: what ended longer ago needs no memory.
    package init(
        database: any Database, revocations: Revocations, broker: any Broker, clock: any TimeSource, lifetime: Duration,
        interval: Duration = .seconds(1), logger: Logger
    ) {
        store = TokenStore(database: database)
        self.revocations = revocations
        self.broker = broker
        self.clock = clock
        self.lifetime = lifetime
        self.interval = interval
        self.logger = logger
    }

    /// Remembers what ended lately, so that tokens of before the start are judged rightly. Call it before anything
    /// listens.
    package func load() async throws(Fault) {
        let (recent, last) = try await store.revocations(since: oldest)
        for revocation in recent { revocations.apply(revocation) }
        revocations.lastSeen = last
    }

    /// Watches until the task is cancelled. A store that does not answer is asked again; nothing is skipped.
    package func run() async throws {
        var polls = 0
        while !Task.isCancelled {
            do {
                try await poll()
                polls += 1
                if polls.isMultiple(of: 60) { revocations.forget(before: oldest) }
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning("cannot read revocations", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }

    /// One look at the table.
    package func poll() async throws(Fault) {
        for revocation in try await store.revocations(after: revocations.lastSeen) {
            if revocations.apply(revocation) {
                await broker.publish(revocation.signal)
            }
            revocations.lastSeen = revocation.id
        }
    }

    /// A minute more than needed, for clocks that differ between nodes.
    private var oldest: Instant { clock.now - lifetime - .seconds(60) }
}

extension Revocation {
    /// What live sessions of that sign-in are told.
    var signal: Signal {
        .revoked(user, family: family, except: 0, RevocationReason(rawValue: reason) ?? .signedOut)
    }
}
