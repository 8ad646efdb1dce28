import MartletCore

/// Topics that are to be compared with the log. Pure.
struct Suspects {
    /// Topics to compare now.
    struct Part {
        let topics: [ConversationID]
        /// Events of these were lost, or may have been.
        let isUrgent: Bool
    }

    /// They come first, in the order of arrival.
    private var urgent: [ConversationID] = []
    private var isUrgent: Set<ConversationID> = []
    /// Taken, and neither done nor failed.
    private var underWay = 0
    /// What is left of a round through all topics, of which nothing is known. The next one comes last.
    private var round: [ConversationID] = []
    private var isRoundUnderWay = false

    /// Topics that lost events and were not compared since.
    var behind: Int { urgent.count + underWay }
    var count: Int { urgent.count + round.count }

    /// Events of these were lost, or may have been.
    mutating func add(_ topics: [ConversationID]) {
        for topic in topics where isUrgent.insert(topic).inserted { urgent.append(topic) }
    }

    /// Begins a round through all topics. One that is not over goes on instead, so that it comes to everybody.
    mutating func beginRound(_ topics: [ConversationID]) {
        guard !isRoundUnderWay, !topics.isEmpty else { return }
        round = topics
        isRoundUnderWay = true
    }

    /// Takes out at most `limit` of those that are next; nil where there are none.
    mutating func take(_ limit: Int) -> Part? {
        guard urgent.isEmpty else {
            let topics = Array(urgent.prefix(limit))
            urgent.removeFirst(topics.count)
            isUrgent.subtract(topics)
            underWay = topics.count
            return Part(topics: topics, isUrgent: true)
        }
        guard !round.isEmpty else { return nil }
        let topics = Array(round.suffix(limit))
        round.removeLast(topics.count)
        return Part(topics: topics, isUrgent: false)
    }

    /// True where that was the end of a round.
    mutating func done(_ part: Part) -> Bool {
        if part.isUrgent { underWay = 0 }
        guard isRoundUnderWay, !part.isUrgent, round.isEmpty else { return false }
        isRoundUnderWay = false
        return true
    }

    /// They stay suspected, behind all others: what fails for itself keeps nobody waiting.
    mutating func failed(_ part: Part) {
        guard part.isUrgent else { return round.insert(contentsOf: part.topics, at: 0) }
        underWay = 0
        add(part.topics)
    }
}
