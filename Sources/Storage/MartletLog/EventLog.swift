import MartletCore
import MartletSQL

/// What became of a draft.
package typealias AppendOutcome = Result<Receipt, Fault>

/// Where answers to sends go: an event loop, in the gateway.
package protocol AppendLane: AnyObject, Sendable {
    /// Called on one of the log's threads with requests of this lane that have their outcome, those of one conversation in
    /// their order; where the log has several threads, by several at a time. The events among them are announced between
    /// this and `wake`, so that a lane can do both at once.
    func complete(_ requests: ArraySlice<AppendRequest>)
    /// Called behind the announcement.
    func wake()
}

/// A draft on its way to the log, and back with what became of it. One object that passes from hand to hand: the lane
/// makes it, the log sets the outcome, and the lane reads it once it has it back. No two of them touch it at a time,
/// which is why it may call itself Sendable.
package final class AppendRequest: @unchecked Sendable {
    package let draft: Draft
    /// Chosen by the lane.
    package let token: Int
    package let lane: any AppendLane
    /// Set by the log.
    package var outcome = unanswered

    private static let unanswered = AppendOutcome.failure(Fault(.internalError, "internal error"))

    package init(draft: Draft, token: Int, lane: any AppendLane) {
        self.draft = draft
        self.token = token
        self.lane = lane
    }
}

/// The events that exist in a conversation: `first...last`; both 0 and 1-based emptiness is `first == 1, last == 0`.
package struct LogBounds: Sendable, Equatable {
    /// The oldest event that was not trimmed away.
    package let first: Int64
    /// The newest event; 0 where there is none yet.
    package let last: Int64
    /// The newest event's time.
    package let lastTime: Instant

    package static let empty = LogBounds(first: 1, last: 0, lastTime: .distantPast)

    package init(first: Int64, last: Int64, lastTime: Instant) {
        self.first = first
        self.last = last
        self.lastTime = lastTime
    }
}

/// An edit, recall or reaction of an event, as the reader folds it into the event.
package struct Amendment: Sendable {
    package let target: Int64
    package let seq: Int64
    package let kind: EventKind
    package let sender: UserID
    package let time: Instant
    /// The amendment's content; nil where a later recall erased it.
    package let body: [UInt8]?

    package init(target: Int64, seq: Int64, kind: EventKind, sender: UserID, time: Instant, body: [UInt8]?) {
        self.target = target
        self.seq = seq
        self.kind = kind
        self.sender = sender
        self.time = time
        self.body = body
    }
}

/// Events of one conversation, ascending, and what amended them.
package struct LogPage: Sendable {
    package let events: [Event]
    /// Amendments of `events`, ascending by their own seq, wherever in the log they stand.
    package let amendments: [Amendment]
    package let bounds: LogBounds

    package init(events: [Event], amendments: [Amendment], bounds: LogBounds) {
        self.events = events
        self.amendments = amendments
        self.bounds = bounds
    }
}

/// The port of the log.
///
/// - An outcome of success means that the event is committed and durable.
/// - `seq` has no gaps within a conversation, `ordinal` grows with it and is no other event's.
/// - An event with an empty clientId has no retry record.
/// - The same sender, clientId and conversation within the retry window give the same receipt (`isRepeat`) for the same
///   payload, and `client_id_reused` for another one.
/// - After each commit the committed events go to the observer: in order where this log is the only one on its database.
///   Where nodes share it, the order of a conversation is restored by `seq`, and a repeat's event is announced again,
///   unless it was recalled: the node that stored it may have died before it said so.
/// - A recall erases its target's content, and that of the target's edits.
package protocol EventLog: Sendable {
    /// Takes a batch of sends without waiting. Refused ones (`overloaded`, `shutting_down`) are answered through their
    /// lanes as well.
    func submit(_ requests: [AppendRequest])

    /// One transaction: what `body` changes and the events that it adds to `drafts`, all or nothing. Throws what `body`
    /// throws, and the first draft's fault where one is refused.
    ///
    /// With a `conversation`, those that name the same one take turns: for what many change at once, as a group's members.
    func transact<Value: Sendable>(
        on conversation: ConversationID?,
        _ body: @escaping @Sendable (any SQLConnection, inout [Draft]) throws(Fault) -> Value
    ) async throws(Fault) -> Value

    /// The newest seq of a conversation as a transaction sees it, 0 where it has no events: the next draft that the
    /// transaction adds to it gets the number after this one.
    func lastSeq(_ conversation: ConversationID, in connection: any SQLConnection) throws(Fault) -> Int64

    /// Events with `seq` in `range` that exist, ascending; at most `limit`, counted from the lower end, or from the
    /// upper if `newest`.
    func read(_ conversation: ConversationID, _ range: ClosedRange<Int64>, limit: Int, newest: Bool) async throws(Fault)
        -> LogPage

    /// What exists in each conversation; conversations that never had an event are left out. Cheap for a thousand of
    /// them: whoever looks for what he missed asks for all that he follows.
    func bounds(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: LogBounds]

    /// The newest event of a conversation that is a message, of each conversation that has one.
    func lastMessages(_ conversations: [ConversationID]) async throws(Fault) -> [ConversationID: Event]

    /// Messages of others than `user` after a cursor, by conversation; counting stops at `Limits.unreadCount`.
    func unread(_ cursors: [ConversationID: Int64], for user: UserID) async throws(Fault) -> [ConversationID: Int]

    /// Removes events before `seq` (never the newest one); readers behind it get `reset`. Returns how many were
    /// removed; bounded per call.
    func trim(_ conversation: ConversationID, before seq: Int64) async throws(Fault) -> Int

    /// Trims events older than `time` in all conversations, a bounded number per call. Returns 0 once nothing is left
    /// to do. An engine that keeps events by periods of time lets a period go when all of it is older.
    func expire(before time: Instant) async throws(Fault) -> Int
}

extension EventLog {
    /// As `transact(on:_:)`, for what hardly anybody else changes at the same time.
    package func transact<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, inout [Draft]) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await transact(on: nil, body)
    }

    /// Appends one draft and waits until it is durable. For requests; the gateway uses `submit`.
    package func append(_ draft: Draft) async throws(Fault) -> Receipt {
        let outcome = await withCheckedContinuation { continuation in
            let lane = ContinuationLane(continuation)
            submit([AppendRequest(draft: draft, token: 0, lane: lane)])
        }
        return try outcome.get()
    }
}

/// A lane with one passenger.
private final class ContinuationLane: AppendLane {
    private let continuation: CheckedContinuation<AppendOutcome, Never>

    init(_ continuation: CheckedContinuation<AppendOutcome, Never>) { self.continuation = continuation }

    func complete(_ requests: ArraySlice<AppendRequest>) {
        for request in requests { continuation.resume(returning: request.outcome) }
    }

    func wake() {}
}
