import Logging
import MartletAccounts
import MartletBus
import MartletCore
import MartletLog
import MartletMessaging
import ServiceLifecycle

/// How long history is kept.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `log.retention-days` | days; 0 keeps everything | 0 |
package struct RetentionConfiguration: Sendable {
    package var days = 0

    package init() {}
}

/// Removes what nobody may ask for any more, once an hour and a bounded number of rows at a time: events older than the retention, sign-ins that
/// have expired, and the ids of messages that were posted long ago.
struct HousekeepingService: Service {
    let log: any EventLog
    let accounts: Accounts
    let postings: Postings
    let configuration: RetentionConfiguration
    let leases: any Leases
    let clock: any TimeSource
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await clean()
                try? await Task.sleep(for: .seconds(3600))
            }
        }
    }

    /// One node of a cluster does it.
    private func clean() async {
        guard await leases.hold("housekeeping", for: .seconds(1800)) else { return }
        do throws(Fault) {
            try await repeating { () throws(Fault) in try await accounts.removeExpired() }
            try await repeating { () throws(Fault) in try await postings.removeOld(now: clock.now) }
            guard configuration.days > 0 else { return }
            let oldest = clock.now - .seconds(Int64(configuration.days) * 86_400)
            let trimmed = try await repeating { () throws(Fault) in try await log.expire(before: oldest) }
            if trimmed > 0 { logger.info("history trimmed", metadata: ["events": "\(trimmed)"]) }
        } catch {
            logger.warning("housekeeping failed", metadata: ["cause": "\(error.cause ?? error.message)"])
        }
    }

    /// Until there is nothing left; between the steps others may write.
    @discardableResult
    private func repeating(_ step: () async throws(Fault) -> Int) async throws(Fault) -> Int {
        var total = 0
        while !Task.isCancelled {
            let removed = try await step()
            guard removed > 0 else { break }
            total += removed
        }
        return total
    }
}
