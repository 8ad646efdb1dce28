import MartletCore

/// Restores the order of conversations' events, whatever the bus lost, repeated or reordered: what is next is delivered, what is old is dropped,
/// and where something is missing the log is asked. Pure: one per node.
struct TopicSequencer {
    enum Action: Equatable {
        case deliver
        case drop
        /// These are missing before the event; it waits until `filled` is called.
        case fill(ClosedRange<Int64>)
        /// Missing ones are on their way already; the event waits with the others.
        case wait
    }

    private struct Topic {
        var last: Int64
        var isFilling = false
    }

    /// Topics remembered; past that the quiet ones are forgotten, and take their next event as it comes.
    private let capacity: Int
    private var topics: [ConversationID: Topic] = [:]

    init(capacity: Int = 100_000) { self.capacity = capacity }

    mutating func accept(_ conversation: ConversationID, _ seq: Int64) -> Action {
        guard let place = topics.index(forKey: conversation) else {
            if topics.count >= capacity { topics = topics.filter { $0.value.isFilling } }
            topics[conversation] = Topic(last: seq)
            return .deliver
        }
        let topic = topics.values[place]
        if seq <= topic.last { return .drop }
        if topic.isFilling { return .wait }
        if seq == topic.last + 1 {
            topics.values[place].last = seq
            return .deliver
        }
        topics.values[place].isFilling = true
        return .fill(topic.last + 1...seq - 1)
    }

    /// The missing events, and those that waited, were delivered up to `seq`; or, where the log could not be read, given up.
    mutating func filled(_ conversation: ConversationID, through seq: Int64) {
        topics[conversation] = Topic(last: max(seq, topics[conversation]?.last ?? 0))
    }
}
