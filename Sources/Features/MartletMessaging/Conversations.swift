import MartletCore
import MartletLog
import MartletSQL
import MartletWire

/// A conversation in somebody's list.
package struct ConversationSummary: Sendable {
    package let conversation: ConversationID
    /// The other side's name, or the group's.
    package let title: String
    /// Empty for groups.
    package let avatar: String
    package let peer: UserID?
    package let group: GroupID?
    package let firstSeq: Int64
    package let lastSeq: Int64
    package let readSeq: Int64
    package let unread: Int
    /// The newest event that is a message, if the caller may read it.
    package let lastMessage: EventOutput?
    package let lastTime: Instant
    package let pinned: Bool
    package let muted: Bool
    /// How far the other side of a direct conversation is.
    package let peerCursor: MemberCursor?
}

/// Changes to one's own view of a conversation; nil leaves a setting as it is.
package struct ConversationChange: Sendable {
    package var pinned: Bool?
    package var muted: Bool?
    package var hidden: Bool?

    package init(pinned: Bool? = nil, muted: Bool? = nil, hidden: Bool? = nil) {
        self.pinned = pinned
        self.muted = muted
        self.hidden = hidden
    }
}

/// One's own view of a conversation.
package struct ConversationSettings: Sendable, Equatable {
    package let pinned: Bool
    package let muted: Bool
    package let hidden: Bool
}

