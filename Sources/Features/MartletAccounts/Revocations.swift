import MartletCore
import Synchronization

/// Sign-ins that have ended while access tokens of theirs may still be valid. In memory, so that checking a token asks
/// no store; kept true by the use cases of this process and by `RevocationWatcher`, which brings what other processes
/// did.
package final class Revocations: Sendable {
    private struct State {
        var families: [Int64: Instant] = [:]
        var users: [UserID: Instant] = [:]
        /// The newest row of the table that the watcher has seen.
        var lastSeen: Int64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// True where this was news.
    @discardableResult
    func apply(_ revocation: Revocation) -> Bool {
        state.withLock { state in
            guard revocation.family == 0 else {
                return state.families.updateValue(revocation.at, forKey: revocation.family) == nil
            }
            if let known = state.users[revocation.user], known >= revocation.at { return false }
            state.users[revocation.user] = revocation.at
            return true
        }
    }

    func isRevoked(_ identity: AccessTokens.Identity) -> Bool {
        isRevoked(identity.user, family: identity.family, issuedAt: identity.issuedAt)
    }

    /// Whether that by which somebody came in has ended since it was made. A whole user's end counts for what belongs to
    /// no sign-in (`family` 0), by the second in which it was made; all others are ended by their family, so that a token
    /// made right after a password change is valid.
    package func isRevoked(_ user: UserID, family: Int64, issuedAt: Instant) -> Bool {
        state.withLock { state in
            guard family == 0 else { return state.families[family] != nil }
            guard let end = state.users[user] else { return false }
            return issuedAt.seconds <= end.seconds
        }
    }

    /// Forgets what ended before `time`: tokens of that age have expired.
    func forget(before time: Instant) {
        state.withLock { state in
            state.families = state.families.filter { $0.value >= time }
            state.users = state.users.filter { $0.value >= time }
        }
    }

    var count: Int { state.withLock { $0.families.count + $0.users.count } }

    var lastSeen: Int64 {
        get { state.withLock { $0.lastSeen } }
        set { state.withLock { $0.lastSeen = max($0.lastSeen, newValue) } }
    }
}
