import MartletCore

/// An event in its present state: what `sync`, `history` and REST give.
package struct EventOutput: JSONOutput {
    /// Who reacted with an emoji.
    package struct Reaction: JSONOutput, Equatable {
        package static let example = Reaction(emoji: "👍", userIds: [UserID(unchecked: 5), UserID(unchecked: 9)])

        package let emoji: String
        package let userIds: [UserID]

        package init(emoji: String, userIds: [UserID]) {
            self.emoji = emoji
            self.userIds = userIds
        }

        package func write(to object: inout JSONObject) {
            object.field("emoji", emoji)
            object.field("userIds", userIds)
        }
    }

    package static let example = EventOutput(
        event: exampleEvent, name: exampleEvent.senderName, edited: nil, editedContent: nil, reactions: [.example])

    package static let exampleEvent = Event(
        conversation: .direct(UserID(unchecked: 5), UserID(unchecked: 9)), seq: 42, ordinal: 123_456,
        sender: UserID(unchecked: 5), senderName: "alice", kind: .text,
        clientId: "01890a5d-ac96-774b-bcce-b302099a8057",
        time: Instant(milliseconds: 1_640_995_200_123), body: Array("{\"text\":\"hello\"}".utf8))

    private let event: Event
    private let name: String
    private let edited: Instant?
    private let content: RawJSON
    private let reactions: [Reaction]

    /// `name` is the sender's, looked up by the reader. `edited` and `editedContent` are of the last edit; a recalled
    /// event has neither.
    package init(event: Event, name: String, edited: Instant?, editedContent: [UInt8]?, reactions: [Reaction]) {
        self.event = event
        self.name = name
        self.reactions = reactions
        if let body = event.body {
            self.edited = edited
            content = RawJSON(editedContent ?? body)
        } else {
            self.edited = nil
            content = .emptyObject
        }
    }

    package func write(to object: inout JSONObject) {
        object.field("conversationId", event.conversation)
        object.field("seq", event.seq)
        object.field("messageId", event.ordinal)
        object.field("from", event.sender)
        object.field("fromName", name)
        object.field("type", event.kind)
        object.field("content", content)
        object.field("clientId", event.clientId)
        object.field("time", event.time)
        object.optional("edited", edited)
        object.optional("recalled", event.body == nil ? true : nil)
        object.optional("reactions", reactions.isEmpty ? nil : reactions)
    }
}

extension EventKind: JSONEncodable {
    package static var schema: Schema { .string(.init(choices: allCases.map(\.name))) }
    package func write(to writer: inout JSONWriter) { writer.string(name) }
}
