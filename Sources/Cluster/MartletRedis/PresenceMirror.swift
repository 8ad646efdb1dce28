import MartletBus
import MartletCore

/// What one node knows of its own sessions: the answer while nobody can be asked, and what is written again to a server
/// that knows nothing. Under 100 bytes a session. Pure.
struct PresenceMirror {
    private(set) var sessions: [UserID: SessionList] = [:]
    /// Sessions in a room on this node, by user.
    private(set) var rooms: [ConversationID: [UserID: Int]] = [:]
    /// Sessions whose admission is being asked for; false where they ended meanwhile.
    private var opening: [SessionID: Bool] = [:]

    mutating func open(_ session: SessionID) { opening[session] = true }

    /// A session was admitted elsewhere. False where it ended meanwhile.
    mutating func admitted(_ asked: SessionOpening, replaced: [SessionID]) -> Bool {
        for session in replaced { _ = remove(asked.user, session) }
        guard opening.removeValue(forKey: asked.session) == true else { return false }
        var entries = sessions[asked.user]?.entries ?? []
        entries.append(SessionList.Entry(session: asked.session, device: asked.device))
        sessions[asked.user] = SessionList(entries)
        return true
    }

    mutating func refused(_ session: SessionID) { opening[session] = nil }

    /// Nobody else can be asked: this node decides.
    mutating func admit(_ asked: SessionOpening) -> Admission {
        let isWanted = opening.removeValue(forKey: asked.session) == true
        var list = sessions[asked.user] ?? SessionList()
        let admission = list.admit(asked)
        if !isWanted { _ = list.remove(asked.session) }
        sessions[asked.user] = list.isEmpty ? nil : list
        return admission
    }

    /// Whether it was there, and the user's last on this node.
    mutating func close(_ user: UserID, _ session: SessionID) -> (wasHere: Bool, isLast: Bool) {
        if opening[session] != nil { opening[session] = false }
        let wasHere = remove(user, session)
        return (wasHere, wasHere && sessions[user] == nil)
    }

    private mutating func remove(_ user: UserID, _ session: SessionID) -> Bool {
        guard sessions[user]?.remove(session) == true else { return false }
        if sessions[user]?.isEmpty == true { sessions[user] = nil }
        return true
    }

    /// True where it is the user's first session there on this node.
    mutating func enter(_ room: ConversationID, _ user: UserID) -> Bool {
        rooms[room, default: [:]][user, default: 0] += 1
        return rooms[room]?[user] == 1
    }

    /// Nil where the user was not there on this node; true where it was the last session there.
    mutating func leave(_ room: ConversationID, _ user: UserID) -> Bool? {
        guard let count = rooms[room]?[user] else { return nil }
        rooms[room]?[user] = count > 1 ? count - 1 : nil
        if rooms[room]?.isEmpty == true { rooms[room] = nil }
        return count <= 1
    }
}
