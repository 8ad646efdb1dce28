import MartletCore
import MartletLog
import MartletSQL
import MartletWire

/// What a sync has to say of one conversation.
package struct SyncConversation: Sendable {
    package let conversation: ConversationID
    /// Ascending, without gaps.
    package let events: [EventOutput]
    /// The oldest event that the caller may read.
    package let firstSeq: Int64
    /// The newest event.
    package let lastSeq: Int64
    package let readSeq: Int64
    package let unread: Int
    /// There are events after `through`; the client asks on before anything of this conversation is pushed.
    package let more: Bool
    /// The events after the client's cursor are gone, or the cursor is of a log that is gone; the answer begins at `firstSeq`. With `lastSeq` 0
    /// nothing is left.
    package let reset: Bool
    /// The last event that the answer covers: pushes go on behind it. Not written.
    package let through: Int64

    package init(
        conversation: ConversationID, events: [EventOutput], firstSeq: Int64, lastSeq: Int64, readSeq: Int64,
        unread: Int,
        more: Bool, reset: Bool, through: Int64
    ) {
        self.conversation = conversation
        self.events = events
        self.firstSeq = firstSeq
        self.lastSeq = lastSeq
        self.readSeq = readSeq
        self.unread = unread
        self.more = more
        self.reset = reset
        self.through = through
    }
}

/// The answer to a sync: the conversations with news, the inbox first, then those last active.
package struct SyncResult: Sendable {
    package let conversations: [SyncConversation]

    package init(conversations: [SyncConversation]) { self.conversations = conversations }
}

