import MartletCore
import MartletLog

/// Pure decisions about the list of conversations.
enum ConversationRules {
    /// Where a conversation stands in the list: pinned ones first, then by last activity, then by name.
    struct Place: Sendable, Comparable {
        let pinned: Bool
        let time: Instant
        let conversation: ConversationID

        static func < (left: Place, right: Place) -> Bool {
            (left.pinned ? 0 : 1, right.time, left.conversation.text) < (
                right.pinned ? 0 : 1, left.time, right.conversation.text
            )
        }

        /// What a page says of where the next one begins.
        var cursor: String { "\(pinned ? 1 : 0).\(time.milliseconds).\(conversation.text)" }

        init(pinned: Bool, time: Instant, conversation: ConversationID) {
            self.pinned = pinned
            self.time = time
            self.conversation = conversation
        }

        init(cursor: String) throws(Fault) {
            let parts = cursor.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "0" || parts[0] == "1", let time = Int64(parts[1]),
                let conversation = ConversationID(parts[2])
            else { throw .invalid("cursor", "not a cursor of this list") }
            self.init(pinned: parts[0] == "1", time: Instant(milliseconds: time), conversation: conversation)
        }
    }

    /// A hidden conversation comes back with its next message.
    static func isHidden(_ hiddenSeq: Int64, lastMessage: Int64?) -> Bool {
        hiddenSeq > 0 && (lastMessage ?? 0) <= hiddenSeq
    }
}
