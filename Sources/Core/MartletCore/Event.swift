/// What an event is. The raw value is stored and never changes; below 32 are messages, which people read and which count as unread.
package enum EventKind: Int16, Sendable, CaseIterable {
    case text = 1, image, voice, video, file, location, card, sticker, redpacket, forward, custom
    case edit = 32, recall, react
    case membership = 48, group
    case friendRequest = 64, friendAdded, friendRejected, friendRemoved, friendRemark, blockChanged, groupInvitation,
        groupJoined,
        groupLeft, groupRequest, groupRejected, conversationSettings, profileChanged

    /// The first raw value that is not a message.
    package static let firstNonMessage: Int16 = 32

    package var isMessage: Bool { rawValue < Self.firstNonMessage }
    /// Changes another event: it names a `target`.
    package var isAmendment: Bool { self == .edit || self == .recall || self == .react }

    /// The `type` of the protocol.
    package var name: String {
        switch self {
        case .text: "text"
        case .image: "image"
        case .voice: "voice"
        case .video: "video"
        case .file: "file"
        case .location: "location"
        case .card: "card"
        case .sticker: "sticker"
        case .redpacket: "redpacket"
        case .forward: "forward"
        case .custom: "custom"
        case .edit: "edit"
        case .recall: "recall"
        case .react: "react"
        case .membership: "membership"
        case .group: "group"
        case .friendRequest: "friend_request"
        case .friendAdded: "friend_added"
        case .friendRejected: "friend_rejected"
        case .friendRemoved: "friend_removed"
        case .friendRemark: "friend_remark"
        case .blockChanged: "block_changed"
        case .groupInvitation: "group_invitation"
        case .groupJoined: "group_joined"
        case .groupLeft: "group_left"
        case .groupRequest: "group_request"
        case .groupRejected: "group_rejected"
        case .conversationSettings: "conversation_settings"
        case .profileChanged: "profile_changed"
        }
    }

    private static let messagesByName: [String: EventKind] = Dictionary(
        uniqueKeysWithValues: allCases.filter(\.isMessage).map { ($0.name, $0) })

    /// The message type that a client names; nil for one that clients may not send.
    package static func message(named name: String) -> EventKind? { messagesByName[name] }
}

/// An event that the log has not placed yet.
package struct Draft: Sendable {
    package let conversation: ConversationID
    package let sender: UserID
    /// What other people see of the sender; travels with the event while it is live, is not stored.
    package let senderName: String
    package let kind: EventKind
    /// 1 to 64 bytes of printable ASCII, unique for sender and conversation within the retry window.
    package let clientId: String
    /// The content: a JSON object, as the client wrote it.
    package let body: [UInt8]
    /// The `seq` of the event that an amendment changes.
    package let target: Int64?
    /// The session that sent, which gets the answer instead of the push.
    package let origin: SessionID

    package init(
        conversation: ConversationID, sender: UserID, senderName: String, kind: EventKind, clientId: String,
        body: [UInt8],
        target: Int64? = nil, origin: SessionID = .none
    ) {
        self.conversation = conversation
        self.sender = sender
        self.senderName = senderName
        self.kind = kind
        self.clientId = clientId
        self.body = body
        self.target = target
        self.origin = origin
    }
}

/// Where the log put an event. The same draft gets the same receipt again within the retry window.
package struct Receipt: Sendable, Equatable {
    package let seq: Int64
    /// A number that no other event has, growing within a conversation: the protocol's `messageId`.
    package let ordinal: Int64
    package let time: Instant
    /// True where this was a retry: nothing was stored, nothing is delivered again.
    package let isRepeat: Bool

    package init(seq: Int64, ordinal: Int64, time: Instant, isRepeat: Bool) {
        self.seq = seq
        self.ordinal = ordinal
        self.time = time
        self.isRepeat = isRepeat
    }
}

/// An event as the log holds it. A class, because one event goes through many hands: each of them counts one reference
/// where it would count one for every field.
package final class Event: Sendable {
    package let conversation: ConversationID
    package let seq: Int64
    package let ordinal: Int64
    package let sender: UserID
    /// Empty where the event was read from the store; the reader looks the name up.
    package let senderName: String
    package let kind: EventKind
    package let clientId: String
    package let time: Instant
    /// Nil where the content was erased by a recall.
    package let body: [UInt8]?
    package let origin: SessionID

    package init(
        conversation: ConversationID, seq: Int64, ordinal: Int64, sender: UserID, senderName: String, kind: EventKind,
        clientId: String, time: Instant, body: [UInt8]?, origin: SessionID = .none
    ) {
        self.conversation = conversation
        self.seq = seq
        self.ordinal = ordinal
        self.sender = sender
        self.senderName = senderName
        self.kind = kind
        self.clientId = clientId
        self.time = time
        self.body = body
        self.origin = origin
    }

    package convenience init(_ draft: Draft, _ receipt: Receipt) {
        self.init(
            conversation: draft.conversation, seq: receipt.seq, ordinal: receipt.ordinal, sender: draft.sender,
            senderName: draft.senderName, kind: draft.kind, clientId: draft.clientId, time: receipt.time,
            body: draft.body,
            origin: draft.origin)
    }
}
