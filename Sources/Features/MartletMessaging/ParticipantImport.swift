import MartletCore
import MartletSQL

/// Makes people participants of conversations whose events came into the log by another way than a send.
package enum ParticipantImport {
    /// Both sides of each direct conversation take part in it, and have read everything up to `last`.
    package static func enter(
        _ conversations: some Sequence<(conversation: ConversationID, last: Int64)>,
        in connection: any SQLConnection, now: Instant
    ) throws(Fault) {
        let store = ParticipantStore(connection: connection)
        for (conversation, last) in conversations {
            guard case .direct(let low, let high) = conversation else { continue }
            for side in [low, high] { try store.begin(side, conversation, after: last, now: now) }
        }
    }
}
