import Logging
import MartletBus
import MartletCore
import MartletLog
import MartletSQL

extension Accounts {
    // MARK: Profile

    /// An account of the caller's app; their own without a reference.
    package func profile(of reference: AccountReference? = nil, by caller: Caller) async throws(Fault) -> Profile {
        let reference = reference ?? .id(caller.user)
        guard let account = try await store.account(reference, app: caller.app) else { throw .unknownUser }
        return await profile(account, by: caller)
    }

    /// The caller's card as it is stored now; nil where the account is not there, as after a restore from a backup.
    package func card(of caller: Caller) async throws(Fault) -> UserCard? {
        try await store.account(.id(caller.user), app: caller.app)?.card
    }

    private func profile(_ account: Account, by caller: Caller) async -> Profile {
        let online = await presence.online(among: [account.id])
        return Profile(account: account, isOnline: online.contains(account.id), isOwn: account.id == caller.user)
    }

    /// Changes the caller's profile; their devices learn of it from the inbox.
    package func updateProfile(_ change: ProfileChange, by caller: Caller) async throws(Fault) -> Profile {
        try Policy.requireAccount(caller)
        let checked = try change.checked()
        let account = try await log.transact { (connection, drafts) throws(Fault) in
            guard let account = try AccountStore.update(connection, caller.user, checked) else { throw .unknownUser }
            drafts.append(AccountEvents.profileChanged(account))
            return account
        }
        directory.forget(caller.user)
        // Of whom strangers may write to, sessions remember the answer.
        if checked.strangersMayWrite != nil { await broker.publish(.rightsChanged(.inbox(caller.user), nil)) }
        return await profile(account, by: caller)
    }

    /// Changes the caller's password. Their sign-in goes on with the pair that is returned, every other one ends.
    package func changePassword(from old: String, to new: String, by caller: Caller) async throws(Fault) -> TokenPair {
        try Policy.requireAccount(caller)
        let password = try AccountRules.password(new, field: "newPassword")
        guard let found = try await store.withPassword(.id(caller.user), app: caller.app) else { throw .unknownUser }
        try await takePasswordTry(found.account.username, caller.app)
        try await check(old, found)
        let hash = try await hasher.hash(password)
        let (refresh, clock, maximum) = (newRefreshToken(), clock, configuration.maximumFamilies)
        let (family, ended) = try await tokenStore.database.write { connection throws(Fault) in
            // Not before the wait for the store: what came in meanwhile came in with the old password.
            let now = clock.now
            try AccountStore.setPassword(connection, caller.user, hash: hash)
            let ended = try TokenStore.endAll(
                connection, of: caller.user, except: caller.family, .passwordChanged, now: now)
            if try TokenStore.replaceTokens(
                connection, of: caller.family, user: caller.user, by: refresh.stored, now: now)
            {
                return (caller.family, ended)
            }
            let new = try TokenStore.begin(
                connection, user: caller.user, device: caller.device, token: refresh.stored, maximum: maximum, now: now)
            return (new.family, ended + new.ended)
        }
        await announce(ended)
        logger.info("password changed", metadata: ["user": "\(caller.user.value)", "trace": "\(caller.trace)"])
        return try await pair(found.account, caller.device, family, refresh.text)
    }

    // MARK: Administrators

    /// Bans an account of the administrator's app until a time, or without an end: its sessions and sign-ins end.
    package func ban(_ user: UserID, until: Instant?, by caller: Caller) async throws(Fault) {
        try Policy.requireAdministrator(caller)
        await announce(try await administration.ban(user, app: caller.app, until: until ?? .distantFuture))
        logger.notice(
            "account banned",
            metadata: ["user": "\(user.value)", "by": "\(caller.user.value)", "trace": "\(caller.trace)"])
    }

    /// Lifts a ban.
    package func unban(_ user: UserID, by caller: Caller) async throws(Fault) {
        try Policy.requireAdministrator(caller)
        try await administration.unban(user, app: caller.app)
        logger.notice(
            "ban lifted", metadata: ["user": "\(user.value)", "by": "\(caller.user.value)", "trace": "\(caller.trace)"])
    }

    private var administration: AccountAdministration {
        AccountAdministration(database: tokenStore.database, hasher: hasher, clock: clock)
    }
}
