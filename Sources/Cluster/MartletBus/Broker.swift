import MartletCore

/// What nodes tell one another besides events. None of it is stored; all of it may be lost.
package enum Signal: Sendable, Equatable {
    case typing(ConversationID, by: UserID, to: Audience)
    case read(ConversationID, by: UserID, seq: Int64, to: Audience)
    case delivered(ConversationID, by: UserID, seq: Int64, to: Audience)
    case presence(UserID, online: Bool, to: [UserID])
    case room(ConversationID, user: UserID, username: String, here: Bool)
    /// What sessions remember of who may write here is out of date. With a user: only for that one. For an inbox: who
    /// may write to its user directly.
    case rightsChanged(ConversationID, UserID?)
    /// Live sessions of the user end at once: those of one sign-in, or all but `except` where `family` is 0, or those that belong to no sign-in where it is
    /// below 0.
    case revoked(UserID, family: Int64, except: Int64, RevocationReason)
    /// Newer sign-ins took the place of these sessions of the user.
    case replaced(UserID, [SessionID])
    /// A node could not publish for a while: everybody asks the log for what was missed.
    case missed
}

/// Who a signal is for.
package enum Audience: Sendable, Equatable {
    /// Everybody who follows the conversation.
    case followers
    case users([UserID])
}

/// Why live sessions end.
package enum RevocationReason: String, Sendable, CaseIterable {
    case signedOut = "signed_out", banned, passwordChanged = "password_changed"
}

/// Carries committed events and signals to every node with somebody interested. A node gets what is published to the
/// topics that it follows (`ConversationID.topics`), and always what it publishes itself.
package protocol Broker: Sendable {
    /// Events just committed, in the order of the log.
    func publish(_ events: [Event])
    /// Returns once this node's sessions have seen the signal; others follow.
    func publish(_ signal: Signal) async
    /// As above, for signals that nobody waits for.
    func post(_ signal: Signal)

    /// True where what other nodes publish may be lost, repeated or come out of order. False in a cluster of one.
    var isLossy: Bool { get }
    /// This node has somebody interested in the topic. Counted: each call is balanced by one of `unfollow`. Returns at
    /// once.
    func follow(_ topic: ConversationID)
    func unfollow(_ topic: ConversationID)
    /// Returns once the bus delivers these topics, which are followed, or after a bounded time where it is away: then
    /// the receiver is told once it is back (`BrokerReceiver.missed`).
    func settled(_ topics: [ConversationID]) async
}

/// Where a node's broker delivers to: the gateway.
package protocol BrokerReceiver: AnyObject, Sendable {
    func receive(_ events: [Event])
    /// Calls `done` once every loop has seen the signal.
    func receive(_ signal: Signal, done: (@Sendable () -> Void)?)
    /// Events of these topics may have been lost: the receiver asks the log. Called on any thread; returns at once.
    func missed(_ topics: [ConversationID])
}

extension ConversationID {
    /// The topics that a conversation's events are published to: an inbox stands for all that concerns its user alone.
    package var topics: [ConversationID] {
        switch self {
        case .direct(let low, let high): [.inbox(low), .inbox(high)]
        case .group, .room, .inbox: [self]
        }
    }
}

/// Where a signal goes.
package enum Reach: Sendable, Equatable {
    /// To the nodes that follow one of these topics.
    case topics([ConversationID])
    case everyNode
}

extension Signal {
    package var reach: Reach {
        switch self {
        case .typing(let conversation, _, let audience), .read(let conversation, _, _, let audience),
            .delivered(let conversation, _, _, let audience):
            switch audience {
            case .followers: .topics(conversation.topics)
            case .users(let users): .topics(users.map { .inbox($0) })
            }
        case .presence(_, _, let users): .topics(users.map { .inbox($0) })
        case .room(let room, _, _, _): .topics([room])
        // It concerns whoever may write to the inbox's user.
        case .rightsChanged(.inbox, _): .everyNode
        case .rightsChanged(let conversation, _): .topics(conversation.topics)
        case .revoked(let user, _, _, _), .replaced(let user, _): .topics([.inbox(user)])
        case .missed: .everyNode
        }
    }
}
