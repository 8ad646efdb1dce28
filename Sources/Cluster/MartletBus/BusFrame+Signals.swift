import MartletCore

extension Signal {
    /// What a topic gets of a signal that goes to several: of one to named users, each user's topic only what concerns
    /// that user, so that a signal to many does not carry all of them to each.
    package func part(for topic: ConversationID) -> Signal {
        guard case .inbox(let user) = topic else { return self }
        return switch self {
        case .typing(let conversation, let by, .users): .typing(conversation, by: by, to: .users([user]))
        case .read(let conversation, let by, let seq, .users):
            .read(conversation, by: by, seq: seq, to: .users([user]))
        case .delivered(let conversation, let by, let seq, .users):
            .delivered(conversation, by: by, seq: seq, to: .users([user]))
        case .presence(let who, let online, _): .presence(who, online: online, to: [user])
        default: self
        }
    }
}
