import MartletCore
import Synchronization

/// Who is connected to a cluster of one. The gateway tells it of every session that comes and goes.
package final class LocalPresence: Presence, PresenceWriter {
    private struct State {
        var sessions: [UserID: SessionList] = [:]
        /// Sessions in a room, by user.
        var rooms: [ConversationID: [UserID: Int]] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func opened(_ opening: SessionOpening, done: @escaping @Sendable (Admission) -> Void) {
        done(state.withLock { $0.sessions[opening.user, default: SessionList()].admit(opening) })
    }

    package func closed(_ user: UserID, _ session: SessionID, done: @escaping @Sendable (Bool) -> Void) {
        done(
            state.withLock { state in
                guard state.sessions[user]?.remove(session) == true else { return false }
                guard state.sessions[user]?.isEmpty == true else { return false }
                state.sessions[user] = nil
                return true
            })
    }

    package func entered(_ room: ConversationID, _ user: UserID, done: @escaping @Sendable (Bool) -> Void) {
        done(
            state.withLock { state in
                state.rooms[room, default: [:]][user, default: 0] += 1
                return state.rooms[room]?[user] == 1
            })
    }

    package func left(_ room: ConversationID, _ user: UserID, done: @escaping @Sendable (Bool) -> Void) {
        done(
            state.withLock { state in
                guard let count = state.rooms[room]?[user] else { return false }
                state.rooms[room]?[user] = count > 1 ? count - 1 : nil
                if state.rooms[room]?.isEmpty == true { state.rooms[room] = nil }
                return count <= 1
            })
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

/// A user's sessions, the oldest first, and the rule about repeated sign-ins. Pure: every adapter decides by it.
package struct SessionList: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package let session: SessionID
        package let device: String

        package init(session: SessionID, device: String) {
            self.session = session
            self.device = device
        }
    }

    package private(set) var entries: [Entry]

    /// `entries`: the oldest first.
    package init(_ entries: [Entry] = []) { self.entries = entries }

    package var isEmpty: Bool { entries.isEmpty }

    package mutating func admit(_ opening: SessionOpening) -> Admission {
        let isFirst = entries.isEmpty
        let same = entries.filter { $0.device == opening.device }
        if opening.sameDevice == .refuse, !same.isEmpty { return .refused }
        var replaced = opening.sameDevice == .replace ? same : []
        entries.removeAll { replaced.contains($0) }
        while entries.count >= max(1, opening.limit) { replaced.append(entries.removeFirst()) }
        entries.append(Entry(session: opening.session, device: opening.device))
        return .admitted(isFirst: isFirst, replaced: replaced.map(\.session))
    }

    /// False where the session is not one of them: it made room for another, or never came in.
    package mutating func remove(_ session: SessionID) -> Bool {
        guard let index = entries.firstIndex(where: { $0.session == session }) else { return false }
        entries.remove(at: index)
        return true
    }
}
