/// What others need to know of an account to show it and to decide what may be done to it.
package struct UserCard: Sendable, Equatable {
    package let id: UserID
    package let app: AppID
    package let username: String
    /// Empty where none was chosen.
    package let nickname: String
    package let avatar: String
    package let role: Role
    /// Whether users who are not friends may write to this one.
    package let strangersMayWrite: Bool

    /// What people see: nickname, else username.
    package var name: String { nickname.isEmpty ? username : nickname }

    package init(
        id: UserID, app: AppID, username: String, nickname: String, avatar: String, role: Role, strangersMayWrite: Bool
    ) {
        self.id = id
        self.app = app
        self.username = username
        self.nickname = nickname
        self.avatar = avatar
        self.role = role
        self.strangersMayWrite = strangersMayWrite
    }
}

/// Looks accounts up for the other features. Answers may be some seconds old on nodes other than the one that changed the account.
package protocol UserDirectory: Sendable {
    /// The cards of those of `ids` that exist, of whatever app; the caller compares apps.
    func cards(_ ids: [UserID]) async throws(Fault) -> [UserID: UserCard]
    /// The account of that name, in any writing of upper and lower case; guests are never found.
    func find(username: String, app: AppID) async throws(Fault) -> UserCard?
}

extension UserDirectory {
    /// The card of one account, or nil where there is none.
    package func card(_ id: UserID) async throws(Fault) -> UserCard? { try await cards([id])[id] }
}
