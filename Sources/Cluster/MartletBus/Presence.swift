import MartletCore

/// Who is connected, on any node.
package protocol Presence: Sendable {
    /// Those of `users` who have a live session.
    func online(among users: [UserID]) async -> Set<UserID>
    /// Who is in a room, at most `limit`, by ascending id, and how many there are in all.
    func people(in room: ConversationID, limit: Int) async -> (users: [UserID], count: Int)
    /// True where a session of the user is in the room.
    func isHere(_ user: UserID, in room: ConversationID) async -> Bool
    /// Rooms of an app that have somebody in them, with how many.
    func rooms(of app: AppID) async -> [(room: ConversationID, people: Int)]
}

/// What happens when a device kind signs in that the user is signed in with already.
package enum SameDevice: String, Sendable, CaseIterable {
    case allow
    /// The older session ends.
    case replace
    /// The newer one is not let in.
    case refuse
}

/// A session that asks to be let in.
package struct SessionOpening: Sendable {
    package let user: UserID
    package let session: SessionID
    /// What counts as the same device: its kind, or what a dialect has instead. Letters only.
    package let device: String
    package let sameDevice: SameDevice
    /// Sessions of one user on all nodes; the oldest make room. At least 1.
    package let limit: Int

    package init(user: UserID, session: SessionID, device: String, sameDevice: SameDevice, limit: Int) {
        self.user = user
        self.session = session
        self.device = device
        self.sameDevice = sameDevice
        self.limit = limit
    }
}

/// Whether a session is let in.
package enum Admission: Sendable, Equatable {
    /// `isFirst`: the user had no other session. `replaced`: older ones, on any node, that have to make room; they are
    /// not in the directory any more.
    case admitted(isFirst: Bool, replaced: [SessionID])
    case refused
}

/// The gateway's side of presence: the directory of all nodes' sessions. The calls return at once and take effect in
/// their order; `done` is called once, on any thread, also before the call returns. Where other nodes can't be asked,
/// the answer is what this node knows by itself.
package protocol PresenceWriter: Sendable {
    func opened(_ opening: SessionOpening, done: @escaping @Sendable (Admission) -> Void)
    /// A session ended, or one that was being opened did not come to be. True where it was the user's last.
    func closed(_ user: UserID, _ session: SessionID, done: @escaping @Sendable (Bool) -> Void)
    /// A session entered a room. True where it is the user's first there.
    func entered(_ room: ConversationID, _ user: UserID, done: @escaping @Sendable (Bool) -> Void)
    /// A session left a room. True where it was the user's last there.
    func left(_ room: ConversationID, _ user: UserID, done: @escaping @Sendable (Bool) -> Void)
}
