import MartletCore
import MartletWire

/// Where a posting goes and in which form: pure decisions.
enum PostingRules {
    /// How long a message id is taken for a repeat.
    static let window = Duration.seconds(12 * 3600)
    /// How long an id is remembered: longer than the log remembers client ids, so that one that comes again after the
    /// window is known to be in the log's memory still.
    static let memory = Duration.seconds(72 * 3600)
    static let messageIdBytes = 0...256

    /// The conversation that a posting goes to, and what kind of place that is.
    static func destination(_ posting: Posting) -> (conversation: ConversationID, place: PostingPlace) {
        switch posting.target {
        case .room: return (.room(posting.app, nil), .room)
        case .conversation(let conversation): return (conversation, .conversation)
        case .user(let recipient):
            guard posting.sender.role != .guest, recipient.role != .guest,
                let direct = ConversationID.between(posting.sender.id, recipient.id)
            else { return (.inbox(recipient.id), .inbox(of: recipient)) }
            return (direct, .conversation)
        }
    }

    /// Throws unless the message id and the content are within their bounds.
    static func check(_ posting: Posting) throws(Fault) {
        guard messageIdBytes.contains(posting.messageId.utf8.count), !posting.messageId.utf8.contains(0) else {
            throw .invalid("messageId", "at most \(messageIdBytes.upperBound) bytes of text are expected")
        }
        guard UTF8Validator.isValid(posting.content.span) else {
            throw Fault(.malformedJSON, "not valid UTF-8", field: "content")
        }
        _ = try MessageContent.check(posting.kind, posting.content.span)
    }

    /// The posting as the log takes it. The message id is the event's client id where it may be one; otherwise the
    /// content carries it as `msgId`.
    ///
    /// - Parameter isKnown: the log remembers the id from before, as the sender's client id of another message.
    static func draft(_ posting: Posting, _ conversation: ConversationID, isKnown: Bool) throws(Fault) -> Draft {
        let isClientId = !isKnown && mayBeClientId(posting.messageId)
        let content = isClientId ? posting.content : try content(of: posting)
        return Draft(
            conversation: conversation, sender: posting.sender.id, senderName: posting.sender.name, kind: posting.kind,
            clientId: isClientId ? posting.messageId : "", body: content)
    }

    private static func mayBeClientId(_ id: String) -> Bool {
        Limits.clientIdBytes.contains(id.utf8.count) && id.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }

    /// The content with the message id in it. Throws where it grows too large by that.
    private static func content(of posting: Posting) throws(Fault) -> [UInt8] {
        guard !posting.messageId.isEmpty else { return posting.content }
        guard case .object(let members) = try JSONValue(parsing: posting.content) else {
            throw .invalid("content", "an object is expected")
        }
        let content = JSONWriter.object { object in
            for member in members where member.key != "msgId" {
                object.field(member.key, RawJSON(Array(posting.content[member.range])))
            }
            object.field("msgId", posting.messageId)
        }
        _ = try MessageContent.check(posting.kind, content.span)
        return content
    }
}
