/// What a client knows of a conversation: everything up to the cursor, and some beyond it. Answers to one's own sends
/// and pushes of others' may overtake one another, so that the newest number seen is not the cursor to come back with.
struct FollowedConversation: Sendable {
    /// Everything up to here is known.
    private(set) var cursor: Int64
    private var beyond: Set<Int64> = []

    init(cursor: Int64 = 0) { self.cursor = cursor }

    /// True where it is known but has to be asked for again, since something before it is missing.
    func comesAgain(_ seq: Int64) -> Bool { beyond.contains(seq) }

    mutating func note(_ seq: Int64) {
        guard seq > cursor else { return }
        beyond.insert(seq)
        while beyond.remove(cursor + 1) != nil { cursor += 1 }
    }
}
