import DequeModule
import MartletCore

/// Moves events from the tail to the index, a conversation's whole stretch at a time, and keeps account of what one transaction does to both until it is
/// known how the transaction ends. Belongs to the writer's thread.
final class LogIndexer {
    /// Events that the index may lack, beyond those of one transaction. More of them make the index cheaper (those of one conversation lie together in it),
    /// and take memory, 40 bytes each, and time at the next start.
    private let capacity: Int
    /// Events of one conversation that the index may lack: a busy one need not wait for its turn.
    static let stretchCapacity = 512
    /// Events that are moved beyond need, so that not every commit moves a few.
    private static let surplus = 256

    let tail: LogTail

    /// A stretch and its first event, by which it is told from a later one of the same conversation.
    private struct Due {
        let conversation: ConversationID
        let key: Int64
        let ordinal: Int64
    }

    private struct Placed {
        let conversation: ConversationID
        let key: Int64
        let entry: LogTail.Entry
    }

    /// The stretches of the tail by their first events; some are not there any more.
    private var due: Deque<Due> = []
    /// Stretches that have grown too long, to be moved by the next transaction.
    private var long: [Due] = []
    private var count = 0

    // What the open transaction has done.
    private var placed: [Placed] = []
    private var moved: [ConversationID] = []
    /// Those of `moved` that were not taken from `due`, which may name them too.
    private var movedLong: [ConversationID] = []
    private var movedCount = 0
    private var erased: [(conversation: ConversationID, seq: Int64)] = []
    private var dueTaken = 0

    /// How much the open transaction had done at some point.
    struct Mark {
        fileprivate let placed, moved, movedLong, movedCount, erased, dueTaken: Int
    }

    init(_ tail: LogTail, capacity: Int) {
        self.tail = tail
        self.capacity = capacity
    }

    // MARK: Within a transaction

    var mark: Mark {
        Mark(
            placed: placed.count, moved: moved.count, movedLong: movedLong.count, movedCount: movedCount,
            erased: erased.count, dueTaken: dueTaken)
    }

    /// Undoes what was done since a mark. Returns what the transaction had placed before: by conversation its key and newest number.
    func rollBack(to mark: Mark) -> [ConversationID: (key: Int64, last: Int64)] {
        placed.removeSubrange(mark.placed...)
        moved.removeSubrange(mark.moved...)
        movedLong.removeSubrange(mark.movedLong...)
        erased.removeSubrange(mark.erased...)
        (movedCount, dueTaken) = (mark.movedCount, mark.dueTaken)
        return Dictionary(placed.map { ($0.conversation, ($0.key, $0.entry.seq)) }) { $1 }
    }

    func place(_ conversation: ConversationID, key: Int64, _ entry: LogTail.Entry) {
        placed.append(Placed(conversation: conversation, key: key, entry: entry))
    }

    /// The content of an event is gone. Its row in the index, where there is one, is changed by the caller.
    func erase(_ conversation: ConversationID, _ seq: Int64) { erased.append((conversation, seq)) }

    /// The newest committed number of a conversation; nil where only the index can tell.
    func lastSeq(_ conversation: ConversationID) -> Int64? { tail.stretch(of: conversation).last?.seq }

    /// An event as the open transaction sees it; nil where only the index can tell.
    func entry(_ conversation: ConversationID, _ seq: Int64) -> LogTail.Entry? {
        var entry =
            placed.last { $0.entry.seq == seq && $0.conversation == conversation }?.entry
            ?? tail.stretch(of: conversation).entry(seq)
        if erased.contains(where: { $0.seq == seq && $0.conversation == conversation }) { entry?.isErased = true }
        return entry
    }

    /// Moves what is due: the stretches that are too long, and the oldest ones while the tail holds too many events or reaches back too far. Those
    /// found again at a start may be many: they move over several transactions, faster than new ones come.
    func moveDue(_ statements: SQLiteLogStatements) throws(Fault) {
        try moveLong(statements)
        guard isTooMuch(capacity) else { return }
        let bound = movedCount + max(Self.stretchCapacity * 8, placed.count * 2)
        try moveOldest(statements) { movedCount < bound && isTooMuch(capacity - min(capacity, Self.surplus)) }
    }

