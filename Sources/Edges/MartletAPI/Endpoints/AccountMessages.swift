import MartletAccounts
import MartletCore
import MartletWire

// What the endpoints of accounts read and write.

// MARK: Inputs

extension AccountEndpoints {
    struct RegisterInput: JSONInput {
        let credentials: Credentials
        let nickname: String?
        let email: String?
        let phone: String?

        init(_ fields: borrowing JSONFields) throws(Fault) {
            let username = try fields.text("username", Limits.username)
            let password = try fields.text("password", Limits.password)
            nickname = try fields.optionalText("nickname", Limits.nickname)
            email = try fields.optionalText("email", 0...254)
            phone = try fields.optionalText("phone", 0...32)
            let device = try fields.optionalChoice("device", of: DeviceKind.self)
            credentials = Credentials(
                username: username, password: password, device: device ?? .web, app: try fields.optionalApp())
        }
    }

    /// Lengths are not checked as they are when an account is made: what no account can have is wrong, not malformed.
    struct SignInInput: JSONInput {
        let credentials: Credentials

        init(_ fields: borrowing JSONFields) throws(Fault) {
            let username = try fields.text("username", 1...64)
            let password = try fields.text("password", 1...256)
            let device = try fields.optionalChoice("device", of: DeviceKind.self)
            credentials = Credentials(
                username: username, password: password, device: device ?? .web, app: try fields.optionalApp())
        }
    }

    struct RefreshInput: JSONInput {
        let refreshToken: String
        init(_ fields: borrowing JSONFields) throws(Fault) { refreshToken = try fields.text("refreshToken", 1...256) }
    }

    struct VerifyInput: JSONInput {
        let token: String
        init(_ fields: borrowing JSONFields) throws(Fault) { token = try fields.text("token", 1...4096) }
    }

    struct SignOutInput: JSONInput {
        let all: Bool
        init(_ fields: borrowing JSONFields) throws(Fault) { all = try fields.optionalFlag("all") ?? false }
    }

    struct ProfileInput: JSONInput {
        /// Nil for oneself.
        let reference: AccountReference?

        init(_ fields: borrowing JSONFields) throws(Fault) {
            let user = try fields.optionalUser("userId")
            let username = try fields.optionalText("username", 1...64)
            reference = user.map { .id($0) } ?? username.map { .username($0) }
        }
    }

    struct ProfileChangeInput: JSONInput {
        enum Strangers: String, CaseIterable { case allow, deny }

        let change: ProfileChange

        init(_ fields: borrowing JSONFields) throws(Fault) {
            let nickname = try fields.optionalText("nickname", Limits.nickname)
            let avatar = try fields.optionalText("avatar", 0...1024)
            let bio = try fields.optionalText("bio", 0...512, lines: true)
            let email = try fields.optionalText("email", 0...254)
            let phone = try fields.optionalText("phone", 0...32)
            let strangers = try fields.optionalChoice("strangers", of: Strangers.self)
            change = ProfileChange(
                nickname: nickname, avatar: avatar, bio: bio, email: email, phone: phone,
                strangersMayWrite: strangers.map { $0 == .allow })
        }
    }

    struct PasswordInput: JSONInput {
        let old: String
        let new: String

        init(_ fields: borrowing JSONFields) throws(Fault) {
            old = try fields.text("oldPassword", 1...256)
            new = try fields.text("newPassword", Limits.password)
        }
    }

    struct BanInput: JSONInput {
        let user: UserID
        /// Nil: without an end.
        let until: Instant?

        init(_ fields: borrowing JSONFields) throws(Fault) {
            user = try fields.user("userId")
            until = try fields.optionalInteger("until", 1...maximumIdentifier).map { Instant(milliseconds: $0) }
        }
    }

    /// An operation on one user.
    struct UserInput: JSONInput {
        let user: UserID
        init(_ fields: borrowing JSONFields) throws(Fault) { user = try fields.user("userId") }
    }
}

extension JSONFields {
    /// The tenant that a visitor comes to; nil for the default one.
    fileprivate func optionalApp() throws(Fault) -> AppID? {
        try optionalInteger("appId", 1...Int64(Int32.max)).map { AppID(unchecked: $0) }
    }
}

// MARK: Outputs