/// Brings a returning session up to date.
package struct Sync: Sendable {
    private let database: any Database
    private let log: any EventLog
    private let reader: EventReader
    /// Bytes of contents in one answer. Conversations past it are answered with `more` and no events, or, where the client holds nothing of
    /// them, with their newest event only.
    private static let answerBytes = 1 << 20

    package init(database: any Database, log: any EventLog, reader: EventReader) {
        self.database = database
        self.log = log
        self.reader = reader
    }

    /// - `cursors`: the last event that the client has, by conversation. Those that the caller may not read are passed over; a group that the
    ///   caller's app does not know is one that was lost.
    /// - `limit`: events for each conversation.
    /// - `rooms`: those that the session is in.
    package func sync(
        _ caller: Caller, cursors: [(ConversationID, Int64)], limit: Int, rooms: [ConversationID]
    ) async throws(Fault) -> SyncResult {
        let named = Dictionary(cursors, uniquingKeysWith: { _, last in last })
        let own = try await database.read { connection throws(Fault) in
            let groups = GroupStore(connection: connection)
            return (
                participants: try ParticipantStore(connection: connection).all(of: caller.user),
                memberships: try groups.memberships(of: caller.user),
                lostGroups: try groups.unknown(among: Self.groups(in: named), app: caller.app)
            )
        }
        let candidates = Self.candidates(caller, own.participants, own.memberships, rooms, named)
        let bounds = try await log.bounds(candidates.map(\.conversation))
        // The log is not asked for these: one of them may be another app's, and must look like one that is not there.
        let lost = own.lostGroups.map { SyncPlan.Candidate(conversation: .group($0), firstSeq: 1) }
        let steps = SyncPlan.steps(candidates + lost, bounds, cursors: named)
        let parts = try await read(steps, bounds, limit: limit)

        let readSeqs = Dictionary(
            own.participants.map { ($0.conversation, $0.readSeq) }, uniquingKeysWith: { one, _ in one })
        let counted = steps.filter { if case .room = $0.conversation { false } else { bounds[$0.conversation] != nil } }
            .map { ($0.conversation, max(readSeqs[$0.conversation] ?? 0, $0.firstSeq - 1)) }
        let unread = try await log.unread(Dictionary(counted, uniquingKeysWith: { one, _ in one }), for: caller.user)
        let outputs = try await reader.outputs(parts.map(\.page))
        return SyncResult(
            conversations: zip(parts, outputs).map { part, events in
                part.answer(
                    events, readSeq: readSeqs[part.step.conversation], unread: unread[part.step.conversation] ?? 0)
            })
    }

    /// The direct conversations of these users, each once; for whoever watches that none of their events is missed.
    package func directs(of users: [UserID]) async throws(Fault) -> [ConversationID] {
        try await database.read { connection throws(Fault) in
            try ParticipantStore(connection: connection).directs(of: users)
        }
    }

    private static func groups(in cursors: [ConversationID: Int64]) -> [GroupID] {
        cursors.compactMap { conversation, cursor in
            guard cursor > 0, case .group(let id) = conversation else { return nil }
            return id
        }
    }

    private static func candidates(
        _ caller: Caller, _ participants: [Participant], _ memberships: [GroupID: GroupStore.Membership],
        _ rooms: [ConversationID], _ cursors: [ConversationID: Int64]
    ) -> [SyncPlan.Candidate] {
        var candidates = [SyncPlan.Candidate(conversation: .inbox(caller.user), firstSeq: 1)]
        // A direct conversation is that of its two sides, also where a restored database does not know yet that they ever met.
        for direct in Set(participants.map(\.conversation)).union(cursors.keys) {
            guard case .direct = direct, direct.peer(of: caller.user) != nil else { continue }
            candidates.append(.init(conversation: direct, firstSeq: 1))
        }
        for (group, membership) in memberships {
            candidates.append(.init(conversation: .group(group), firstSeq: membership.fromSeq))
        }
        for room in Set(rooms) {
            guard case .room(caller.app, _) = room else { continue }
            candidates.append(.init(conversation: room, firstSeq: 1))
        }
        return candidates
    }

    // MARK: Reading

    /// One conversation's share of the answer, before names and counts are known.
    private struct Part: Sendable {
        let step: SyncPlan.Step
        let page: LogPage
        let reset: Bool
        /// Nothing was read for want of room in the answer; it would have begun behind this event.
        var putOffAfter: Int64?

        func answer(_ events: [EventOutput], readSeq: Int64?, unread: Int) -> SyncConversation {
            let through = page.events.last?.seq ?? putOffAfter ?? page.bounds.last
            let isRoom = if case .room = step.conversation { true } else { false }
            return SyncConversation(
                conversation: step.conversation, events: events, firstSeq: max(page.bounds.first, step.firstSeq),
                lastSeq: page.bounds.last,
                // Nobody keeps a cursor in a room: there is nothing unread.
                readSeq: isRoom ? page.bounds.last : max(readSeq ?? 0, step.firstSeq - 1), unread: unread,
                more: putOffAfter != nil || through < page.bounds.last, reset: reset, through: through)
        }
    }

    private func read(
        _ steps: [SyncPlan.Step], _ bounds: [ConversationID: LogBounds], limit: Int
    ) async throws(Fault) -> [Part] {
        var parts: [Part] = []
        var room = Self.answerBytes
        for step in steps {
            guard let known = bounds[step.conversation] else {
                parts.append(Part(step: step, page: .nothing(.empty), reset: true))
                continue
            }
            guard room > 0 || step.cursor == nil else {
                let after = SyncPlan.reading(step, known).from - 1
                parts.append(Part(step: step, page: .nothing(known), reset: false, putOffAfter: after))
                continue
            }
            let part = try await read(step, known, limit: room > 0 ? limit : 1)
            room -= part.page.events.reduce(0) { $0 + ($1.body?.count ?? 0) + 128 }
            parts.append(part)
        }
        return parts
    }

    private func read(_ step: SyncPlan.Step, _ known: LogBounds, limit: Int) async throws(Fault) -> Part {
        let reading = SyncPlan.reading(step, known)
        let page = try await log.read(
            step.conversation, reading.from...maximumIdentifier, limit: limit, newest: reading.newest)
        // Trimmed between the two reads: what the page says of the bounds counts, too.
        let reset = reading.reset || SyncPlan.reading(step, page.bounds).reset
        return Part(step: step, page: page, reset: reset)
    }
}

extension LogPage {
    fileprivate static func nothing(_ bounds: LogBounds) -> LogPage {
        LogPage(events: [], amendments: [], bounds: bounds)
    }
}

// MARK: Writing

extension SyncConversation: JSONOutput {
    package static let example = SyncConversation(
        conversation: .direct(UserID(unchecked: 5), UserID(unchecked: 9)), events: [EventOutput.example], firstSeq: 1,
        lastSeq: 42,
        readSeq: 41, unread: 1, more: false, reset: false, through: 42)

    package func write(to object: inout JSONObject) {
        object.field("conversationId", conversation)
        object.field("events", events)
        object.field("firstSeq", firstSeq)
        object.field("lastSeq", lastSeq)
        object.field("readSeq", readSeq)
        object.field("unread", unread)
        object.optional("more", more ? true : nil)
        object.optional("reset", reset ? true : nil)
    }
}

extension SyncResult: JSONOutput {
    package static let example = SyncResult(conversations: [.example])

    package func write(to object: inout JSONObject) { object.field("conversations", conversations) }
}
