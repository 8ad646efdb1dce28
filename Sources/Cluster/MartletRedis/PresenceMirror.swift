import MartletBus
import MartletCore

/// What Redis may have wrong of one node's sessions. Pure.
struct PresenceStale {
    /// Sessions, and rooms, that are noted at most; what is more is forgotten once Redis' time for it is over.
    private static let limit = 100_000

    /// What may stand in Redis although it is over.
    private(set) var sessions: [SessionID: UserID] = [:]
    /// Rooms that may stand in Redis otherwise than here.
    private(set) var rooms: Set<ConversationID> = []
    /// The same for servers that are away: they come back with what they knew.
    private var laterSessions: [SessionID: UserID] = [:]
    private var laterRooms: Set<ConversationID> = []

    mutating func note(_ session: SessionID, of user: UserID) {
        if sessions.count < Self.limit { sessions[session] = user }
    }

    mutating func note(_ room: ConversationID) { if rooms.count < Self.limit { rooms.insert(room) } }

    /// What is to be put right now. It is kept for once more where not all servers can be told.
    mutating func take(areAllPresent: Bool) -> (sessions: [SessionID: UserID], rooms: Set<ConversationID>) {
        if areAllPresent {
            sessions.merge(laterSessions) { own, _ in own }
            rooms.formUnion(laterRooms)
            laterSessions = [:]
            laterRooms = []
        } else {
            for (session, user) in sessions where laterSessions.count < Self.limit { laterSessions[session] = user }
            for room in rooms where laterRooms.count < Self.limit { laterRooms.insert(room) }
        }
        defer {
            sessions = [:]
            rooms = []
        }
        return (sessions, rooms)
    }
}

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
