import Logging
import MartletBus
import MartletCore

extension Accounts {
    // MARK: Named guests

    /// The guest of this name in the app: made at its first use, the same one at each later one. For clients that come
    /// with a mere name. `address` is the client's; making a guest takes from its rate, coming back does not.
    ///
    /// A guest has no password: whoever says the name is the guest. Throws `guests_refused` where guests are not let in,
    /// `invalid_field` (`userId`, `appId`), `not_allowed` where the name is, or looks like, the username of an account,
    /// also of one that was made after the guest, and `banned`.
    package func namedGuest(_ name: String, app: AppID, address: String) async throws(Fault) -> UserCard {
        try requireGuestsAllowed()
        return try await namedGuest(name, in: app) { () throws(Fault) in
            try await take(.signIn(address), configuration.addressRate)
        }
    }

    /// As above, for callers whom the operator trusts: whether or not guests are let in, at any rate.
    package func namedGuest(_ name: String, app: AppID) async throws(Fault) -> UserCard {
        try await namedGuest(name, in: app) { () throws(Fault) in }
    }

    /// Whom a name means: the account whose username it is, else the guest who came in with it; nil where there is
    /// neither. Somebody banned is found as well. Throws `invalid_field` (`appId`) for an app that is not there.
    package func person(named name: String, app: AppID) async throws(Fault) -> UserCard? {
        guard AccountRules.canBeName(name) else { return nil }
        return try await directory.named(name, app: try self.app(app))?.card
    }

    /// Whom a trusted caller speaks for: the account of that username, else the guest of that name, who is made where there is none. Throws `banned`.
    package func spokenFor(named name: String, app: AppID) async throws(Fault) -> UserCard {
        guard AccountRules.canBeName(name), let known = try await directory.named(name, app: try self.app(app)) else {
            return try await namedGuest(name, app: app)
        }
        try AccountRules.requireNotBanned(known, now: clock.now)
        return known.card
    }

    /// The guest of this name who speaks without a session: as `namedGuest`, but one who is known is looked up in memory, which may be some seconds
    /// old.
    package func speaker(named name: String, app: AppID, address: String) async throws(Fault) -> UserCard {
        try requireGuestsAllowed()
        if AccountRules.canBeName(name), let known = try await directory.named(name, app: try self.app(app)) {
            return try admit(known)
        }
        return try await namedGuest(name, app: app, address: address)
    }

    private func namedGuest(
        _ name: String, in app: AppID, beforeMaking: () async throws(Fault) -> Void
    ) async throws(Fault) -> UserCard {
        let name = try AccountRules.namedGuest(name)
        let app = try self.app(app)
        if let known = try await store.named(name, app: app) { return try admit(known) }
        try await beforeMaking()
        let new = AccountStore.NewAccount(app: app, username: name, nickname: name, role: .guest)
        do throws(Fault) {
            return try await store.create(new, now: clock.now).card
        } catch {
            // Made meanwhile, by another session of the same guest.
            guard error.reason == .usernameTaken, let known = try await store.named(name, app: app) else { throw error }
            return try admit(known)
        }
    }

    private func admit(_ account: Account) throws(Fault) -> UserCard {
        guard account.role == .guest else { throw Fault(.notAllowed, "this name is an account's", field: "userId") }
        try AccountRules.requireNotBanned(account, now: clock.now)
        return account.card
    }
}
