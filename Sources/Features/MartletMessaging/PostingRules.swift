import MartletCore
import MartletWire

/// Where a posting goes and in which form: pure decisions.
enum PostingRules {
    /// How long a message id is taken for a repeat.
    static let window = Duration.seconds(12 * 3600)
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

    /// What a message id is noted as; nil for none. Each kind of poster has ids of its own, so that nobody can use up another's.
    static func noted(_ id: String, by poster: Poster) -> String? {
        guard !id.isEmpty else { return nil }
        return switch poster {
        case .backend: "k:\(id)"
        case .account(let caller): "u\(caller.user.value):\(id)"
        case .anyone: "a:\(id)"
        }
    }

    /// The posting as the log takes it: the content carries the message id as `msgId`. It is no client id, of which the log would keep a record
    /// besides.
    static func draft(_ posting: Posting, _ conversation: ConversationID) throws(Fault) -> Draft {
        Draft(
            conversation: conversation, sender: posting.sender.id, senderName: posting.sender.name, kind: posting.kind,
            clientId: "", body: try content(of: posting))
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
