import MartletCore

/// What a command asks its runner for.
package enum ClusterChatRequest: Sendable, Equatable {
    case register(name: String, password: String)
    case addFriend(UserID)
    case createGroup(name: String, description: String)
    case joinGroup(GroupID)

    /// In characters: these clients cannot be told why a password was refused, so any but the empty one is taken.
    package static let password = 1...128

    /// Reads the data of a `Command.run`, which is the client's whole message. Throws what `JSONFields` throws, or `unknown_command` for a command that
    /// has no runner. Whoever a client says it is, is not looked at.
    package init(_ command: ClusterChatCommand, _ data: [UInt8]) throws(Fault) {
        switch command {
        case .register:
            let fields = try JSONFields(parsing: data)
            let name = try fields.text("name", Limits.username)
            let short = try fields.optionalText("pwd", Self.password, lines: true)
            let long = try fields.optionalText("password", Self.password, lines: true)
            guard let password = long ?? short else { throw .missing("password") }
            self = .register(name: name, password: password)
        case .addFriend: self = .addFriend(try JSONFields(parsing: data).user("friendid"))
        case .createGroup:
            let fields = try JSONFields(parsing: data)
            let name = try fields.text("groupname", Limits.groupName)
            let description = try fields.optionalText("groupdesc", Limits.groupDescription, lines: true)
            self = .createGroup(name: name, description: description ?? "")
        case .joinGroup: self = .joinGroup(try JSONFields(parsing: data).group("groupid"))
        case .login, .chat, .groupChat, .logout, .unknown:
            throw Fault(.unknownCommand, "there is no such command", field: "msgid")
        }
    }

    /// What the runner of a registration returns, for `ClusterChatDialect.answer`: the new user's number.
    package static func registered(_ user: UserID) -> [UInt8] { Array(String(user.value).utf8) }
}
