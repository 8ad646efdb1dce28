import MartletCore
import MartletMessaging
import MartletWire

/// Rooms. Entering and leaving them is a matter of sessions.
package struct RoomEndpoints: Sendable {
    private let rooms: Rooms

    package init(rooms: Rooms) { self.rooms = rooms }

    package var all: [Endpoint] {
        let tag = "Rooms"
        return [
            Endpoint(.get, "/api/room/list", tag: tag, "List the rooms that people are in", list),
            Endpoint(.get, "/api/room/members", tag: tag, "List the people in a room that one is in", members),
        ]
    }

    @Sendable
    private func list(_ caller: Caller, _ input: EmptyInput) async throws(Fault) -> ListOutput<RoomOutput> {
        ListOutput(items: await rooms.list(caller).map { RoomOutput(room: $0) })
    }

    @Sendable
    private func members(_ caller: Caller, _ input: MembersInput) async throws(Fault) -> ListOutput<PersonOutput> {
        let people = try await rooms.members(caller, input.conversation, limit: input.limit)
        return ListOutput(items: people.map { PersonOutput(user: $0.id, username: $0.username, nickname: $0.nickname) })
    }
}

// MARK: Inputs and outputs

extension RoomEndpoints {
    struct MembersInput: JSONInput {
        let conversation: ConversationID
        let limit: Int

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            limit = try fields.limit()
        }
    }

    struct RoomOutput: JSONOutput {
        let room: RoomSummary

        static let example = RoomOutput(room: .example)

        func write(to object: inout JSONObject) {
            object.field("conversationId", room.conversation)
            object.field("name", room.name)
            object.field("people", room.people)
        }
    }

    struct PersonOutput: JSONOutput {
        let user: UserID
        let username: String
        let nickname: String

        static let example = PersonOutput(user: UserID(unchecked: 9), username: "bob", nickname: "Bob")

        func write(to object: inout JSONObject) {
            object.field("userId", user)
            object.field("username", username)
            object.field("nickname", nickname)
        }
    }
}
