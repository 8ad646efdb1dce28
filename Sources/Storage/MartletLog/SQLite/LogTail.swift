import MartletCore
import Synchronization

/// The newest events of each conversation, which the index on the disk does not have yet: where they are, and what it takes to count them.
///
/// An index that every commit brings up to date costs a page of 4 KB, written twice, for each conversation in the commit. So new events are noted here,
/// and those of one conversation move to the index together (`LogIndexer`). What stands here is gone with the process, and found again in the table of
/// events, behind the mark up to which the index is complete.
///
/// Readers take a conversation's stretch before they look into the database: what moves to the index meanwhile they then have twice, and not never.
final class LogTail: Sendable {
    /// One event. Ascending by `seq`, and so by `ordinal`, within a conversation.
    struct Entry: Sendable {
        let seq: Int64
        let ordinal: Int64
        let time: Instant
        let sender: UserID
        let kind: EventKind
        var isErased = false

        var isUnread: Bool { kind.isMessage && !isErased }
    }

    typealias Stretch = ContiguousArray<Entry>

    private let stretches = Mutex<[ConversationID: Stretch]>([:])

    /// The committed events of a conversation that the index may lack; all that come before the first of them are in the index.
    func stretch(of conversation: ConversationID) -> Stretch { stretches.withLock { $0[conversation] ?? [] } }

    func stretches(of conversations: some Sequence<ConversationID>) -> [ConversationID: Stretch] {
        stretches.withLock { stretches in
            var found: [ConversationID: Stretch] = [:]
            for conversation in conversations { found[conversation] = stretches[conversation] }
            return found
        }
    }

    /// Changes what readers see, at once. For the writer, behind a commit.
    func update<Value>(_ change: (inout [ConversationID: Stretch]) -> sending Value) -> sending Value {
        stretches.withLock { change(&$0) }
    }
}

extension LogTail.Stretch {
    /// The event with a number, if it is in the stretch.
    func entry(_ seq: Int64) -> LogTail.Entry? { position(of: seq).map { self[$0] } }

    func position(of seq: Int64) -> Int? {
        let index = lowerBound(seq)
        return index < endIndex && self[index].seq == seq ? index : nil
    }

    /// Those with numbers in a range.
    func within(_ range: ClosedRange<Int64>) -> Self.SubSequence {
        let start = lowerBound(range.lowerBound)
        let end = range.upperBound == .max ? endIndex : lowerBound(range.upperBound + 1)
        return self[start..<Swift.max(start, end)]
    }

    /// The index of the first event whose number is not lower.
    private func lowerBound(_ seq: Int64) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].seq < seq { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
