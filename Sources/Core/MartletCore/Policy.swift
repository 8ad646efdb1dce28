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
}
