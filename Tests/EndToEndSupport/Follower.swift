/// A client's own knowledge of how far it has followed each conversation: the cursors with which it comes back.
package struct Follower: Sendable {
    package private(set) var cursors: [String: Int64]
    /// Own sends that were answered with a seq beyond the cursor.
    private var answered: [String: Set<Int64>] = [:]

    package init(cursors: [String: Int64]) { self.cursors = cursors }

    /// An event came: all before it came as well, or were own sends.
    package mutating func saw(_ conversation: String, _ seq: Int64) {
        guard let cursor = cursors[conversation] else { return }
        advance(conversation, to: max(cursor, seq))
    }

    /// An own send was answered: the event itself does not come.
    package mutating func acknowledged(_ conversation: String, _ seq: Int64) {
        guard let cursor = cursors[conversation] else { return }
        if seq > cursor { answered[conversation, default: []].insert(seq) }
        advance(conversation, to: cursor)
    }

    private mutating func advance(_ conversation: String, to seq: Int64) {
        var cursor = seq
        while answered[conversation]?.contains(cursor + 1) == true { cursor += 1 }
        answered[conversation] = answered[conversation]?.filter { $0 > cursor }
        cursors[conversation] = cursor
    }

    /// The `data` of a sync from here.
    package func syncData(limit: Int) -> String {
        let list = cursors.sorted { $0.key < $1.key }.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",")
        return #"{"cursors":{\#(list)},"limit":\#(limit)}"#
    }
}