    /// Moves everything that is committed.
    func moveAll(_ statements: SQLiteLogStatements) throws(Fault) {
        try moveLong(statements)
        try moveOldest(statements) { true }
    }

    /// Always before the oldest ones, which may name the same stretches and leave out those that were moved here.
    private func moveLong(_ statements: SQLiteLogStatements) throws(Fault) {
        for stretch in long where isInTail(stretch) {
            _ = try move(stretch, statements)
            movedLong.append(stretch.conversation)
        }
    }

    /// The next start reads what was stored since the oldest event of the tail: that too has a bound.
    private func isTooMuch(_ capacity: Int) -> Bool {
        if count - movedCount + placed.count > capacity { return true }
        guard dueTaken < due.count, let newest = placed.last?.entry.ordinal else { return false }
        return newest - due[dueTaken].ordinal > Int64(capacity) * 2
    }

    private func moveOldest(_ statements: SQLiteLogStatements, while condition: () -> Bool) throws(Fault) {
        var last: Int64 = 0
        while dueTaken < due.count, condition() {
            let next = due[dueTaken]
            dueTaken += 1
            if isInTail(next) { last = max(last, try move(next, statements)) }
        }
        while dueTaken < due.count, !isInTail(due[dueTaken]) { dueTaken += 1 }
        // Up to the oldest that is still missing; where none is, up to what was moved.
        let missing = dueTaken < due.count ? due[dueTaken].ordinal : placed.first?.entry.ordinal
        if let through = missing.map({ $0 - 1 }) ?? (last > 0 ? last : nil) {
            try statements.setIndexed(through: through)
        }
    }

    /// Whether a stretch is still there; it may have moved, and another one of its conversation begun.
    private func isInTail(_ stretch: Due) -> Bool {
        tail.stretch(of: stretch.conversation).first?.ordinal == stretch.ordinal
            && !movedLong.contains(stretch.conversation)
    }

    /// Returns the ordinal of the stretch's last event.
    private func move(_ stretch: Due, _ statements: SQLiteLogStatements) throws(Fault) -> Int64 {
        let entries = tail.stretch(of: stretch.conversation)
        for var entry in entries {
            if erased.contains(where: { $0.seq == entry.seq && $0.conversation == stretch.conversation }) {
                entry.isErased = true
            }
            try statements.index(stretch.key, entry)
        }
        moved.append(stretch.conversation)
        movedCount += entries.count
        return entries.last?.ordinal ?? 0
    }

    // MARK: Its end

    /// The transaction is committed: readers see what it did.
    func commit() {
        guard !placed.isEmpty || !moved.isEmpty || !erased.isEmpty else { return }
        let (placed, moved, erased) = (placed, moved, erased)
        let long = long
        let (begun, grown) = tail.update { stretches in
            for conversation in moved { stretches[conversation] = nil }
            var begun: [Due] = []
            var grown: [Due] = []
            for event in placed {
                let length = stretches[event.conversation, default: []].append(counting: event.entry)
                if length == 1 {
                    begun.append(
                        Due(conversation: event.conversation, key: event.key, ordinal: event.entry.ordinal))
                } else if length == Self.stretchCapacity, let first = stretches[event.conversation]?.first {
                    grown.append(Due(conversation: event.conversation, key: event.key, ordinal: first.ordinal))
                }
            }
            for (conversation, seq) in erased {
                guard let index = stretches[conversation]?.position(of: seq) else { continue }
                stretches[conversation]?[index].isErased = true
            }
            return (begun, long.filter { stretches[$0.conversation]?.first?.ordinal == $0.ordinal } + grown)
        }
        due.removeFirst(dueTaken)
        due.append(contentsOf: begun)
        self.long = grown
        count += placed.count - movedCount
        discard()
    }

    /// The transaction is lost.
    func discard() {
        placed.removeAll(keepingCapacity: true)
        moved.removeAll(keepingCapacity: true)
        movedLong.removeAll()
        erased.removeAll(keepingCapacity: true)
        (movedCount, dueTaken) = (0, 0)
    }
}

extension LogTail.Stretch {
    /// Appends an event and returns how many there are now.
    fileprivate mutating func append(counting entry: LogTail.Entry) -> Int {
        append(entry)
        return count
    }
}
