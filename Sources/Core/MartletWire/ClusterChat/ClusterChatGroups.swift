import MartletCore

/// The groups of a login's answer. Where they take too much, descriptions are cut first, then members, then groups.
enum ClusterChatGroups {
    static func list(_ groups: [Roster.Group], _ budget: Int) -> ClusterChatWelcome.List {
        var frames: [Frame] = []
        for description in [Int.max, 64, 16, 0] {
            frames = Self.frames(groups, description, budget)
            if frames.count == groups.count { break }
        }
        addMembers(to: &frames, groups, budget)
        var list = ClusterChatWelcome.List("groups", budget: budget)
        for frame in frames { _ = list.add(frame.bytes) }
        list.isComplete = frames.count == groups.count && frames.allSatisfy(\.isComplete)
        return list
    }

    /// A group in its last form, which takes more members until it is closed.
    private struct Frame {
        let start: [UInt8]
        var users: [UInt8] = []
        var taken = 0
        var isComplete: Bool

        /// Its brackets and its last quote.
        static let end = Array("]}\"".utf8)

        var bytes: [UInt8] { start + users + Self.end }
    }

    /// As many groups as fit without their members.
    private static func frames(_ groups: [Roster.Group], _ description: Int, _ budget: Int) -> [Frame] {
        var frames: [Frame] = []
        var list = ClusterChatWelcome.List("groups", budget: budget)
        for group in groups {
            let shown = ClusterChatEscape.prefix(group.description, bytes: description)
            var writer = JSONWriter()
            writer.raw("{\"groupdesc\":")
            writer.quote(shown)
            writer.raw(",\"groupname\":")
            writer.quote(group.name)
            writer.raw(",\"id\":")
            writer.integer(group.id.value)
            writer.raw(",\"users\":[")
            let start = Array(ClusterChatWelcome.quoted(writer.bytes).dropLast())
            let isWhole = shown.utf8.count == group.description.utf8.count
            let frame = Frame(start: start, isComplete: isWhole && group.members.isEmpty)
            guard list.add(frame.bytes) else { break }
            frames.append(frame)
        }
        return frames
    }

    /// One member of each group in turn, while there is room.
    private static func addMembers(to frames: inout [Frame], _ groups: [Roster.Group], _ budget: Int) {
        // The key, its quotes, a comma, a colon and two brackets; a comma between two groups.
        var left = budget - 12 - frames.reduce(-1) { $0 + $1.bytes.count + 1 }
        var open = Array(frames.indices.filter { !groups[$0].members.isEmpty })
        while !open.isEmpty {
            open = open.filter { index in
                let members = groups[index].members
                let user = user(members[frames[index].taken])
                let count = user.count + (frames[index].users.isEmpty ? 0 : 1)
                guard count <= left else { return false }
                if !frames[index].users.isEmpty { frames[index].users.append(UInt8(ascii: ",")) }
                frames[index].users += user
                frames[index].taken += 1
                left -= count
                guard frames[index].taken == members.count else { return true }
                frames[index].isComplete = true
                return false
            }
        }
    }

    /// A member as a string inside of a string.
    private static func user(_ member: Roster.Member) -> [UInt8] {
        var writer = JSONWriter()
        writer.raw("{\"id\":")
        writer.integer(member.person.id.value)
        writer.raw(",\"name\":")
        writer.quote(member.person.name)
        writer.raw(",\"role\":")
        writer.raw(member.role == .owner ? "\"creator\"" : "\"normal\"")
        writer.raw(member.person.isOnline ? ",\"state\":\"online\"}" : ",\"state\":\"offline\"}")
        return ClusterChatEscape.inside(String(decoding: ClusterChatWelcome.quoted(writer.bytes), as: UTF8.self))
    }
}