/// The list of somebody's conversations, derived from the log at every look, and their settings.
package struct Conversations: Sendable {
    private let access: ConversationAccess
    private let database: any Database
    private let log: any EventLog
    private let users: any UserDirectory
    private let reader: EventReader
    private let clock: any TimeSource

    package init(
        access: ConversationAccess, database: any Database, log: any EventLog, users: any UserDirectory,
        reader: EventReader,
        clock: any TimeSource
    ) {
        self.access = access
        self.database = database
        self.log = log
        self.users = users
        self.reader = reader
        self.clock = clock
    }

    // MARK: The list

    /// Direct conversations with events and groups, pinned ones first, then by last activity; hidden ones are left out.
    package func list(
        _ caller: Caller, limit: Int, cursor: String?
    ) async throws(Fault) -> MessagingPage<ConversationSummary> {
        try Policy.requireAccount(caller)
        let start = try cursor.map { text throws(Fault) in try ConversationRules.Place(cursor: text) }
        let entries = try await entries(of: caller.user).filter { entry in start.map { $0 < entry.place } ?? true }
        let page = MessagingPage.of(Array(entries.prefix(limit + 1)), limit: limit) { $0.place.cursor }
        let facts = try await facts(page.items, caller)
        return page.map { $0.summary(facts, caller) }
    }

    /// A conversation with what the order of the list needs.
    fileprivate struct Entry: Sendable {
        let participant: Participant
        let membership: GroupStore.Membership?
        let bounds: LogBounds

        var place: ConversationRules.Place {
            .init(pinned: participant.pinned, time: bounds.lastTime, conversation: participant.conversation)
        }
        var firstSeq: Int64 { membership?.fromSeq ?? 1 }
        var readSeq: Int64 { max(participant.readSeq, firstSeq - 1) }
    }

    private func entries(of user: UserID) async throws(Fault) -> [Entry] {
        let own = try await database.read { connection throws(Fault) in
            (
                participants: try ParticipantStore(connection: connection).all(of: user),
                memberships: try GroupStore(connection: connection).memberships(of: user)
            )
        }
        let bounds = try await log.bounds(own.participants.map(\.conversation))
        let entries = own.participants.compactMap { participant -> Entry? in
            guard let bounds = bounds[participant.conversation], bounds.last > 0 else { return nil }
            switch participant.conversation {
            case .direct: return Entry(participant: participant, membership: nil, bounds: bounds)
            case .group(let id):
                return own.memberships[id].map { Entry(participant: participant, membership: $0, bounds: bounds) }
            case .room, .inbox: return nil
            }
        }
        return try await shown(entries).sorted { $0.place < $1.place }
    }

    private func shown(_ entries: [Entry]) async throws(Fault) -> [Entry] {
        let hidden = entries.filter { $0.participant.hiddenSeq > 0 }.map(\.participant.conversation)
        guard !hidden.isEmpty else { return entries }
        let messages = try await log.lastMessages(hidden)
        return entries.filter {
            !ConversationRules.isHidden(
                $0.participant.hiddenSeq, lastMessage: messages[$0.participant.conversation]?.seq)
        }
    }

    // MARK: A page of it

    /// What is looked up once for a page.
    fileprivate struct Facts: Sendable {
        let unread: [ConversationID: Int]
        let messages: [ConversationID: EventOutput]
        let peers: [UserID: UserCard]
        let cursors: [ConversationID: MemberCursor]
    }

    private func facts(_ entries: [Entry], _ caller: Caller) async throws(Fault) -> Facts {
        let cursors = entries.map { ($0.participant.conversation, $0.readSeq) }
        let unread = try await log.unread(Dictionary(cursors, uniquingKeysWith: { one, _ in one }), for: caller.user)
        let directs = entries.map(\.participant.conversation).filter { if case .direct = $0 { true } else { false } }
        let peerCursors = try await database.read { connection throws(Fault) in
            try ParticipantStore(connection: connection).peers(of: caller.user, in: directs)
        }
        return Facts(
            unread: unread, messages: try await lastMessages(entries),
            peers: try await users.cards(directs.compactMap { $0.peer(of: caller.user) }), cursors: peerCursors)
    }

    /// The newest messages in their present state.
    private func lastMessages(_ entries: [Entry]) async throws(Fault) -> [ConversationID: EventOutput] {
        let newest = try await log.lastMessages(entries.map(\.participant.conversation))
        var pages: [LogPage] = []
        for entry in entries {
            guard let event = newest[entry.participant.conversation], event.seq >= entry.firstSeq else { continue }
            // Only what has events behind it can have been edited or reacted to.
            let page =
                event.seq == entry.bounds.last
                ? LogPage(events: [event], amendments: [], bounds: entry.bounds)
                : try await log.read(event.conversation, event.seq...event.seq, limit: 1, newest: false)
            pages.append(page)
        }
        let outputs = try await reader.outputs(pages)
        var messages: [ConversationID: EventOutput] = [:]
        for (page, output) in zip(pages, outputs) {
            if let event = page.events.first, let output = output.first { messages[event.conversation] = output }
        }
        return messages
    }

    // MARK: Settings

    /// Pins, mutes or hides; the caller's other devices hear of it through the inbox.
    package func set(
        _ caller: Caller, _ conversation: ConversationID, _ change: ConversationChange
    ) async throws(Fault) -> ConversationSettings {
        _ = try await access.allowed(.follow, caller, conversation)
        if case .inbox = conversation { throw Fault(.notAllowed, "the inbox has no settings") }
        let lastMessage = try await log.lastMessages([conversation])[conversation]?.seq
        let (log, now) = (log, clock.now)
        return try await log.transact { (connection, drafts) throws(Fault) in
            let store = ParticipantStore(connection: connection)
            let before = try store.find(caller.user, conversation)
            let wasHidden = ConversationRules.isHidden(before?.hiddenSeq ?? 0, lastMessage: lastMessage)
            let old = ConversationSettings(
                pinned: before?.pinned ?? false, muted: before?.muted ?? false, hidden: wasHidden)
            let new = ConversationSettings(
                pinned: change.pinned ?? old.pinned, muted: change.muted ?? old.muted,
                hidden: change.hidden ?? old.hidden)
            guard new != old else { return new }
            let hiddenSeq = new.hidden ? max(1, try log.lastSeq(conversation, in: connection)) : 0
            try store.set(
                caller.user, conversation, pinned: new.pinned, muted: new.muted, hiddenSeq: hiddenSeq, now: now)
            drafts.append(ConversationEvents.settings(conversation, new, of: caller.user))
            return new
        }
    }
}

extension Conversations.Entry {
    func summary(_ facts: Conversations.Facts, _ caller: Caller) -> ConversationSummary {
        let conversation = participant.conversation
        let peer = conversation.peer(of: caller.user)
        let card = peer.flatMap { facts.peers[$0] }
        let group: GroupID? = if case .group(let id) = conversation { id } else { nil }
        return ConversationSummary(
            conversation: conversation, title: membership?.name ?? card?.name ?? "", avatar: card?.avatar ?? "",
            peer: peer,
            group: group, firstSeq: max(bounds.first, firstSeq), lastSeq: bounds.last, readSeq: readSeq,
            unread: facts.unread[conversation] ?? 0, lastMessage: facts.messages[conversation],
            lastTime: bounds.lastTime,
            pinned: participant.pinned, muted: participant.muted, peerCursor: facts.cursors[conversation])
    }
}
