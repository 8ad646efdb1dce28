import MartletCore

/// What there is to say to one who has signed in.
package struct Welcome: Sendable {
    package let user: UserID
    package let username: String
    package let nickname: String
    package let session: SessionID
    package let heartbeat: Duration
    package let now: Instant
    /// For dialects whose sign-ins ask for it.
    package let roster: Roster?

    /// What other people see: nickname, else username.
    package var name: String { nickname.isEmpty ? username : nickname }

    package init(
        user: UserID, username: String, nickname: String, session: SessionID, heartbeat: Duration, now: Instant,
        roster: Roster? = nil
    ) {
        self.user = user
        self.username = username
        self.nickname = nickname
        self.session = session
        self.heartbeat = heartbeat
        self.now = now
        self.roster = roster
    }
}

/// What a client without a memory comes back to.
package struct Roster: Sendable {
    package struct Person: Sendable, Equatable {
        package let id: UserID
        package let name: String
        package let isOnline: Bool

        package init(id: UserID, name: String, isOnline: Bool) {
            self.id = id
            self.name = name
            self.isOnline = isOnline
        }
    }

    package struct Member: Sendable, Equatable {
        package let person: Person
        package let role: GroupRole

        package init(_ person: Person, _ role: GroupRole) {
            self.person = person
            self.role = role
        }
    }

    package struct Group: Sendable, Equatable {
        package let id: GroupID
        package let name: String
        package let description: String
        package let members: [Member]

        package init(id: GroupID, name: String, description: String, members: [Member]) {
            self.id = id
            self.name = name
            self.description = description
            self.members = members
        }
    }

    package let friends: [Person]
    package let groups: [Group]
    /// The first messages that the client has not got, in the order of their commits.
    package let missed: [Event]
    /// What the client has of each conversation in which there is more: the last `seq` before the missed ones.
    package let positions: [ConversationID: Int64]

    package init(friends: [Person], groups: [Group], missed: [Event], positions: [ConversationID: Int64]) {
        self.friends = friends
        self.groups = groups
        self.missed = missed
        self.positions = positions
    }
}

/// What sessions are told besides events. None of it is stored; all of it may be dropped for a slow reader.
package enum Notice: Sendable, Equatable {
    case typing(ConversationID, by: UserID)
    case read(ConversationID, by: UserID, seq: Int64)
    case delivered(ConversationID, by: UserID, seq: Int64)
    case presence(UserID, isOnline: Bool)
    /// Somebody came into a room, or left it.
    case room(ConversationID, user: UserID, username: String, isHere: Bool)
    /// The node is about to leave; the client should go elsewhere within the time.
    case goAway(within: Duration)
}
