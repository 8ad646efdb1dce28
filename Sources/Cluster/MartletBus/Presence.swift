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

/// The gateway's side of presence: it tells of sessions that come and go on this node. Returns at once.
package protocol PresenceWriter: Sendable {
    /// A session signed in. True where it is the user's first.
    func opened(_ user: UserID) -> Bool
    /// A session ended. True where it was the user's last.
    func closed(_ user: UserID) -> Bool
    /// A session entered a room. True where it is the user's first there.
    func entered(_ room: ConversationID, _ user: UserID) -> Bool
    /// A session left a room. True where it was the user's last there.
    func left(_ room: ConversationID, _ user: UserID) -> Bool
}
