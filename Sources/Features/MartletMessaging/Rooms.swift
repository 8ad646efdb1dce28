import MartletBus
import MartletCore

/// A room of an app, and how many people are in it.
package struct RoomSummary: Sendable, Equatable {
    package let conversation: ConversationID
    package let name: String
    package let people: Int
}

/// Rooms: open to everybody of an app, guests included; people are in one while a session of theirs is.
package struct Rooms: Sendable {
    private let access: ConversationAccess
    private let users: any UserDirectory
    private let presence: any Presence
    private let configuration: MessagingConfiguration

    package init(
        access: ConversationAccess, users: any UserDirectory, presence: any Presence,
        configuration: MessagingConfiguration
    ) {
        self.access = access
        self.users = users
        self.presence = presence
        self.configuration = configuration
    }

    /// Throws unless the caller's sessions may enter.
    package func requireEntry(_ caller: Caller, _ room: ConversationID) throws(Fault) {
        guard case .room(let app, let name) = room else {
            throw Fault(.notARoom, "only rooms are entered", field: "conversationId")
        }
        guard app == caller.app, name == nil || configuration.namedRooms else {
            throw Fault(.unknownConversation, "there is no such conversation")
        }
    }

    /// The app's world room, then the rooms that somebody is in, by name.
    package func list(_ caller: Caller) async -> [RoomSummary] {
        let world = ConversationID.room(caller.app, nil)
        var people: [ConversationID: Int] = [world: 0]
        for entry in await presence.rooms(of: caller.app) { people[entry.room] = entry.people }
        return people.map { RoomSummary(conversation: $0.key, name: Self.name($0.key), people: $0.value) }
            .sorted { ($0.conversation == world ? 0 : 1, $0.name) < ($1.conversation == world ? 0 : 1, $1.name) }
    }

    /// Who is in a room that the caller is in, at most `limit`, by ascending id.
    package func members(_ caller: Caller, _ room: ConversationID, limit: Int) async throws(Fault) -> [UserCard] {
        guard case .room = room else { throw Fault(.notARoom, "this is not a room", field: "conversationId") }
        try await access.require(.read, caller, room)
        let people = await presence.people(in: room, limit: limit).users
        let cards = try await users.cards(people)
        return people.compactMap { cards[$0] }
    }

    /// Who is in an app's world room, at most `limit` by ascending id, and how many there are in all; for those who are
    /// not in it. `Policy.requireWorldRoom` says who may.
    package func people(
        in room: ConversationID, limit: Int, for poster: Poster
    ) async throws(Fault) -> (cards: [UserCard], count: Int) {
        try Self.requireWorldRoom(room, for: poster)
        let people = await presence.people(in: room, limit: limit)
        let cards = try await users.cards(people.users)
        return (people.users.compactMap { cards[$0] }, people.count)
    }

    /// Throws unless this is an app's world room that the poster may look into.
    static func requireWorldRoom(_ room: ConversationID, for poster: Poster) throws(Fault) {
        guard case .room(let app, nil) = room else {
            throw Fault(.notARoom, "only world rooms are open to look into", field: "conversationId")
        }
        try Policy.requireWorldRoom(of: app, for: poster)
    }

    private static func name(_ room: ConversationID) -> String {
        guard case .room(_, .some(let name)) = room else { return "world" }
        return name
    }
}
