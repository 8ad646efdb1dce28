import MartletCore
import Synchronization

/// Who is connected to a cluster of one. The gateway tells it of every session that comes and goes.
package final class LocalPresence: Presence, PresenceWriter {
    private struct State {
        var sessions: [UserID: Int] = [:]
        /// Sessions in a room, by user.
        var rooms: [ConversationID: [UserID: Int]] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func opened(_ user: UserID) -> Bool { state.withLock { Self.add(user, to: &$0.sessions) } }

    package func closed(_ user: UserID) -> Bool { state.withLock { Self.remove(user, from: &$0.sessions) } }

    package func entered(_ room: ConversationID, _ user: UserID) -> Bool {
        state.withLock { Self.add(user, to: &$0.rooms[room, default: [:]]) }
    }

    package func left(_ room: ConversationID, _ user: UserID) -> Bool {
        state.withLock { state in
            let isLast = Self.remove(user, from: &state.rooms[room, default: [:]])
            if state.rooms[room]?.isEmpty == true { state.rooms[room] = nil }
            return isLast
        }
    }

    private static func add(_ user: UserID, to counts: inout [UserID: Int]) -> Bool {
        counts[user, default: 0] += 1
        return counts[user] == 1
    }

    private static func remove(_ user: UserID, from counts: inout [UserID: Int]) -> Bool {
        guard let count = counts[user] else { return false }
        counts[user] = count > 1 ? count - 1 : nil
        return count <= 1
    }

    package func online(among users: [UserID]) async -> Set<UserID> {
        state.withLock { state in Set(users.filter { state.sessions[$0] != nil }) }
    }

    package func people(in room: ConversationID, limit: Int) async -> (users: [UserID], count: Int) {
        let people = state.withLock { state in state.rooms[room].map { Array($0.keys) } ?? [] }
        return (Array(people.sorted().prefix(limit)), people.count)
    }

    package func isHere(_ user: UserID, in room: ConversationID) async -> Bool {
        state.withLock { $0.rooms[room]?[user] != nil }
    }

    package func rooms(of app: AppID) async -> [(room: ConversationID, people: Int)] {
        state.withLock { state in
            state.rooms.compactMap { room, people in
                guard case .room(app, _) = room else { return nil }
                return (room, people.count)
            }
        }
    }
}
