import MartletCore
import MartletLog

/// Which conversations a sync answers, and from where: pure decisions.
enum SyncPlan {
    /// A conversation that the caller may read.
    struct Candidate: Sendable {
        let conversation: ConversationID
        /// The first event that the caller may read.
        let firstSeq: Int64
    }

    struct Step: Sendable, Equatable {
        let conversation: ConversationID
        let firstSeq: Int64
        /// What the client has; nil where it did not name the conversation.
        let cursor: Int64?
    }

    /// Inbox first, then by last activity. Conversations without news to the client are left out; one without events has news for a client that
    /// holds some. Without cursors only the last active ones are in.
    static func steps(
        _ candidates: [Candidate], _ bounds: [ConversationID: LogBounds], cursors: [ConversationID: Int64]
    ) -> [Step] {
        var steps: [(step: Step, rank: Int, time: Instant)] = []
        for candidate in candidates {
            let bounds = bounds[candidate.conversation] ?? .empty
            let cursor = cursors[candidate.conversation]
            guard bounds.last > 0 || cursor ?? 0 > 0, cursor != bounds.last else { continue }
            let step = Step(conversation: candidate.conversation, firstSeq: candidate.firstSeq, cursor: cursor)
            steps.append((step, rank(candidate.conversation), bounds.lastTime))
        }
        steps.sort { ($0.rank, $1.time, $0.step.conversation.text) < ($1.rank, $0.time, $1.step.conversation.text) }
        guard cursors.isEmpty else { return steps.map(\.step) }
        var room = Limits.syncConversations
        return steps.compactMap { entry in
            guard entry.rank == 2 else { return entry.step }
            room -= 1
            return room >= 0 ? entry.step : nil
        }
    }

    /// The inbox, the rooms that the session is in, everything else.
    private static func rank(_ conversation: ConversationID) -> Int {
        switch conversation {
        case .inbox: 0
        case .room: 1
        case .direct, .group: 2
        }
    }

    /// What to read for a step.
    struct Reading: Sendable, Equatable {
        let from: Int64
        let newest: Bool
        /// The client has to forget the order of what it holds.
        let reset: Bool
    }

    /// A cursor from which the log can't go on means a reset: what came after it was trimmed away, is from before the caller's joining, or the
    /// log is older than the cursor.
    static func reading(_ step: Step, _ bounds: LogBounds) -> Reading {
        let first = max(bounds.first, step.firstSeq)
        guard let cursor = step.cursor else { return Reading(from: first, newest: true, reset: false) }
        let reset = cursor + 1 < first || cursor > bounds.last
        return Reading(from: reset ? first : cursor + 1, newest: false, reset: reset)
    }
}
