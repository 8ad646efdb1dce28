import Logging
import MartletBus
import MartletCore

// For clients that sign in with an account's number, on the connection that they keep: they have no use for tokens.
extension Accounts {
    /// Checks an account's password by its number, with the checks and limits of a sign-in by name. No sign-in begins: the
    /// session that asked belongs to no family, and ends with its connection, or as `Revocation.withoutFamily` says.
    ///
    /// An unknown number, a guest's and a wrong password are one answer (`wrong_credentials`) after the same time. `app`
    /// nil is the default one; `address` is the client's. Throws `banned`, `rate_limited` and `invalid_field` too.
    package func signIn(
        number: UserID, password: String, app: AppID?, address: String
    ) async throws(Fault) -> Account {
        let app = try self.app(app)
        try await take(.signIn(address), configuration.addressRate)
        let newest = try await tokenStore.newestRevocation()
        let found = try await store.withPassword(.id(number), app: app)
        // One account has one bucket, however it is named.
        if let account = found?.account, account.role != .guest {
            try await takePasswordTry(account.username, app)
        } else {
            try await takePasswordTry(key: "#\(number.value)", app)
        }
        try await check(password, found)
        guard let account = found?.account else { throw Self.wrongCredentials }
        try AccountRules.requireNotBanned(account, now: clock.now)
        // The password may have been changed while this one was checked.
        guard try await !tokenStore.hasEnded(account.id, since: newest) else { throw Self.wrongCredentials }
        return account
    }

    /// Makes an account as `register` does, but with any password of 1 to 128 characters, and without signing it in: for
    /// clients that could not be told why a password was refused.
    package func register(
        plainly name: String, password: String, app: AppID?, address: String
    ) async throws(Fault) -> Account {
        try requireOpen()
        let new = AccountStore.NewAccount(
            app: try self.app(app), username: try AccountRules.username(name), role: .user)
        return try await create(new, try AccountRules.plainPassword(password), address)
    }
}
