import MartletCore

/// What a session still has to get from the log, by conversation: because it reads slowly, because it signed in to resume, or because it just came
/// to follow a conversation. While a conversation has an entry, its events go to the session from the log, in order and once; without one they go
/// live. Pure: the session does the reading and the writing.
struct CatchUp {
    enum Arrival: Equatable {
        /// Write it now.
        case push
        /// It is held, or was delivered otherwise already.
        case hold
    }

    struct Read: Equatable {
        let conversation: ConversationID
        let from: Int64
        let through: Int64
    }

    private struct Entry {
        /// The next event that the session gets.
        var next: Int64
        /// The newest event known to exist.
        var high: Int64
        /// There may be more than is known: the log is asked until it has no more.
        var isOpen = false
        /// The client has to ask on with `sync`.
        var isPaused = false
        /// The node's order had come past the entry when it was last looked at.
        var isPassed = false
        /// The session's own sends, which it got as answers.
        var own: Set<Int64> = []

        var isBehind: Bool { (isOpen || next <= high) && !isPaused }
    }

    private var entries: [ConversationID: Entry] = [:]
    /// Syncs that are not answered yet; the session signed in to resume counts as one until the first is.
    private var holds = 0
    private(set) var isSlow = false
    private(set) var isReading = false

    /// True where everything goes live: the state may be dropped.
    var isDone: Bool { entries.isEmpty && holds == 0 && !isSlow && !isReading }

    var count: Int { entries.count }

    mutating func hold() { holds += 1 }

    mutating func release() { holds = max(0, holds - 1) }

    mutating func becameSlow() { isSlow = true }

    mutating func drained() { isSlow = false }

    /// An event came for the session. `isOwn`: it was sent by this session.
    mutating func arrived(_ conversation: ConversationID, _ seq: Int64, isOwn: Bool) -> Arrival {
        guard var entry = entries[conversation] else {
            guard holds > 0 || isSlow else { return isOwn ? .hold : .push }
            // Whatever came before went live, or is for the sync; an own send must not come back with what is read later.
            entries[conversation] = isOwn ? Entry(next: seq + 1, high: seq, own: [seq]) : Entry(next: seq, high: seq)
            return .hold
        }
        if seq < entry.next { return .hold }
        if !entry.isBehind, !entry.isPaused, seq == entry.next, holds == 0, !isSlow {
            // The entry only kept what was answered already from being pushed once more.
            entries[conversation] = nil
            return isOwn ? .hold : .push
        }
        entry.high = max(entry.high, seq)
        if isOwn { entry.own.insert(seq) }
        entries[conversation] = entry
        return .hold
    }

    /// A send of the session was answered, perhaps before the event itself comes by.
    mutating func answered(_ conversation: ConversationID, _ seq: Int64) { entries[conversation]?.own.insert(seq) }

    /// The session follows a conversation from `seq` on. Where a sync's answer told of it already, it may be an older one, of before a leaving:
    /// then nothing of between is for the session. Or a newer one: then it goes on behind it.
    mutating func follow(_ conversation: ConversationID, from seq: Int64) {
        var entry = entries[conversation] ?? Entry(next: seq, high: seq - 1)
        entry.next = max(entry.next, seq)
        entry.isOpen = true
        entry.isPassed = false
        entries[conversation] = entry
    }

    /// The session has the events up to `seq` from before: the log is asked for all behind it, whatever came by meanwhile.
    mutating func resume(_ conversation: ConversationID, after seq: Int64) {
        var entry = entries[conversation] ?? Entry(next: seq + 1, high: seq)
        entry.next = seq + 1
        entry.isOpen = true
        entry.isPassed = false
        entries[conversation] = entry
    }

    mutating func unfollow(_ conversation: ConversationID) { entries[conversation] = nil }

    /// A sync's answer gave the events up to `through`; `more`: the client asks on before anything is pushed.
    mutating func synced(_ conversation: ConversationID, through: Int64, more: Bool) {
        // Behind an answer of nothing there is nothing to guard against.
        guard through > 0 || more || entries[conversation] != nil else { return }
        var entry = entries[conversation] ?? Entry(next: through + 1, high: through)
        // An entry made while the answer was on its way may begin behind it; what lies between was the session's own. Never back: where
        // several syncs are answered out of order, the client has what the furthest of them gave.
        entry.next = max(entry.next, through + 1)
        entry.isPaused = more
        entry.isPassed = false
        entry.own = entry.own.filter { $0 > through }
        entries[conversation] = entry
    }

    /// What to read next, if anything; one read at a time.
    mutating func nextRead(page: Int) -> Read? {
        guard holds == 0, !isSlow, !isReading, let found = entries.first(where: { $0.value.isBehind }) else {
            return nil
        }
        isReading = true
        let last = found.value.next + Int64(page) - 1
        let through = found.value.isOpen ? last : min(found.value.high, last)
        return Read(conversation: found.key, from: found.value.next, through: through)
    }

    /// What of a read goes to the session.
    struct Handover: Equatable {
        let from: Int64
        /// Its own sends, which were answered.
        let own: Set<Int64>

        func includes(_ seq: Int64) -> Bool { seq >= from && !own.contains(seq) }

        static let nothing = Handover(from: .max, own: [])
    }

    /// A read ended: the events up to `through` exist, `isLast` where the log had no more of them. What a sync gave the client meanwhile is
    /// not handed over once more, nor anything of a conversation that waits for the client to ask on.
    mutating func read(_ conversation: ConversationID, through: Int64, isLast: Bool) -> Handover {
        isReading = false
        guard var entry = entries[conversation], !entry.isPaused else { return .nothing }
        let handover = Handover(from: entry.next, own: entry.own)
        // One that ended before what is next was begun earlier, and knows nothing of what the log has now.
        if isLast, through >= entry.next - 1 { entry.isOpen = false }
        entry.next = max(entry.next, through + 1)
        entry.own = entry.own.filter { $0 > through }
        entries[conversation] = entry
        return handover
    }

    mutating func readFailed() { isReading = false }

    /// Forgets entries that only guard against a repeat of what was answered long ago: those that the node's order has come
    /// past twice in a row, so that nothing of before is on its way any more. `isPassed`: the node has delivered that event.
    mutating func forgetGuards(_ isPassed: (ConversationID, Int64) -> Bool) {
        guard holds == 0, !isSlow, !isReading else { return }
        for (conversation, entry) in entries where !entry.isBehind && !entry.isPaused {
            guard isPassed(conversation, entry.next - 1) else { continue }
            if entry.isPassed { entries[conversation] = nil } else { entries[conversation]?.isPassed = true }
        }
    }

    /// The most of its own sends that a conversation with something to catch up on has waiting.
    var ownSends: Int { entries.values.reduce(0) { max($0, $1.own.count) } }
}
