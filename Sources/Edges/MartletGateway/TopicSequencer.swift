import MartletCore

/// Restores the order of conversations' events, whatever the bus lost, repeated or reordered: what is next is delivered,
/// what is old is dropped, and where something is missing the log is asked. Pure: one per node.
///
/// Where a bus may lose events, a place in a conversation is only believed while somebody here has been interested in it
/// without a break: `since` says from when on, in milliseconds of any steady clock, and `now` is that clock's time.
struct TopicSequencer {
    /// What the log is asked for.
    enum Missing: Equatable {
        case range(ClosedRange<Int64>)
        /// Those behind `last`, if there are any.
        case after(Int64, through: Int64)
        /// What was stored since somebody here is interested, up to this one: it is not known yet where that begins.
        case recent(through: Int64)
    }

    enum Action: Equatable {
        case deliver
        case drop
        /// These are missing before the event; it waits until `filled` is called.
        case fill(Missing)
        /// Missing ones are on their way already; the event waits with the others.
        case wait
    }

    private struct Topic {
        var last: Int64
        /// When the place was last seen to be right.
        var touched: UInt64
        var isFilling = false
    }

    private let isLossy: Bool
    /// Topics remembered where nothing is lost; past that the quiet ones are forgotten, and take their next event as it
    /// comes. A lossy bus needs them for as long as they are in use.
    private let capacity: Int
    private var topics: [ConversationID: Topic] = [:]

    init(isLossy: Bool = false, capacity: Int = 100_000) {
        self.isLossy = isLossy
        self.capacity = capacity
    }

    var count: Int { topics.count }

    /// `isNews`: the event may have been stored since somebody here is interested. One of before is told again now and then.
    mutating func accept(
        _ conversation: ConversationID, _ seq: Int64, since: UInt64 = 0, now: UInt64 = 0,
        isNews: @autoclosure () -> Bool = true
    ) -> Action {
        guard let place = topics.index(forKey: conversation), isBelieved(topics.values[place], since) else {
            guard !isLossy || isNews() else { return .drop }
            return begin(conversation, seq, now)
        }
        let topic = topics.values[place]
        if seq <= topic.last { return .drop }
        if topic.isFilling { return .wait }
        topics.values[place].touched = now
        if seq == topic.last + 1 {
            topics.values[place].last = seq
            return .deliver
        }
        topics.values[place].isFilling = true
        return .fill(.range(topic.last + 1...seq - 1))
    }

    /// The first event of a conversation.
    private mutating func begin(_ conversation: ConversationID, _ seq: Int64, _ now: UInt64) -> Action {
        guard isLossy else {
            if topics.count >= capacity { topics = topics.filter { $0.value.isFilling } }
            topics[conversation] = Topic(last: seq, touched: now)
            return .deliver
        }
        guard seq > 1 else {
            topics[conversation] = Topic(last: seq, touched: now)
            return .deliver
        }
        topics[conversation] = Topic(last: 0, touched: now, isFilling: true)
        return .fill(.recent(through: seq - 1))
    }

    private func isBelieved(_ topic: Topic, _ since: UInt64) -> Bool {
        !isLossy || topic.isFilling || topic.touched >= since
    }

    /// Somebody becomes interested in a conversation that stands at `seq`: what comes behind it is theirs. Returns what
    /// others here have missed, if they have.
    mutating func start(_ conversation: ConversationID, at seq: Int64, since: UInt64, now: UInt64) -> Missing? {
        guard let topic = topics[conversation], isBelieved(topic, since) else {
            topics[conversation] = Topic(last: seq, touched: now)
            return nil
        }
        if topic.isFilling, topic.last == 0 {
            // An event came before it was known where to begin: now it is.
            topics[conversation] = Topic(last: seq, touched: now, isFilling: true)
            return nil
        }
        return behind(conversation, topic, seq, now)
    }

    /// The log has events up to `seq`. Returns what was missed here. `isRecent`: the newest of them may have been
    /// stored since somebody here is interested.
    mutating func compare(
        _ conversation: ConversationID, _ seq: Int64, isRecent: Bool, since: UInt64, now: UInt64
    ) -> Missing? {
        guard let topic = topics[conversation], isBelieved(topic, since) else {
            guard isRecent, seq > 0 else { return nil }
            topics[conversation] = Topic(last: 0, touched: now, isFilling: true)
            return .recent(through: seq)
        }
        return behind(conversation, topic, seq, now)
    }

    private mutating func behind(
        _ conversation: ConversationID, _ topic: Topic, _ seq: Int64, _ now: UInt64
    ) -> Missing? {
        guard !topic.isFilling else { return nil }
        let isBehind = seq > topic.last
        topics[conversation] = Topic(last: topic.last, touched: now, isFilling: isBehind)
        return isBehind ? .range(topic.last + 1...seq) : nil
    }

    /// The last event that was delivered; 0 where a conversation is being filled and it is not known where to begin.
    func last(_ conversation: ConversationID) -> Int64 { topics[conversation]?.last ?? 0 }

    /// True where the event was delivered, or nothing is known of the conversation.
    func isPassed(_ conversation: ConversationID, _ seq: Int64) -> Bool {
        guard let topic = topics[conversation] else { return true }
        return !topic.isFilling && topic.last >= seq
    }

    /// Events were delivered up to `seq`, and nothing more is missing or waits.
    mutating func filled(_ conversation: ConversationID, through seq: Int64, now: UInt64 = 0) {
        topics[conversation] = Topic(last: max(seq, last(conversation)), touched: now)
    }

    /// As above, but more is missing.
    mutating func filling(_ conversation: ConversationID, through seq: Int64, now: UInt64) {
        topics[conversation] = Topic(last: seq, touched: now, isFilling: true)
    }

    /// Forgets conversations without an event since `time`.
    mutating func forget(before time: UInt64) {
        topics = topics.filter { $0.value.isFilling || $0.value.touched >= time }
    }
}
