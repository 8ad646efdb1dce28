import MartletCore
import Synchronization

/// Sign-ins that have ended while access tokens of theirs may still be valid. In memory, so that checking a token asks
/// no store; kept true by the use cases of this process and by `RevocationWatcher`, which brings what other processes
/// did.
package final class Revocations: Sendable {
    private struct State {
        var families: [Int64: Instant] = [:]
        /// When all of a user that belongs to no sign-in ended last.
        var users: [UserID: Instant] = [:]
        /// The revocations, by number, that `users` is made of.
        var wholeUsers: [Int64: Instant] = [:]
        /// The newest row of the table that the watcher has seen.
        var lastSeen: Int64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// True where this was news.
    @discardableResult
    func apply(_ revocation: Revocation) -> Bool {
        state.withLock { state in
            guard revocation.family <= 0 else {
                return state.families.updateValue(revocation.at, forKey: revocation.family) == nil
            }
            // By its number and not by its time: a later one of another node may have an earlier time.
            guard state.wholeUsers.updateValue(revocation.at, forKey: revocation.id) == nil else { return false }
            state.users[revocation.user] = max(revocation.at, state.users[revocation.user] ?? .distantPast)
            return true
        }
    }

    func isRevoked(_ identity: AccessTokens.Identity) -> Bool {
        isRevoked(identity.user, family: identity.family, issuedAt: identity.issuedAt)
    }

    /// Whether that by which somebody came in has ended since it was made. A whole user's end counts for what belongs to
    /// no sign-in (`family` 0), by the time at which it was made: of a token the second, of a session without one the
    /// time before its password or name was looked up. All others are ended by their family, so that a token made right
    /// after a password change is valid.
    package func isRevoked(_ user: UserID, family: Int64, issuedAt: Instant) -> Bool {
        state.withLock { state in
            guard family == 0 else { return state.families[family] != nil }
            guard let end = state.users[user] else { return false }
            return issuedAt <= end
        }
    }

    /// Forgets what ended before `time`: tokens of that age have expired.
    func forget(before time: Instant) {
        state.withLock { state in
            state.families = state.families.filter { $0.value >= time }
            state.users = state.users.filter { $0.value >= time }
            state.wholeUsers = state.wholeUsers.filter { $0.value >= time }
        }
    }

    var count: Int { state.withLock { $0.families.count + $0.users.count } }

    var lastSeen: Int64 {
        get { state.withLock { $0.lastSeen } }
        set { state.withLock { $0.lastSeen = max($0.lastSeen, newValue) } }
    }
}
