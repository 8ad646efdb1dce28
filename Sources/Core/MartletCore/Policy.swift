/// What a member is to a group.
package enum GroupRole: String, Sendable, CaseIterable {
    case owner, admin, member
}

/// How a group is joined.
package enum JoinMode: String, Sendable, CaseIterable {
    /// Whoever likes to.
    case open
    /// After an owner's or admin's word.
    case approval
    /// By invitation of an owner or admin only.
    case closed
}

/// Where two users stand with one another, seen from the one who acts.
package enum Relation: Sendable, CaseIterable {
    case friend
    /// Not friends, and the other side lets strangers write.
    case stranger
    /// Not friends, and the other side does not.
    case strangerRefused
    /// The other side blocked the one who acts.
    case blockedByThem
    /// The one who acts blocked the other side.
    case blockedByMe
}

/// What the caller is to a conversation: the facts that a decision needs.
package enum Standing: Sendable {
    case direct(Relation)
    /// Member of the group with a role, and until when they and all plain members are muted.
    case member(GroupRole, mutedUntil: Instant, allMutedUntil: Instant)
    /// The group exists, the caller is not in it.
    case outsider
    /// A room of the caller's app, and whether a session of theirs is in it.
    case room(isHere: Bool)
    /// The caller's own inbox.
    case ownInbox
    /// A direct conversation of the caller's with one who is not there, is another app's or a guest: never tell which.
    case nobody
    /// Another app's, another user's inbox, or not there at all: never tell which.
    case nothing
}

/// Who posts messages, or looks into a room, without a session.
package enum Poster: Sendable {
    /// A product's own server, known by an API key: of one app, or of every app where it is nil.
    case backend(app: AppID?)
    /// Somebody known by an access token.
    case account(Caller)
    /// Nobody that is known. Made only where the operator opened the calls.
    case anyone
}

/// The kind of place that a message is posted to.
package enum PostingPlace: Sendable {
    /// The app's world room.
    case room
    /// The inbox of this user.
    case inbox(of: UserCard)
    /// A direct conversation or a group, where the sender's right to write counts as well.
    case conversation
}

