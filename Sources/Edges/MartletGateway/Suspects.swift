import MartletCore

/// Topics that are to be compared with the log. Pure.
struct Suspects {
    /// Events of these were lost, or may have been: they come first.
    private var urgent: Set<ConversationID> = []
    /// Of these nothing is known.
    private var routine: Set<ConversationID> = []

    var urgentCount: Int { urgent.count }
    var count: Int { urgent.count + routine.count }

    mutating func add(_ topics: [ConversationID], isUrgent: Bool) {
        guard isUrgent else { return routine.formUnion(Set(topics).subtracting(urgent)) }
        urgent.formUnion(topics)
        routine.subtract(topics)
    }

    /// Takes out at most `limit` of those that are next, all of one kind.
    mutating func take(_ limit: Int) -> (topics: [ConversationID], isUrgent: Bool) {
        guard urgent.isEmpty else { return (Self.take(&urgent, limit), true) }
        return (Self.take(&routine, limit), false)
    }

    private static func take(_ topics: inout Set<ConversationID>, _ limit: Int) -> [ConversationID] {
        let taken = Array(topics.prefix(limit))
        topics.subtract(taken)
        return taken
    }
}
