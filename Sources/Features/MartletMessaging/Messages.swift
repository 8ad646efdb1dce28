import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletWire

/// Where a message goes.
package enum Destination: Sendable {
    case conversation(ConversationID)
    /// The direct conversation with this user.
    case user(UserID)
}

/// Sending, editing, recalling and reacting, for requests. The gateway's hot path sends by itself; it asks `ConversationAccess.sendRight` once.
package struct Messages: Sendable {
    private let access: ConversationAccess
    private let database: any Database
    private let log: any EventLog
    private let limiter: any RateLimiter
    private let clock: any TimeSource
    private let configuration: MessagingConfiguration

    package init(
        access: ConversationAccess, database: any Database, log: any EventLog, limiter: any RateLimiter,
        clock: any TimeSource,
        configuration: MessagingConfiguration
    ) {
        self.access = access
        self.database = database
        self.log = log
        self.limiter = limiter
        self.clock = clock
        self.configuration = configuration
    }

    /// Stores a message. The same `clientId` with the same payload gets the first receipt again. Throws `rate_limited` past the user's share, which
    /// requests and sessions take from together.
    package func send(
        _ caller: Caller, to destination: Destination, clientId: String, kind: EventKind, content: [UInt8]
    ) async throws(Fault) -> (conversation: ConversationID, receipt: Receipt) {
        guard kind.isMessage else { throw Fault(.unknownType, "not a type that clients send", field: "type") }
        if let wait = limiter.take(.send(caller.user), configuration.sends, now: clock.now) {
            throw Fault(.rateLimited, "too many messages", retryAfter: wait)
        }
        _ = try MessageContent.check(kind, content.span)
        let conversation = try Self.conversation(destination, caller)
        try await access.sendRight(caller, conversation).check(now: clock.now)
        let receipt = try await append(caller, conversation, kind, clientId, content)
        return (conversation, receipt)
    }

    private static func conversation(_ destination: Destination, _ caller: Caller) throws(Fault) -> ConversationID {
        switch destination {
        case .conversation(let conversation): return conversation
        case .user(let user):
            guard let conversation = ConversationID.between(caller.user, user) else {
                throw .invalid("to", "nobody writes to themselves")
            }
            return conversation
        }
    }

    /// Gives a text message of the caller another content.
    package func edit(
        _ caller: Caller, _ conversation: ConversationID, target: Int64, clientId: String, content: [UInt8]
    ) async throws(Fault) -> Receipt {
        let view = try await access.allowed(.write, caller, conversation)
        let event = try await message(target, conversation, view)
        let facts = Policy.MessageFacts(author: event.sender, authorRole: nil, time: event.time)
        try Policy.requireEdit(facts, by: caller, limit: configuration.editLimit, now: clock.now)
        guard event.kind == .text else { throw .invalid("target", "only text messages can be edited") }
        _ = try MessageContent.check(event.kind, content.span)
        let body = AmendmentBody.edit(target, content: content)
        return try await append(caller, conversation, .edit, clientId, body, target: target)
    }

    /// Takes a message back: its content is erased. Also allowed where the caller may not write any more.
    package func recall(
        _ caller: Caller, _ conversation: ConversationID, target: Int64, clientId: String = ""
    ) async throws(Fault) -> Receipt {
        let view = try await access.allowed(.read, caller, conversation)
        let event = try await message(target, conversation, view)
        let authorRole = try await role(of: event.sender, in: conversation)
        let facts = Policy.MessageFacts(author: event.sender, authorRole: authorRole, time: event.time)
        // A recalled message is the log's to judge: a retry gets the first answer, however late; any other recall is refused.
        let limit = event.body == nil ? .milliseconds(Int64.max) : configuration.recallLimit
        try Policy.requireRecall(facts, by: caller, role: view.groupRole, limit: limit, now: clock.now)
        return try await append(caller, conversation, .recall, clientId, AmendmentBody.recall(target), target: target)
    }

    /// Sets a reaction or takes it back.
    package func react(
        _ caller: Caller, _ conversation: ConversationID, target: Int64, emoji: String, on: Bool, clientId: String = ""
    ) async throws(Fault) -> Receipt {
        guard Limits.emojiBytes.contains(emoji.utf8.count) else {
            throw .invalid("emoji", "1 to 32 bytes are expected")
        }
        let view = try await access.allowed(.write, caller, conversation)
        _ = try await message(target, conversation, view)
        let body = AmendmentBody.react(target, emoji: emoji, on: on)
        return try await append(caller, conversation, .react, clientId, body, target: target)
    }

    /// The message that an amendment is about, if the caller may read it.
    private func message(
        _ seq: Int64, _ conversation: ConversationID, _ view: ConversationAccess.View
    ) async throws(Fault) -> Event {
        let page = try await log.read(conversation, seq...seq, limit: 1, newest: false)
        guard seq >= view.firstSeq, let event = page.events.first, event.kind.isMessage else {
            throw Fault(.unknownMessage, "there is no such message", field: "target")
        }
        return event
    }

    private func role(of user: UserID, in conversation: ConversationID) async throws(Fault) -> GroupRole? {
        guard case .group(let group) = conversation else { return nil }
        return try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).member(user, of: group)?.role
        }
    }

    private func append(
        _ caller: Caller, _ conversation: ConversationID, _ kind: EventKind, _ clientId: String, _ body: [UInt8],
        target: Int64? = nil
    ) async throws(Fault) -> Receipt {
        try await log.append(
            Draft(
                conversation: conversation, sender: caller.user, senderName: caller.name, kind: kind,
                clientId: clientId,
                body: body, target: target, origin: caller.session))
    }
}