/// Who may do what: the one place that decides. Pure functions from facts to a decision; the features gather the facts, the edges ask no
/// questions of their own.
package enum Policy {
    /// What is done with a conversation.
    package enum ConversationAction: Sendable, CaseIterable {
        /// See events, cursors and members.
        case read
        /// Add a message, an edit or a reaction.
        case write
        /// Mark as read or delivered, pin, mute, hide.
        case follow
        /// Say that one is typing.
        case type
    }

    /// What is done to a group by somebody in it.
    package enum GroupAction: Sendable, CaseIterable {
        case invite, kick, setRole, muteOne, muteAll, transfer, edit, dissolve, answerRequests, leave
    }

    package static func require(_ action: ConversationAction, _ standing: Standing, role: Role, now: Instant)
        throws(Fault)
    {
        switch standing {
        case .nothing: throw Fault(.unknownConversation, "there is no such conversation")
        case .outsider: throw Fault(.notAMember, "only members may do this")
        case .direct where role == .guest, .nobody where role == .guest:
            throw Fault(.guestsRefused, "guests may only use rooms")
        case .nobody: throw Fault(.unknownUser, "there is no such user")
        case .direct(let relation):
            guard action == .write || action == .type else { return }
            try requireWriting(relation)
        case .member(let memberRole, let mutedUntil, let allMutedUntil):
            guard action == .write || action == .type else { return }
            let until = memberRole == .member ? max(mutedUntil, allMutedUntil) : mutedUntil
            guard until <= now else { throw muted(until, now) }
        case .room(let isHere):
            guard isHere else { throw Fault(.notAMember, "enter the room first") }
            if action == .follow { throw Fault(.notAllowed, "a room keeps no cursors") }
        case .ownInbox:
            guard action == .read || action == .follow else { throw Fault(.notAllowed, "nobody writes to an inbox") }
        }
    }

    private static func requireWriting(_ relation: Relation) throws(Fault) {
        switch relation {
        case .friend, .stranger: return
        case .strangerRefused: throw Fault(.strangersRefused, "this user takes messages of friends only")
        case .blockedByThem: throw Fault(.blocked, "this user does not take your messages")
        case .blockedByMe: throw Fault(.blocked, "you blocked this user")
        }
    }

    private static func muted(_ until: Instant, _ now: Instant) -> Fault {
        Fault(.muted, "muted for now", retryAfter: until == .distantFuture ? nil : until - now)
    }

    /// `target` is the role of the member that the action is about, where it is about one.
    package static func require(
        _ action: GroupAction, by role: GroupRole?, on target: GroupRole? = nil, joinMode: JoinMode = .approval
    ) throws(Fault) {
        guard let role else { throw Fault(.notAMember, "only members may do this") }
        let isAllowed: Bool
        switch action {
        case .invite: isAllowed = joinMode == .open || role != .member
        case .kick, .muteOne: isAllowed = role == .owner && target != .owner || role == .admin && target == .member
        case .muteAll, .edit, .answerRequests: isAllowed = role != .member
        case .setRole: isAllowed = role == .owner && target != .owner
        case .transfer: isAllowed = role == .owner && target != .owner
        case .dissolve: isAllowed = role == .owner
        case .leave:
            guard role != .owner else {
                throw Fault(.ownerMustTransfer, "the owner hands the group over or dissolves it")
            }
            isAllowed = true
        }
        guard isAllowed else { throw Fault(.notAllowed, "your role in the group does not allow this") }
    }

    /// Facts about a message that somebody wants to edit or recall.
    package struct MessageFacts: Sendable {
        package let author: UserID
        package let authorRole: GroupRole?
        package let time: Instant
        package init(author: UserID, authorRole: GroupRole?, time: Instant) {
            self.author = author
            self.authorRole = authorRole
            self.time = time
        }
    }

    /// Only the author edits, within the time limit.
    package static func requireEdit(_ message: MessageFacts, by caller: Caller, limit: Duration, now: Instant)
        throws(Fault)
    {
        guard message.author == caller.user else { throw Fault(.notAllowed, "only the author may edit a message") }
        guard now - message.time <= limit else { throw Fault(.tooLate, "this message is too old to edit") }
    }

    /// The author recalls within the time limit; a group's owner and admins recall those below them at any time.
    package static func requireRecall(
        _ message: MessageFacts, by caller: Caller, role: GroupRole?, limit: Duration, now: Instant
    ) throws(Fault) {
        if message.author == caller.user {
            guard now - message.time <= limit || role == .owner || role == .admin else {
                throw Fault(.tooLate, "this message is too old to recall")
            }
            return
        }
        let isAbove = role == .owner || (role == .admin && (message.authorRole ?? .member) == .member)
        guard isAbove else { throw Fault(.notAllowed, "only the author may recall a message") }
    }

    /// Bans and the like, within the administrator's own app.
    package static func requireAdministrator(_ caller: Caller) throws(Fault) {
        guard caller.role == .admin else { throw Fault(.notAllowed, "only administrators may do this") }
    }

    /// Friends, groups and one's own profile are for accounts with a password or token.
    package static func requireAccount(_ caller: Caller) throws(Fault) {
        guard caller.role != .guest else { throw Fault(.guestsRefused, "guests may only use rooms") }
    }

    // MARK: Without a session

    /// Throws unless the poster may speak in an app as `sender` in such a place. In a conversation the sender needs the
    /// right to write besides.
    package static func requirePosting(
        by poster: Poster, in app: AppID, as sender: UserCard, to place: PostingPlace
    ) throws(Fault) {
        try requireApp(app, of: poster)
        guard sender.app == app else { throw Fault(.unknownUser, "there is no such user") }
        switch poster {
        case .backend: break
        case .account(let caller):
            guard sender.id == caller.user else { throw Fault(.notAllowed, "you may only speak as yourself") }
        case .anyone:
            guard sender.role == .guest else { throw Fault(.notAllowed, "accounts speak with a key or a token only") }
        }
        switch place {
        case .room: return
        case .inbox(let recipient):
            if case .anyone = poster, recipient.role != .guest {
                throw Fault(.notAllowed, "accounts take a key or a token")
            }
            try requireInbox(of: recipient, in: app, from: sender)
        case .conversation:
            if case .anyone = poster { throw Fault(.notAllowed, "conversations take a key or a token") }
        }
    }

    /// An inbox takes what its own user says, and what comes from a guest or goes to one: these have no direct
    /// conversations.
    private static func requireInbox(of recipient: UserCard, in app: AppID, from sender: UserCard) throws(Fault) {
        guard recipient.app == app else { throw Fault(.unknownUser, "there is no such user") }
        guard recipient.id != sender.id, recipient.role != .guest else { return }
        guard sender.role == .guest else { throw Fault(.notAllowed, "nobody writes to an inbox") }
        // A guest is a stranger to everybody.
        if !recipient.strangersMayWrite { try requireWriting(.strangerRefused) }
    }

    /// Throws unless the poster may see what is said in an app's world room and who is there, without being in it: the
    /// app's servers and all of its users may, guests included, since any of them may enter; and everybody where the
    /// calls are open.
    package static func requireWorldRoom(of app: AppID, for poster: Poster) throws(Fault) {
        try requireApp(app, of: poster)
    }

    /// Whether the poster may see who is connected to a node, of every app and with their addresses: the operator's own
    /// programs may, and where the calls are open whoever asks from the same machine without a proxy.
    package static func maySeeConnections(_ poster: Poster, isLocal: Bool) -> Bool {
        switch poster {
        case .backend(let app): app == nil
        case .account: false
        case .anyone: isLocal
        }
    }

    private static func requireApp(_ app: AppID, of poster: Poster) throws(Fault) {
        let isOwn =
            switch poster {
            case .backend(let own): own == nil || own == app
            case .account(let caller): caller.app == app
            case .anyone: true
            }
        guard isOwn else { throw Fault(.notAllowed, "this is another app") }
    }
}
