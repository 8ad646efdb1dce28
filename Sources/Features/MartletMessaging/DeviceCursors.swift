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

    /// Notes what was written to devices, in one transaction. A cursor never moves back; of several for the same conversation
    /// the furthest counts.
    package func save(_ rows: [ReceivedCursor]) async throws(Fault) {
        let rows = MissedMessages.furthest(rows)
        guard !rows.isEmpty else { return }
        try await database.write { connection throws(Fault) in
            try DeviceCursorStore(connection: connection).advance(rows)
        }
    }

    /// What a device missed of the user's direct conversations and groups.
    ///
    /// Where nothing was ever written to the device, it begins where the user's other devices are; in a group never before
    /// the user's joining.
    ///
    /// - Returns: `positions`, the last event that the device has, of each conversation that has further ones; and `first`,
    ///   at most `limit` of the messages that others sent, with their senders' names. Those of a conversation are in their
    ///   order and none is left out before the last one of them, except those that were recalled; messages of several
    ///   conversations are in the order of their times. Where very many conversations have news, or a conversation begins
    ///   with very many events that are none of these messages, `first` has nothing of them.
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
            lines.append(page.events.filter { $0.kind.isMessage && $0.body != nil && $0.sender != user })
        }
        return (positions, try await reader.named(MissedMessages.merge(lines, limit: limit)))
    }
}

/// What a device missed: pure decisions.
enum MissedMessages {
    /// Each cursor once, its furthest place, in an order that is always the same: two that save at once don't wait for one
    /// another in a circle.
    static func furthest(_ rows: [ReceivedCursor]) -> [ReceivedCursor] {
        struct Key: Hashable {
            let user: UserID
            let device: String
            let conversation: ConversationID
        }
        var furthest: [Key: ReceivedCursor] = [:]
        for row in rows {
            let key = Key(user: row.user, device: row.device, conversation: row.conversation)
            if let known = furthest[key], known.seq >= row.seq { continue }
            furthest[key] = row
        }
        return furthest.values.sorted {
            ($0.user.value, $0.device, $0.conversation.text) < ($1.user.value, $1.device, $1.conversation.text)
        }
    }

    /// The last event that a device has of each direct conversation and group of its user, before the log is asked.
    ///
    /// - Parameter groups: the first event that the user may read, of each group of theirs.
    static func starts(
        _ participants: [Participant], _ groups: [GroupID: Int64], _ cursors: [ConversationID: Int64]
    ) -> [ConversationID: Int64] {
        var starts: [ConversationID: Int64] = [:]
        for group in groups.keys { starts[.group(group)] = cursors[.group(group)] ?? 0 }
        for participant in participants {
            let conversation = participant.conversation
            switch conversation {
            case .direct: break
            case .group(let group) where groups[group] != nil: break
            case .group, .room, .inbox: continue
            }
            starts[conversation] = cursors[conversation] ?? max(participant.readSeq, participant.deliveredSeq)
        }
        for (group, fromSeq) in groups {
            starts[.group(group), default: 0] = max(starts[.group(group)] ?? 0, fromSeq - 1)
        }
        return starts
    }

    /// Of those conversations that have further events: the last one that the device has, or that it can't get any more.
    static func positions(
        _ starts: [ConversationID: Int64], _ bounds: [ConversationID: LogBounds]
    ) -> [ConversationID: Int64] {
        var positions: [ConversationID: Int64] = [:]
        for (conversation, start) in starts {
            guard let bounds = bounds[conversation], bounds.last > start else { continue }
            positions[conversation] = max(start, bounds.first - 1)
        }
        return positions
    }

    /// The conversations that have rested longest: their news are the oldest.
    static func earliest(
        _ positions: [ConversationID: Int64], _ bounds: [ConversationID: LogBounds], limit: Int
    ) -> [ConversationID] {
        let ranked = positions.keys.map { ($0, bounds[$0]?.lastTime ?? .distantPast, $0.text) }
        return ranked.sorted { ($0.1, $0.2) < ($1.1, $1.2) }.prefix(limit).map(\.0)
    }

    /// Events of several conversations, each in its order, the earliest first.
    static func merge(_ lines: [[Event]], limit: Int) -> [Event] {
        var places = lines.map { _ in 0 }
        var merged: [Event] = []
        while merged.count < limit {
            var next: Int?
            for (index, line) in lines.enumerated() where places[index] < line.count {
                let (head, best) = (line[places[index]], next.map { lines[$0][places[$0]] })
                if let best, (best.time, best.ordinal) < (head.time, head.ordinal) { continue }
                next = index
            }
            guard let next else { break }
            merged.append(lines[next][places[next]])
            places[next] += 1
        }
        return merged
    }
}
