/// What a clusterchat client asks for, whatever its family numbers it.
package enum ClusterChatCommand: UInt8, Sendable, CaseIterable {
    case login, register, chat, addFriend, createGroup, joinGroup, groupChat, logout
    /// A number that the family does not have.
    case unknown
}

/// The two families of clusterchat clients. They say the same in other numbers, and nothing in a client's login tells which of them it is of: each has
/// a port of its own.
package enum ClusterChatNumbering: String, Sendable, CaseIterable {
    /// As the first servers of the family number.
    case seed
    /// As the many servers that were written after a course number.
    case course

    /// The `msgid` of a command; nil for `unknown`.
    package func number(_ command: ClusterChatCommand) -> Int64? {
        switch (command, self) {
        case (.login, _): 1
        case (.register, .seed): 3
        case (.register, .course): 4
        case (.chat, .seed): 5
        case (.chat, .course): 6
        case (.addFriend, .seed): 6
        case (.addFriend, .course): 7
        case (.createGroup, .seed): 7
        case (.createGroup, .course): 8
        case (.joinGroup, .seed): 8
        case (.joinGroup, .course): 9
        case (.groupChat, .seed): 9
        case (.groupChat, .course): 10
        case (.logout, .seed): 10
        case (.logout, .course): 3
        case (.unknown, _): nil
        }
    }

    /// What a `msgid` asks for.
    package func command(_ number: Int64) -> ClusterChatCommand {
        switch (number, self) {
        case (1, _): .login
        case (3, .seed), (4, .course): .register
        case (5, .seed), (6, .course): .chat
        case (6, .seed), (7, .course): .addFriend
        case (7, .seed), (8, .course): .createGroup
        case (8, .seed), (9, .course): .joinGroup
        case (9, .seed), (10, .course): .groupChat
        case (10, .seed), (3, .course): .logout
        default: .unknown
        }
    }

    /// The `msgid` of a chat message, from a client and to one.
    package var chat: Int64 { self == .seed ? 5 : 6 }
    /// The `msgid` of a group's message, from a client and to one.
    package var groupChat: Int64 { self == .seed ? 9 : 10 }
    /// The `msgid` of the answer to a login.
    package var loginAnswer: Int64 { 2 }
    /// The `msgid` of the answer to a registration.
    package var registerAnswer: Int64 { self == .seed ? 4 : 5 }

    /// The key of a chat message's recipient, as the server writes it. Both are read.
    package var recipientKey: StaticString { self == .seed ? "to" : "toid" }
    /// The key of a login's missed messages.
    package var offlineKey: StaticString { "offlinemsg" }

    /// The `errmsg` of a login with a wrong id or password.
    package var wrongCredentials: String {
        self == .seed ? "id or password error" : "id or password is invalid!"
    }

    /// The `errmsg` of a login of somebody who is signed in already.
    package var alreadyOnline: String {
        self == .seed ? "id is online" : "this account is using, input another!"
    }
}
