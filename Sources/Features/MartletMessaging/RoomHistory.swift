import MartletCore
import MartletLog

/// A page of what was said in a room.
package struct RoomPage: Sendable {
    /// Messages in their present state, ascending, with their senders' names. Fewer than were asked for where events
    /// between them are none, or were recalled; also none at all, where there are further ones.
    package let messages: [Event]
    /// The next `before`; nil where there is nothing older.
    package let nextCursor: Int64?
    /// The oldest event that there is.
    package let firstSeq: Int64
    /// The newest event.
    package let lastSeq: Int64
}

/// Reads world rooms for those who are not in them. `Policy.requireWorldRoom` says who may.
package struct RoomHistory: Sendable {
    private let log: any EventLog
    private let reader: EventReader

    package init(log: any EventLog, reader: EventReader) {
        self.log = log
        self.reader = reader
    }

    /// Messages among the newest `limit` events of an app's world room that are older than `before`, where one is
    /// given.
    package func messages(
        in room: ConversationID, before: Int64?, limit: Int, for poster: Poster
    ) async throws(Fault) -> RoomPage {
        try Rooms.requireWorldRoom(room, for: poster)
        let upper = before.map { $0 - 1 } ?? maximumIdentifier
        guard upper >= 1 else {
            let bounds = try await log.bounds([room])[room] ?? .empty
            return RoomPage(messages: [], nextCursor: nil, firstSeq: bounds.first, lastSeq: bounds.last)
        }
        let page = try await log.read(room, 1...upper, limit: limit, newest: true)
        let oldest = page.events.first?.seq
        return RoomPage(
            messages: try await reader.messages(page),
            nextCursor: oldest.flatMap { $0 > page.bounds.first ? $0 : nil }, firstSeq: page.bounds.first,
            lastSeq: page.bounds.last)
    }
}
