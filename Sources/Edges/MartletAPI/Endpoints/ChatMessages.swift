import MartletCore
import MartletMessaging
import MartletWire

// What the endpoints of messages and conversations read and write.

// MARK: Inputs

extension ChatEndpoints {
    struct SendInput: JSONInput {
        let destination: Destination
        let clientId: String
        let kind: EventKind
        let content: [UInt8]

        init(_ fields: borrowing JSONFields) throws(Fault) {
            let conversation = try fields.optionalConversation("conversationId")
            let user = try fields.optionalUser("to")
            clientId = try fields.clientId()
            let type = try fields.text("type", 1...32)
            content = try fields.object("content")
            switch (conversation, user) {
            case (.some(let conversation), nil): destination = .conversation(conversation)
            case (nil, .some(let user)): destination = .user(user)
            case (.some, .some): throw .invalid("to", "either conversationId or to is expected")
            case (nil, nil): throw .missing("conversationId")
            }
            guard let kind = EventKind.message(named: type) else {
                throw Fault(.unknownType, "there is no such type of message", field: "type")
            }
            self.kind = kind
        }
    }

    struct EditInput: JSONInput {
        let conversation: ConversationID
        let target: Int64
        let clientId: String
        let content: [UInt8]

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            target = try fields.seq("target")
            clientId = try fields.clientId()
            content = try fields.object("content")
        }
    }

    struct RecallInput: JSONInput {
        let conversation: ConversationID
        let target: Int64
        let clientId: String

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            target = try fields.seq("target")
            clientId = try fields.optionalClientId() ?? ""
        }
    }

    struct ReactInput: JSONInput {
        let conversation: ConversationID
        let target: Int64
        let emoji: String
        let on: Bool
        let clientId: String

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            target = try fields.seq("target")
            emoji = try fields.text("emoji", Limits.emojiBytes)
            on = try fields.optionalFlag("on") ?? true
            clientId = try fields.optionalClientId() ?? ""
        }
    }

    struct HistoryInput: JSONInput {
        let conversation: ConversationID
        let position: HistoryPosition
        let limit: Int

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            let before = try fields.optionalSeq("before")
            let after = try fields.optionalInteger("after", 0...maximumIdentifier)
            limit = try fields.limit()
            switch (before, after) {
            case (nil, nil): position = .newest
            case (.some(let seq), nil): position = .before(seq)
            case (nil, .some(let seq)): position = .after(seq)
            case (.some, .some): throw .invalid("after", "either before or after is expected")
            }
        }
    }

    /// How far somebody has come.
    struct CursorInput: JSONInput {
        let conversation: ConversationID
        let seq: Int64

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            seq = try fields.integer("seq", 0...maximumIdentifier)
        }
    }

    struct SettingsInput: JSONInput {
        let conversation: ConversationID
        let change: ConversationChange

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            change = ConversationChange(
                pinned: try fields.optionalFlag("pinned"), muted: try fields.optionalFlag("muted"),
                hidden: try fields.optionalFlag("hidden"))
        }
    }

    struct CursorsInput: JSONInput {
        let conversation: ConversationID
        let page: PageInput

        init(_ fields: borrowing JSONFields) throws(Fault) {
            conversation = try fields.conversation("conversationId")
            page = try PageInput(fields)
        }
    }
}

// MARK: Outputs

extension ChatEndpoints {
    struct SendOutput: JSONOutput {
        let conversation: ConversationID
        let receipt: Receipt

        static let example = SendOutput(
            conversation: .direct(UserID(unchecked: 5), UserID(unchecked: 9)),
            receipt: Receipt(
                seq: 42, ordinal: 123_456, time: Instant(milliseconds: 1_640_995_200_123), isRepeat: false))

        func write(to object: inout JSONObject) {
            object.field("conversationId", conversation)
            object.field("seq", receipt.seq)
            object.field("messageId", receipt.ordinal)
            object.field("time", receipt.time)
        }
    }

    struct SeqOutput: JSONOutput {
        let seq: Int64
        static let example = SeqOutput(seq: 43)
        func write(to object: inout JSONObject) { object.field("seq", seq) }
    }

    struct ReadOutput: JSONOutput {
        let readSeq: Int64
        let unread: Int

        static let example = ReadOutput(readSeq: 42, unread: 0)

        func write(to object: inout JSONObject) {
            object.field("readSeq", readSeq)
            object.field("unread", unread)
        }
    }

    struct HistoryOutput: JSONOutput {
        let page: HistoryPage

        static let example = HistoryOutput(page: .example)

        func write(to object: inout JSONObject) {
            object.field("items", page.items)
            object.optional("nextCursor", page.nextCursor)
            object.field("firstSeq", page.firstSeq)
            object.field("lastSeq", page.lastSeq)
        }
    }

    struct SettingsOutput: JSONOutput {
        let conversation: ConversationID
        let settings: ConversationSettings

        static let example = SettingsOutput(conversation: .group(GroupID(unchecked: 12)), settings: .example)

        func write(to object: inout JSONObject) {
            object.field("conversationId", conversation)
            object.field("pinned", settings.pinned)
            object.field("muted", settings.muted)
            object.field("hidden", settings.hidden)
        }
    }

    struct CursorOutput: JSONOutput {
        let cursor: MemberCursor

        static let example = CursorOutput(cursor: .example)

        func write(to object: inout JSONObject) {
            object.field("userId", cursor.user)
            object.field("readSeq", cursor.readSeq)
            object.field("deliveredSeq", cursor.deliveredSeq)
        }
    }

    struct ConversationOutput: JSONOutput {
        enum Kind: String, CaseIterable { case direct, group }

        let summary: ConversationSummary

        static let example = ConversationOutput(summary: .example)

        func write(to object: inout JSONObject) {
            object.field("conversationId", summary.conversation)
            object.choice("kind", summary.group == nil ? Kind.direct : .group)
            object.field("title", summary.title)
            object.field("avatar", summary.avatar)
            object.optional("peer", summary.peer)
            object.optional("groupId", summary.group)
            object.field("lastSeq", summary.lastSeq)
            object.field("firstSeq", summary.firstSeq)
            object.field("readSeq", summary.readSeq)
            object.field("unread", summary.unread)
            object.optional("lastMessage", summary.lastMessage)
            object.field("lastTime", summary.lastTime)
            object.field("pinned", summary.pinned)
            object.field("muted", summary.muted)
            object.optional("peerReadSeq", summary.peerCursor?.readSeq)
            object.optional("peerDeliveredSeq", summary.peerCursor?.deliveredSeq)
        }
    }
}
