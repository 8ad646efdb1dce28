import MartletCore

/// What nodes tell one another besides events. None of it is stored; all of it may be lost.
package enum Signal: Sendable {
    case typing(ConversationID, by: UserID, to: Audience)
    case read(ConversationID, by: UserID, seq: Int64, to: Audience)
    case delivered(ConversationID, by: UserID, seq: Int64, to: Audience)
    case presence(UserID, online: Bool, to: [UserID])
    case room(ConversationID, user: UserID, username: String, here: Bool)
    /// What sessions remember of who may write here is out of date. With a user: only for that one. For an inbox: who
    /// may write to its user directly.
    case rightsChanged(ConversationID, UserID?)
    /// Live sessions of the user end at once: those of one sign-in, or all but `except` where `family` is 0.
    case revoked(UserID, family: Int64, except: Int64, RevocationReason)
}

/// Who a signal is for.
package enum Audience: Sendable {
    /// Everybody who follows the conversation.
    case followers
    case users([UserID])
}

/// Why live sessions end.
package enum RevocationReason: String, Sendable {
    case signedOut = "signed_out", banned, passwordChanged = "password_changed"
}

/// Carries committed events and signals to every node with somebody interested.
package protocol Broker: Sendable {
    /// Events just committed, in the order of the log.
    func publish(_ events: [Event])
    /// Returns once this node's sessions have seen the signal; others follow.
    func publish(_ signal: Signal) async
    /// As above, for signals that nobody waits for.
    func post(_ signal: Signal)
}

/// Where a node's broker delivers to: the gateway.
package protocol BrokerReceiver: AnyObject, Sendable {
    func receive(_ events: [Event])
    /// Calls `done` once every loop has seen the signal.
    func receive(_ signal: Signal, done: (@Sendable () -> Void)?)
}
