import MartletBus
import MartletCore
import MartletLog
import MartletSQL

/// How far people have read and received.
package struct Cursors: Sendable {
    private let access: ConversationAccess
    private let database: any Database
    private let log: any EventLog
    private let broker: any Broker
    private let clock: any TimeSource

    package init(
        access: ConversationAccess, database: any Database, log: any EventLog, broker: any Broker, clock: any TimeSource
    ) {
        self.access = access
        self.database = database
        self.log = log
        self.broker = broker
        self.clock = clock
    }

    /// Marks a conversation as read up to `seq`, never back and never past its newest event. What is read was received as well.
    package func read(
        _ caller: Caller, _ conversation: ConversationID, seq: Int64
    ) async throws(Fault) -> (readSeq: Int64, unread: Int) {
        let view = try await access.allowed(.follow, caller, conversation)
        let last = try await log.bounds([conversation])[conversation]?.last ?? 0
        let wanted = min(seq, last)
        let before = try await find(caller, conversation)
        let known = max(before?.readSeq ?? 0, view.firstSeq - 1)
        let readSeq = max(known, wanted)
        if wanted > known {
            try await advance(caller, conversation, read: wanted, delivered: wanted)
            let audience = try await audience(of: conversation, caller)
            broker.post(.read(conversation, by: caller.user, seq: wanted, to: audience))
        }
        let unread = try await log.unread([conversation: readSeq], for: caller.user)[conversation] ?? 0
        return (readSeq, unread)
    }

    /// Notes that a device of the caller has received the events up to `seq`.
    package func ack(_ caller: Caller, _ conversation: ConversationID, seq: Int64) async throws(Fault) {
        _ = try await access.allowed(.follow, caller, conversation)
        let before = try await find(caller, conversation)
        guard seq > before?.deliveredSeq ?? 0 else { return }
        let last = try await log.bounds([conversation])[conversation]?.last ?? 0
        let delivered = min(seq, last)
        guard delivered > before?.deliveredSeq ?? 0 else { return }
        try await advance(caller, conversation, read: 0, delivered: delivered)
        if let peer = conversation.peer(of: caller.user) {
            broker.post(.delivered(conversation, by: caller.user, seq: delivered, to: .users([peer])))
        }
    }

    /// The cursors of all sides or members, by ascending user.
    package func list(
        _ caller: Caller, _ conversation: ConversationID, limit: Int, cursor: String?
    ) async throws(Fault) -> MessagingPage<MemberCursor> {
        _ = try await access.allowed(.read, caller, conversation)
        let after = try NumberCursor.read(cursor)
        let rows = try await database.read { connection throws(Fault) in
            try ParticipantStore(connection: connection).cursors(conversation, after: after, limit: limit + 1)
        }
        return .of(rows, limit: limit) { String($0.user.value) }
    }

    private func find(_ caller: Caller, _ conversation: ConversationID) async throws(Fault) -> Participant? {
        try await database.read { connection throws(Fault) in
            try ParticipantStore(connection: connection).find(caller.user, conversation)
        }
    }

    private func advance(
        _ caller: Caller, _ conversation: ConversationID, read: Int64, delivered: Int64
    ) async throws(Fault) {
        let now = clock.now
        try await database.write { connection throws(Fault) in
            try ParticipantStore(connection: connection)
                .advance(caller.user, conversation, read: read, delivered: delivered, now: now)
        }
    }

    /// Who hears how far somebody has read: the other side, the members of a small group, and always the reader's own devices.
    private func audience(of conversation: ConversationID, _ caller: Caller) async throws(Fault) -> Audience {
        switch conversation {
        case .direct: return .users([caller.user] + (conversation.peer(of: caller.user).map { [$0] } ?? []))
        case .group(let id):
            let members = try await database.read { connection throws(Fault) in
                try GroupStore(connection: connection).memberCount(of: id)
            }
            return members <= Limits.announcedCursors ? .followers : .users([caller.user])
        case .room, .inbox: return .users([caller.user])
        }
    }
}
