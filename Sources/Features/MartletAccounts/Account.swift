import MartletCore

/// An account as the store holds it, without its password.
package struct Account: Sendable, Equatable {
    package let id: UserID
    package let app: AppID
    package let username: String
    /// Empty where none was chosen.
    package let nickname: String
    package let avatar: String
    package let bio: String
    package let email: String
    package let phone: String
    package let role: Role
    package let strangersMayWrite: Bool
    /// In the past or `distantPast` where the account is not banned; `distantFuture` for a ban without an end.
    package let bannedUntil: Instant
    package let createdAt: Instant

    /// What people see: nickname, else username.
    package var name: String { nickname.isEmpty ? username : nickname }

    package var card: UserCard {
        UserCard(
            id: id, app: app, username: username, nickname: nickname, avatar: avatar, role: role,
            strangersMayWrite: strangersMayWrite)
    }
}

/// Which account: by its number or by its name.
package enum AccountReference: Sendable {
    case id(UserID)
    case username(String)
}

/// What one user may see of another, or of themselves.
package struct Profile: Sendable {
    package let account: Account
    package let isOnline: Bool
    /// One's own has the fields that others do not see.
    package let isOwn: Bool
}

/// What a user changes of their profile; nil leaves a field as it is, an empty text clears it.
package struct ProfileChange: Sendable {
    package var nickname: String?
    package var avatar: String?
    package var bio: String?
    package var email: String?
    package var phone: String?
    package var strangersMayWrite: Bool?

    package init(
        nickname: String? = nil, avatar: String? = nil, bio: String? = nil, email: String? = nil, phone: String? = nil,
        strangersMayWrite: Bool? = nil
    ) {
        self.nickname = nickname
        self.avatar = avatar
        self.bio = bio
        self.email = email
        self.phone = phone
        self.strangersMayWrite = strangersMayWrite
    }

    /// The same change with every field checked and in the form in which it is kept.
    func checked() throws(Fault) -> ProfileChange {
        var result = self
        if let nickname { result.nickname = try AccountRules.nickname(nickname) }
        if let avatar { result.avatar = try AccountRules.avatar(avatar) }
        if let bio { result.bio = try AccountRules.bio(bio) }
        if let email { result.email = try AccountRules.email(email) }
        if let phone { result.phone = try AccountRules.phone(phone) }
        return result
    }
}

/// Who wants to sign in, and from where.
package struct Credentials: Sendable {
    package let username: String
    package let password: String
    package let device: DeviceKind
    /// Nil for the default app.
    package let app: AppID?

    package init(username: String, password: String, device: DeviceKind = .web, app: AppID? = nil) {
        self.username = username
        self.password = password
        self.device = device
        self.app = app
    }
}

/// A short-lived token to act with and a token to get the next pair with.
package struct TokenPair: Sendable {
    package let accessToken: String
    package let refreshToken: String
    /// Of the access token.
    package let lifetime: Duration
}

/// An account that has just signed in.
package struct SignedIn: Sendable {
    package let account: Account
    package let tokens: TokenPair
}

/// A sign-in that has ended, or, with `family` 0, all of a user up to that time, or with `withoutFamily` those of their
/// sessions and tokens that belong to no sign-in.
struct Revocation: Sendable, Equatable {
    /// Guests, sign-ins by number and operators' tokens: their callers' family is 0.
    static let withoutFamily: Int64 = -1

    let id: Int64
    let user: UserID
    let family: Int64
    let reason: String
    let at: Instant
}
