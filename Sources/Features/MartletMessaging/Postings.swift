import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletWire

/// A message that comes from outside of a session: a product's server, or somebody's script, posts it.
package struct Posting: Sendable {
    package let app: AppID
    /// Names the message within its app and for its kind of poster, at most 256 bytes without U+0000. An empty one names nothing: it is never a
    /// repeat.
    package let messageId: String
    package let sender: UserCard
    package let target: PostingTarget
    package let kind: EventKind
    /// A JSON object.
    package let content: [UInt8]

    package init(
        app: AppID, messageId: String, sender: UserCard, target: PostingTarget, kind: EventKind, content: [UInt8]
    ) {
        self.app = app
        self.messageId = messageId
        self.sender = sender
        self.target = target
        self.kind = kind
        self.content = content
    }
}

/// Where a message is posted to.
package enum PostingTarget: Sendable {
    /// The app's world room.
    case room
    /// The direct conversation of sender and recipient; the recipient's inbox where one of them is a guest, or where
    /// both are the same.
    case user(UserCard)
    /// A group, or a direct conversation of the sender.
    case conversation(ConversationID)
}

/// What came of a posting.
package enum PostingOutcome: Sendable, Equatable {
    case stored(seq: Int64)
    /// A message was posted under this id in the last twelve hours: nothing is stored or sent again.
    case repeated
}

/// Messages that are posted from outside of a session. `Policy.requirePosting` says who may.
package struct Postings: Sendable {
    /// Ids that are forgotten in one go, so that writers wait little.
    private static let removal = 1000

    private let access: ConversationAccess
    private let database: any Database
    private let log: any EventLog
    private let limiter: any RateLimiter
    private let clock: any TimeSource
    private let configuration: MessagingConfiguration

    package init(
        access: ConversationAccess, database: any Database, log: any EventLog, limiter: any RateLimiter,
        clock: any TimeSource, configuration: MessagingConfiguration
    ) {
        self.access = access
        self.database = database
        self.log = log
        self.limiter = limiter
        self.clock = clock
        self.configuration = configuration
    }

    /// Stores a message once: the id and the event are one transaction, so that a repeat is one on every node and after
    /// a crash. Whoever is not a backend takes from the sender's share of messages.
    package func post(_ posting: Posting, by poster: Poster) async throws(Fault) -> PostingOutcome {
        let (conversation, place) = PostingRules.destination(posting)
        try Policy.requirePosting(by: poster, in: posting.app, as: posting.sender, to: place)
        try takeShare(of: posting.sender, poster)
        try PostingRules.check(posting)
        if case .conversation = place { try await requireRight(of: posting.sender, to: conversation) }
        return try await append(posting, conversation, by: poster)
    }

    private func takeShare(of sender: UserCard, _ poster: Poster) throws(Fault) {
        if case .backend = poster { return }
        guard let wait = limiter.take(.send(sender.id), configuration.sends, now: clock.now) else { return }
        throw Fault(.rateLimited, "too many messages", retryAfter: wait)
    }

    /// What the sender could do in a session of their own. Rooms and inboxes have their own kinds of place.
    private func requireRight(of sender: UserCard, to conversation: ConversationID) async throws(Fault) {
        switch conversation {
        case .direct, .group: break
        case .room, .inbox: throw Fault(.notAllowed, "this is neither a direct conversation nor a group")
        }
        let caller = Caller(user: sender.id, app: sender.app, role: sender.role, device: .bot, name: sender.name)
        try await access.sendRight(caller, conversation).check(now: clock.now)
    }

    /// The id and the event, in one transaction.
    private func append(
        _ posting: Posting, _ conversation: ConversationID, by poster: Poster
    ) async throws(Fault) -> PostingOutcome {
        let (log, now, id) = (log, clock.now, PostingRules.noted(posting.messageId, by: poster))
        let draft = try PostingRules.draft(posting, conversation)
        return try await log.transact(on: conversation) { (connection, drafts) throws(Fault) -> PostingOutcome in
            let store = PostingStore(connection: connection)
            if let id {
                let isNew = try store.note(id, of: posting.app, since: now - PostingRules.window, now: now)
                guard isNew else { return .repeated }
            }
            drafts.append(draft)
            return .stored(seq: try log.lastSeq(conversation, in: connection) + 1)
        }
    }

    /// Forgets ids that are of no use any more, a bounded number. Returns how many went; 0 once nothing is left to do.
    package func removeOld(now: Instant) async throws(Fault) -> Int {
        try await database.write { connection throws(Fault) in
            try PostingStore(connection: connection)
                .removeOld(before: now - PostingRules.window, limit: Self.removal)
        }
    }
}
