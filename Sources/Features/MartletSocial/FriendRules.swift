import MartletCore

/// Pure decisions about friends and blocks.
package enum FriendRules {
    /// What lies between the one who acts and another.
    struct Ties: Sendable, Equatable {
        var isFriend = false
        var blockedByMe = false
        var blockedByThem = false
    }

    /// What a request's fate depends on.
    struct RequestFacts: Sendable, Equatable {
        var ties = Ties()
        /// The request of the one who asks that waits already.
        var mine: Int64?
        /// The other side's request that waits for the one who asks.
        var theirs: Int64?
        var myFriends = 0
        var theirFriends = 0
    }

    enum RequestDecision: Sendable, Equatable {
        case create
        /// One waits already.
        case keep(Int64)
        /// Both want it.
        case accept(Int64)
    }

    static let unknownUser = Fault(.unknownUser, "there is no such user")
    static let notAFriend = Fault(.unknownUser, "this user is not a friend of yours")
    static let unknownRequest = Fault(.unknownRequest, "no such request waits for your answer")

    static func requireOther(_ card: UserCard, than caller: Caller) throws(Fault) {
        guard card.id != caller.user else { throw .invalid("userId", "this is you") }
    }

    static func request(_ facts: RequestFacts) throws(Fault) -> RequestDecision {
        guard !facts.ties.isFriend else { throw Fault(.alreadyFriends, "you are friends already") }
        try requireNoBlock(facts.ties)
        if let theirs = facts.theirs {
            try requireRoom(facts)
            return .accept(theirs)
        }
        if let mine = facts.mine { return .keep(mine) }
        guard facts.myFriends < Limits.friends else { throw full }
        return .create
    }

    /// Between the asking and the answer things may have changed.
    static func requireAccepting(_ facts: RequestFacts) throws(Fault) {
        guard !facts.ties.isFriend else { throw Fault(.alreadyFriends, "you are friends already") }
        try requireNoBlock(facts.ties)
        try requireRoom(facts)
    }

    static func requireBlocking(blocked count: Int) throws(Fault) {
        guard count < Limits.friends else {
            throw Fault(.limitReached, "you cannot block more than \(Limits.friends) users")
        }
    }

    /// One's own block is named first: whoever blocked learns nothing of the other side.
    static func relation(_ ties: Ties, strangersMayWrite: Bool) -> Relation {
        if ties.blockedByMe { return .blockedByMe }
        if ties.blockedByThem { return .blockedByThem }
        if ties.isFriend { return .friend }
        return strangersMayWrite ? .stranger : .strangerRefused
    }

    private static func requireNoBlock(_ ties: Ties) throws(Fault) {
        guard !ties.blockedByMe else { throw Fault(.blocked, "you blocked this user") }
        guard !ties.blockedByThem else { throw Fault(.blocked, "this user does not take your requests") }
    }

    private static func requireRoom(_ facts: RequestFacts) throws(Fault) {
        guard facts.myFriends < Limits.friends else { throw full }
        guard facts.theirFriends < Limits.friends else {
            throw Fault(.limitReached, "this user cannot have more friends")
        }
    }

    private static let full = Fault(.limitReached, "you cannot have more than \(Limits.friends) friends")
}
