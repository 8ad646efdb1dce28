import MartletCore

/// The answer to a login: friends, groups and missed messages, each an array of strings that are JSON themselves. The clients read it into 1024 bytes, so
/// that it takes of each as much as fits: what one does not need of its third is for the others.
struct ClusterChatWelcome {
    let bytes: [UInt8]
    /// How many of the roster's missed events are in it, or need not be written.
    let missed: Int

    init(_ welcome: Welcome, _ numbering: ClusterChatNumbering, _ localTime: (Instant) -> String) {
        let roster = welcome.roster ?? Roster(friends: [], groups: [], missed: [], positions: [:])
        var core = JSONWriter()
        core.raw(",\"id\":")
        core.integer(welcome.user.value)
        core.raw(",\"msgid\":")
        core.integer(numbering.loginAnswer)
        core.raw(",\"name\":\"")
        core.raw(Array(ClusterChatEscape.escaped(welcome.name, atMost: ClusterChatMessage.nameBytes).utf8))
        core.raw("\"")

        let start = Array("{\"errno\":0".utf8)
        let end = Array("}\0".utf8)
        let all = ClusterChatMessage.maximumBytes - start.count - core.bytes.count - end.count
        // What each would take if it were alone tells what it may leave to the others.
        let needs = [
            Self.friends(roster, all).need(all), ClusterChatGroups.list(roster.groups, all).need(all),
            Self.messages(welcome.user, roster, all, numbering, localTime).need(all),
        ]
        var shares = Self.shares(of: all, needs)
        let friends = Self.friends(roster, shares[0])
        shares[1] += shares[0] - friends.bytes.count
        let groups = ClusterChatGroups.list(roster.groups, shares[1])
        shares[2] += shares[1] - groups.bytes.count
        let messages = Self.messages(welcome.user, roster, shares[2], numbering, localTime)
        bytes = start + friends.bytes + groups.bytes + core.bytes + messages.bytes + end
        missed = messages.taken
    }

    /// An array of strings within a budget, as a member of the answer; nothing at all where it is empty.
    struct List {
        private(set) var bytes: [UInt8] = []
        /// How many of the things that were to be written are done with.
        var taken = 0
        var isComplete = true
        private let key: StaticString
        private let budget: Int

        init(_ key: StaticString, budget: Int) {
            self.key = key
            self.budget = budget
        }

        /// Adds a string, given with its quotes; false where it does not fit.
        mutating func add(_ item: [UInt8]) -> Bool {
            let begin = bytes.isEmpty ? key.utf8CodeUnitCount + 6 : 1
            guard bytes.count + begin + item.count <= budget else { return false }
            if bytes.isEmpty {
                var writer = JSONWriter()
                writer.raw(",\"")
                writer.raw(key)
                writer.raw("\":[")
                bytes = writer.bytes
            } else {
                // Over the bracket that closed it.
                bytes[bytes.count - 1] = UInt8(ascii: ",")
            }
            bytes += item
            bytes.append(UInt8(ascii: "]"))
            return true
        }

        /// What it would take of `all`.
        func need(_ all: Int) -> Int { isComplete ? bytes.count : all }
    }

    /// Gives each what it needs, or an equal part of what the modest ones leave.
    static func shares(of all: Int, _ needs: [Int]) -> [Int] {
        var shares = needs.map { _ in 0 }
        var left = all
        let modestFirst = needs.indices.sorted { (needs[$0], $0) < (needs[$1], $1) }
        for (position, index) in modestFirst.enumerated() {
            shares[index] = min(needs[index], left / (needs.count - position))
            left -= shares[index]
        }
        return shares
    }

    private static func friends(_ roster: Roster, _ budget: Int) -> List {
        var list = List("friends", budget: budget)
        for friend in roster.friends {
            var writer = JSONWriter()
            writer.raw("{\"id\":")
            writer.integer(friend.id.value)
            writer.raw(",\"name\":")
            writer.quote(friend.name)
            writer.raw(friend.isOnline ? ",\"state\":\"online\"}" : ",\"state\":\"offline\"}")
            guard list.add(quoted(writer.bytes)) else {
                list.isComplete = false
                break
            }
        }
        return list
    }

    /// In order, up to the first that does not fit. What the client would not be shown is passed over.
    private static func messages(
        _ user: UserID, _ roster: Roster, _ budget: Int, _ numbering: ClusterChatNumbering,
        _ localTime: (Instant) -> String
    ) -> List {
        var list = List("offlinemsg", budget: budget)
        for event in roster.missed {
            if event.sender != user, let message = ClusterChatMessage(event, numbering, localTime) {
                guard let whole = message.whole, list.add(quoted(whole)) else {
                    list.isComplete = false
                    break
                }
            }
            list.taken += 1
        }
        return list
    }

    static func quoted(_ text: [UInt8]) -> [UInt8] {
        var writer = JSONWriter(capacity: text.count + 32)
        writer.quote(text)
        return writer.bytes
    }
}
