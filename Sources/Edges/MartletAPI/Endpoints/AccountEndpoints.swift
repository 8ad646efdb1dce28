import MartletAccounts
import MartletCore
import MartletWire

/// Accounts and sign-ins: the protocol's table "Accounts". Inputs and outputs are in `AccountMessages.swift`.
package struct AccountEndpoints: Sendable {
    private let accounts: Accounts

    package init(accounts: Accounts) { self.accounts = accounts }

    package var all: [Endpoint] { signIns + profiles + administration }

    // Sign-ins are limited by the use cases themselves, which other edges call as well.
    private var signIns: [Endpoint] {
        let tag = "Accounts"
        return [
            Endpoint(anyone: .post, "/api/user/register", tag: tag, "Make an account and sign in", register),
            Endpoint(anyone: .post, "/api/user/login", tag: tag, "Sign in", signIn),
            Endpoint(anyone: .post, "/api/auth/token", tag: tag, "Get a token pair for a password", token),
            Endpoint(anyone: .post, "/api/auth/refresh", tag: tag, "Exchange a refresh token for a new pair", refresh),
            Endpoint(anyone: .post, "/api/auth/verify", tag: tag, "Say whether an access token is valid", verify),
            Endpoint(.post, "/api/auth/logout", tag: tag, "End this sign-in, or all", signOut),
        ]
    }

    private var profiles: [Endpoint] {
        let tag = "Accounts"
        return [
            Endpoint(.get, "/api/user/profile", tag: tag, "Show one's own or another's profile", profile),
            Endpoint(.put, "/api/user/profile", tag: tag, "Change one's profile", updateProfile),
            Endpoint(.put, "/api/user/password", tag: tag, "Change one's password; other sessions end", changePassword),
        ]
    }

    private var administration: [Endpoint] {
        let tag = "Accounts"
        return [
            Endpoint(.post, "/api/user/ban", tag: tag, "Ban a user (administrators)", ban),
            Endpoint(.post, "/api/user/unban", tag: tag, "Lift a ban (administrators)", unban),
        ]
    }

    // MARK: Sign-ins

    @Sendable
    private func register(_ visitor: Visitor, _ input: RegisterInput) async throws(Fault) -> SignedInOutput {
        SignedInOutput(
            try await accounts.register(
                input.credentials, nickname: input.nickname, email: input.email, phone: input.phone,
                address: visitor.address))
    }

    @Sendable
    private func signIn(_ visitor: Visitor, _ input: SignInInput) async throws(Fault) -> SignedInOutput {
        SignedInOutput(try await accounts.signIn(input.credentials, address: visitor.address))
    }

    @Sendable
    private func token(_ visitor: Visitor, _ input: SignInInput) async throws(Fault) -> TokenPairOutput {
        TokenPairOutput(try await accounts.signIn(input.credentials, address: visitor.address).tokens)
    }

    @Sendable
    private func refresh(_ visitor: Visitor, _ input: RefreshInput) async throws(Fault) -> TokenPairOutput {
        TokenPairOutput(try await accounts.refresh(input.refreshToken, address: visitor.address))
    }

    @Sendable
    private func verify(_ visitor: Visitor, _ input: VerifyInput) async throws(Fault) -> VerifyOutput {
        VerifyOutput(identity: await accounts.verify(input.token))
    }

    @Sendable
    private func signOut(_ caller: Caller, _ input: SignOutInput) async throws(Fault) -> EmptyOutput {
        try await accounts.signOut(caller, all: input.all)
        return EmptyOutput()
    }

    // MARK: Profiles

    @Sendable
    private func profile(_ caller: Caller, _ input: ProfileInput) async throws(Fault) -> ProfileOutput {
        ProfileOutput(try await accounts.profile(of: input.reference, by: caller))
    }

    @Sendable
    private func updateProfile(_ caller: Caller, _ input: ProfileChangeInput) async throws(Fault) -> ProfileOutput {
        ProfileOutput(try await accounts.updateProfile(input.change, by: caller))
    }

    @Sendable
    private func changePassword(_ caller: Caller, _ input: PasswordInput) async throws(Fault) -> TokenPairOutput {
        TokenPairOutput(try await accounts.changePassword(from: input.old, to: input.new, by: caller))
    }

    // MARK: Administrators

    @Sendable
    private func ban(_ caller: Caller, _ input: BanInput) async throws(Fault) -> EmptyOutput {
        try await accounts.ban(input.user, until: input.until, by: caller)
        return EmptyOutput()
    }

    @Sendable
    private func unban(_ caller: Caller, _ input: UserInput) async throws(Fault) -> EmptyOutput {
        try await accounts.unban(input.user, by: caller)
        return EmptyOutput()
    }
}
