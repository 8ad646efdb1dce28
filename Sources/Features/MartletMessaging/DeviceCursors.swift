import MartletCore
import MartletLog
import MartletSQL

/// How far a conversation was written to a device of a user.
package struct ReceivedCursor: Sendable, Hashable {
    package let user: UserID
    /// The kind of client, such as a dialect's name.
    package let device: String
    package let conversation: ConversationID
    package let seq: Int64

    package init(user: UserID, device: String, conversation: ConversationID, seq: Int64) {
        self.user = user
        self.device = device
        self.conversation = conversation
        self.seq = seq
    }
}

/// What was written to devices that keep no cursors themselves, and what they missed.
package struct DeviceCursors: Sendable {
    /// Conversations that are read for the first messages, and events of each: all work is within these bounds.
    private static let conversations = 32
    private static let page = Limits.defaultPageSize

    private let database: any Database
    private let log: any EventLog
    private let reader: EventReader

    package init(database: any Database, log: any EventLog, reader: EventReader) {
        self.database = database
        self.log = log
        self.reader = reader
    }

    /// Notes what was written to devices, in one transaction. A cursor never moves back; of several for the same
    /// conversation the furthest counts.
    package func save(_ rows: [ReceivedCursor]) async throws(Fault) {
        let rows = MissedMessages.furthest(rows)
        guard !rows.isEmpty else { return }
        try await database.write { connection throws(Fault) in
            try DeviceCursorStore(connection: connection).advance(rows)
        }
    }

    /// What a device missed of the user's direct conversations and groups.
    ///
    /// Where nothing was ever written to the device, it begins where the user's other devices are; in a group never
    /// before the user's joining.
    ///
    /// - Returns: `positions`, the last event that the device has, of each conversation that has further ones; and
    ///   `first`, at most `limit` of the messages that others sent, with their senders' names. Those of a conversation
    ///   are in their order and none is left out before the last one of them, except those that were recalled; messages
    ///   of several conversations are in the order of their times. Where very many conversations have news, or one
    ///   begins with very many events that are none of these messages, `first` has nothing of some.
    package func missed(
        of user: UserID, device: String, limit: Int
    ) async throws(Fault) -> (positions: [ConversationID: Int64], first: [Event]) {
        let own = try await database.read { connection throws(Fault) in
            (
                participants: try ParticipantStore(connection: connection).all(of: user),
                memberships: try GroupStore(connection: connection).memberships(of: user),
                cursors: try DeviceCursorStore(connection: connection).all(of: user, device: device)
            )
        }
        let starts = MissedMessages.starts(own.participants, own.memberships.mapValues(\.fromSeq), own.cursors)
        let bounds = try await log.bounds(Array(starts.keys))
        let positions = MissedMessages.positions(starts, bounds)
        guard limit > 0 else { return (positions, []) }
        var lines: [[Event]] = []
        for conversation in MissedMessages.earliest(positions, bounds, limit: Self.conversations) {
            let start = (positions[conversation] ?? 0) + 1
            let page = try await log.read(conversation, start...maximumIdentifier, limit: Self.page, newest: false)
            lines.append(try await reader.messages(page).filter { $0.sender != user })
        }
        return (positions, MissedMessages.merge(lines, limit: limit))
    }
}
