import MartletCore
import MartletLog

/// What a device missed: pure decisions.
enum MissedMessages {
    /// Each cursor once, its furthest place, in an order that is always the same: two that save at once don't wait for
    /// one another in a circle.
    static func furthest(_ rows: [ReceivedCursor]) -> [ReceivedCursor] {
        struct Key: Hashable {
            let user: UserID
            let device: String
            let conversation: ConversationID
        }
        var furthest: [Key: ReceivedCursor] = [:]
        for row in rows {
            let key = Key(user: row.user, device: row.device, conversation: row.conversation)
            if let known = furthest[key], known.seq >= row.seq { continue }
            furthest[key] = row
        }
        return furthest.values.sorted {
            ($0.user.value, $0.device, $0.conversation.text) < ($1.user.value, $1.device, $1.conversation.text)
        }
    }

    /// The last event that a device has of each direct conversation and group of its user, before the log is asked.
    ///
    /// - Parameter groups: the first event that the user may read, of each group of theirs.
    static func starts(
        _ participants: [Participant], _ groups: [GroupID: Int64], _ cursors: [ConversationID: Int64]
    ) -> [ConversationID: Int64] {
        var starts: [ConversationID: Int64] = [:]
        for group in groups.keys { starts[.group(group)] = cursors[.group(group)] ?? 0 }
        for participant in participants {
            let conversation = participant.conversation
            switch conversation {
            case .direct: break
            case .group(let group) where groups[group] != nil: break
            case .group, .room, .inbox: continue
            }
            starts[conversation] = cursors[conversation] ?? max(participant.readSeq, participant.deliveredSeq)
        }
        for (group, fromSeq) in groups {
            starts[.group(group), default: 0] = max(starts[.group(group)] ?? 0, fromSeq - 1)
        }
        return starts
    }

    /// Of those conversations that have further events: the last one that the device has, or that it can't get any
    /// more.
    static func positions(
        _ starts: [ConversationID: Int64], _ bounds: [ConversationID: LogBounds]
    ) -> [ConversationID: Int64] {
        var positions: [ConversationID: Int64] = [:]
        for (conversation, start) in starts {
            guard let bounds = bounds[conversation], bounds.last > start else { continue }
            positions[conversation] = max(start, bounds.first - 1)
        }
        return positions
    }

    /// The conversations that have rested longest: their news are the oldest.
    static func earliest(
        _ positions: [ConversationID: Int64], _ bounds: [ConversationID: LogBounds], limit: Int
    ) -> [ConversationID] {
        let ranked = positions.keys.map { ($0, bounds[$0]?.lastTime ?? .distantPast, $0.text) }
        return ranked.sorted { ($0.1, $0.2) < ($1.1, $1.2) }.prefix(limit).map(\.0)
    }

    /// Events of several conversations, each in its order, the earliest first.
    static func merge(_ lines: [[Event]], limit: Int) -> [Event] {
        var places = lines.map { _ in 0 }
        var merged: [Event] = []
        while merged.count < limit {
            var next: Int?
            for (index, line) in lines.enumerated() where places[index] < line.count {
                let (head, best) = (line[places[index]], next.map { lines[$0][places[$0]] })
                if let best, (best.time, best.ordinal) < (head.time, head.ordinal) { continue }
                next = index
            }
            guard let next else { break }
            merged.append(lines[next][places[next]])
            places[next] += 1
        }
        return merged
    }
}
