import MartletCore
import MartletMessaging
import MartletWire

/// The data of a `sync` answer.
struct SyncAnswer: JSONOutput {
    static let example = SyncAnswer(SyncResult(conversations: []))

    private let conversations: [Conversation]

    init(_ result: SyncResult) { conversations = result.conversations.map { Conversation($0) } }

    func write(to object: inout JSONObject) { object.field("conversations", conversations) }

    private struct Conversation: JSONOutput {
        static let example = Conversation(
            SyncConversation(
                conversation: .inbox(UserID(unchecked: 1)), events: [], firstSeq: 1, lastSeq: 0, readSeq: 0, unread: 0, more: false,
                reset: false, through: 0))

        private let synced: SyncConversation

        init(_ synced: SyncConversation) { self.synced = synced }

        func write(to object: inout JSONObject) {
            object.field("conversationId", synced.conversation)
            object.field("events", synced.events)
            object.field("firstSeq", synced.firstSeq)
            object.field("lastSeq", synced.lastSeq)
            object.field("readSeq", synced.readSeq)
            object.field("unread", synced.unread)
            if synced.more { object.field("more", true) }
            if synced.reset { object.field("reset", true) }
        }
    }
}
