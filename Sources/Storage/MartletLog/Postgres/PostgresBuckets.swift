import MartletCore
import MartletSQL

/// The advisory locks by which a transaction that met too much competition gets its turn: plain appends hold the buckets
/// of their conversations shared, such a transaction takes them for itself before it begins.
enum PostgresBuckets {
    /// The buckets of some conversations, each once, ascending: whoever takes several takes them in this order.
    static func buckets(of conversations: some Sequence<ConversationID>) -> [Int32] {
        Set(conversations.map(bucket)).sorted()
    }

    private static func bucket(of conversation: ConversationID) -> Int32 {
        place(of: conversation, in: PostgresLock.buckets)
    }

    /// What transactions on a conversation take turns by.
    static func turn(of conversation: ConversationID) -> Int32 { place(of: conversation, in: PostgresLock.turns) }

    /// FNV-1a over the name: every node puts a conversation into the same place.
    private static func place(of conversation: ConversationID, in range: ClosedRange<Int32>) -> Int32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in conversation.text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return range.lowerBound + Int32((hash ^ (hash >> 32)) % UInt64(range.count))
    }
}