extension AccountEndpoints {
    struct SignedInOutput: JSONOutput {
        let user: UserID
        let username: String
        let nickname: String
        let tokens: TokenPairOutput

        static let example = SignedInOutput(
            user: UserID(unchecked: 5), username: "alice", nickname: "Alice", tokens: .example)

        private init(user: UserID, username: String, nickname: String, tokens: TokenPairOutput) {
            self.user = user
            self.username = username
            self.nickname = nickname
            self.tokens = tokens
        }

        init(_ signedIn: SignedIn) {
            self.init(
                user: signedIn.account.id, username: signedIn.account.username, nickname: signedIn.account.nickname,
                tokens: TokenPairOutput(signedIn.tokens))
        }

        func write(to object: inout JSONObject) {
            object.field("userId", user)
            object.field("username", username)
            object.field("nickname", nickname)
            tokens.write(to: &object)
        }
    }

    struct TokenPairOutput: JSONOutput {
        let accessToken: String
        let refreshToken: String
        /// In seconds.
        let expiresIn: Int64

        static let example = TokenPairOutput(
            accessToken: "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo", refreshToken: "3f9c…",
            expiresIn: 900)

        private init(accessToken: String, refreshToken: String, expiresIn: Int64) {
            self.accessToken = accessToken
            self.refreshToken = refreshToken
            self.expiresIn = expiresIn
        }

        init(_ pair: TokenPair) {
            self.init(
                accessToken: pair.accessToken, refreshToken: pair.refreshToken,
                expiresIn: pair.lifetime.components.seconds)
        }

        func write(to object: inout JSONObject) {
            object.field("accessToken", accessToken)
            object.field("refreshToken", refreshToken)
            object.field("expiresIn", expiresIn)
        }
    }

    struct VerifyOutput: JSONOutput {
        let isValid: Bool
        let user: UserID?
        let expiresAt: Instant?

        static let example = VerifyOutput(
            isValid: true, user: UserID(unchecked: 5), expiresAt: Instant(milliseconds: 1_640_996_100_000))

        private init(isValid: Bool, user: UserID?, expiresAt: Instant?) {
            self.isValid = isValid
            self.user = user
            self.expiresAt = expiresAt
        }

        init(identity: AccessTokens.Identity?) {
            self.init(isValid: identity != nil, user: identity?.user, expiresAt: identity?.expiresAt)
        }

        func write(to object: inout JSONObject) {
            object.field("valid", isValid)
            object.optional("userId", user)
            object.optional("expiresAt", expiresAt)
        }
    }

    struct ProfileOutput: JSONOutput {
        /// What only oneself sees.
        struct Own: Sendable {
            let email: String
            let phone: String
            let strangers: String
            let app: AppID
        }

        let user: UserID
        let username: String
        let nickname: String
        let avatar: String
        let bio: String
        let role: Role
        let isOnline: Bool
        let own: Own?

        static let example = ProfileOutput(
            user: UserID(unchecked: 5), username: "alice", nickname: "Alice", avatar: "/files/a1", bio: "", role: .user,
            isOnline: true,
            own: Own(email: "alice@example.org", phone: "", strangers: "allow", app: AppID(unchecked: 1)))

        private init(
            user: UserID, username: String, nickname: String, avatar: String, bio: String, role: Role, isOnline: Bool,
            own: Own?
        ) {
            self.user = user
            self.username = username
            self.nickname = nickname
            self.avatar = avatar
            self.bio = bio
            self.role = role
            self.isOnline = isOnline
            self.own = own
        }

        init(_ profile: Profile) {
            let account = profile.account
            self.init(
                user: account.id, username: account.username, nickname: account.nickname, avatar: account.avatar,
                bio: account.bio, role: account.role, isOnline: profile.isOnline,
                own: profile.isOwn
                    ? Own(
                        email: account.email, phone: account.phone,
                        strangers: account.strangersMayWrite ? "allow" : "deny", app: account.app) : nil)
        }

        func write(to object: inout JSONObject) {
            object.field("userId", user)
            object.field("username", username)
            object.field("nickname", nickname)
            object.field("avatar", avatar)
            object.field("bio", bio)
            object.choice("role", role)
            object.field("online", isOnline)
            object.optional("email", own?.email)
            object.optional("phone", own?.phone)
            object.optional("strangers", own?.strangers)
            object.optional("appId", own?.app.value)
        }
    }
}
