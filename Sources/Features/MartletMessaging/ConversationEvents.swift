import MartletCore
import MartletWire

/// What a change of settings announces.
enum ConversationEvents {
    /// For the user's other devices.
    static func settings(_ conversation: ConversationID, _ settings: ConversationSettings, of user: UserID) -> Draft {
        let body = JSONWriter.object { object in
            object.field("conversationId", conversation)
            object.field("pinned", settings.pinned)
            object.field("muted", settings.muted)
            object.field("hidden", settings.hidden)
        }
        return Draft(
            conversation: .inbox(user), sender: .system, senderName: "", kind: .conversationSettings, clientId: "",
            body: body)
    }
}
