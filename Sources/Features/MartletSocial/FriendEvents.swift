import MartletCore
import MartletWire

/// What devices are told, in the inbox of the user concerned. Contents as in the protocol's table "Inbox".
enum FriendEvents {
    static func requested(_ id: Int64, by user: UserCard, message: String, to target: UserID) -> Draft {
        notice(.friendRequest, to: target) { object in
            object.field("requestId", id)
            write(user, to: &object)
            object.field("message", message)
        }
    }

    /// For both sides, each about the other.
    static func added(_ one: UserCard, _ other: UserCard) -> [Draft] {
        [
            notice(.friendAdded, to: one.id) { write(other, to: &$0) },
            notice(.friendAdded, to: other.id) { write(one, to: &$0) },
        ]
    }

    /// To the one who asked.
    static func rejected(_ id: Int64, by user: UserID, to target: UserID) -> Draft {
        notice(.friendRejected, to: target) { object in
            object.field("requestId", id)
            object.field("userId", user)
        }
    }

    /// For both sides, each about the other.
    static func removed(_ one: UserID, _ other: UserID) -> [Draft] {
        [
            notice(.friendRemoved, to: one) { $0.field("userId", other) },
            notice(.friendRemoved, to: other) { $0.field("userId", one) },
        ]
    }

    /// For one's own devices.
    static func remarked(_ friend: UserID, _ remark: String, to user: UserID) -> Draft {
        notice(.friendRemark, to: user) { object in
            object.field("userId", friend)
            object.field("remark", remark)
        }
    }

    /// For one's own devices: whoever is blocked is not told.
    static func blocked(_ other: UserID, _ isBlocked: Bool, to user: UserID) -> Draft {
        notice(.blockChanged, to: user) { object in
            object.field("userId", other)
            object.field("blocked", isBlocked)
        }
    }

    private static func write(_ user: UserCard, to object: inout JSONObject) {
        object.field("userId", user.id)
        object.field("username", user.username)
        object.field("nickname", user.nickname)
    }

    private static func notice(_ kind: EventKind, to user: UserID, _ fill: (inout JSONObject) -> Void) -> Draft {
        Draft(
            conversation: .inbox(user), sender: .system, senderName: "", kind: kind, clientId: "",
            body: JSONWriter.object(fill))
    }
}
