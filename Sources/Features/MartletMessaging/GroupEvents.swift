import MartletCore
import MartletWire

/// What a change of a group announces: one event in the group, notices in the inboxes of those it concerns.
struct GroupEvents: Sendable {
    enum Action: String { case create, join, leave, kick, role, mute, unmute, transfer }
    enum LeaveReason: String { case left, kicked, dissolved }

    /// Somebody that an event is about.
    struct Person: Sendable {
        let id: UserID
        let name: String
    }

    let group: GroupID
    /// Who acts.
    let by: Person

    private var conversation: ConversationID { .group(group) }

    // MARK: In the group

    /// `until` is left out where a mute has no end.
    func membership(_ action: Action, _ people: [Person], role: GroupRole? = nil, until: Instant? = nil) -> Draft {
        event(.membership) { object in
            object.field("action", action.rawValue)
            object.field("userIds", people.map(\.id))
            object.field("names", people.map(\.name))
            object.field("by", by.id)
            object.field("byName", by.name)
            object.optional("role", role?.rawValue)
            object.optional("until", until == .distantFuture ? nil : until)
        }
    }

    func changed(_ change: GroupChange) -> Draft {
        event(.group) { object in
            object.optional("name", change.name)
            object.optional("description", change.description)
            object.optional("announcement", change.announcement)
            object.optional("join", change.joinMode?.rawValue)
            object.optional("mutedUntil", change.mutedUntil)
            object.field("by", by.id)
            object.field("byName", by.name)
        }
    }

    func dissolved() -> Draft {
        event(.group) { object in
            object.field("dissolved", true)
            object.field("by", by.id)
            object.field("byName", by.name)
        }
    }

    private func event(_ kind: EventKind, _ fill: (inout JSONObject) -> Void) -> Draft {
        Draft(
            conversation: conversation, sender: by.id, senderName: by.name, kind: kind, clientId: "",
            body: JSONWriter.object(fill))
    }

    // MARK: In inboxes

    func joined(_ user: UserID, name: String, fromSeq: Int64) -> Draft {
        notice(.groupJoined, to: user) { object in
            object.field("groupId", group)
            object.field("conversationId", conversation)
            object.field("name", name)
            object.field("fromSeq", fromSeq)
        }
    }

    func left(_ user: UserID, _ reason: LeaveReason) -> Draft {
        notice(.groupLeft, to: user) { object in
            object.field("groupId", group)
            object.field("conversationId", conversation)
            object.field("reason", reason.rawValue)
        }
    }

    func invited(_ user: UserID, name: String) -> Draft {
        notice(.groupInvitation, to: user) { object in
            object.field("groupId", group)
            object.field("name", name)
            object.field("by", by.id)
            object.field("byName", by.name)
        }
    }

    /// To one of those who answer requests.
    func requested(_ leader: UserID, request: Int64, username: String, message: String) -> Draft {
        notice(.groupRequest, to: leader) { object in
            object.field("groupId", group)
            object.field("requestId", request)
            object.field("userId", by.id)
            object.field("username", username)
            object.field("message", message)
        }
    }

    func rejected(_ user: UserID, request: Int64) -> Draft {
        notice(.groupRejected, to: user) { object in
            object.field("groupId", group)
            object.field("requestId", request)
        }
    }

    private func notice(_ kind: EventKind, to user: UserID, _ fill: (inout JSONObject) -> Void) -> Draft {
        Draft(
            conversation: .inbox(user), sender: .system, senderName: "", kind: kind, clientId: "",
            body: JSONWriter.object(fill))
    }
}
