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
