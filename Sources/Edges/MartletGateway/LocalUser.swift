import MartletCore
import MartletMessaging

/// A user with sessions on one loop: what those sessions share. Confined to the loop.
final class LocalUser {
    /// How long a right is believed without a word from the bus, which may lose one.
    private static let rightsLifetime: UInt64 = 30
    private static let rightsCapacity = 1024

    private struct CachedRight {
        let right: SendRight
        let tick: UInt64
    }

    let id: UserID
    var sessions: ContiguousArray<Session> = []
    /// Groups that the sessions follow, and the event from which on; 0 for those that they followed from their sign-in on.
    var groups: [ConversationID: Int64] = [:]
    /// Groups left while their list was on its way, so that the older list does not bring them back.
    var leftMeanwhile: Set<ConversationID> = []
    /// What the inbox last said since there are sessions here; nil where it said nothing.
    var nickname: String?
    private var rights: [ConversationID: CachedRight] = [:]

    init(_ id: UserID) { self.id = id }

    func right(_ conversation: ConversationID, tick: UInt64) -> SendRight? {
        guard let cached = rights[conversation], tick - cached.tick <= Self.rightsLifetime else { return nil }
        return cached.right
    }

    func remember(_ right: SendRight, _ conversation: ConversationID, tick: UInt64) {
        if rights.count >= Self.rightsCapacity { rights = [:] }
        rights[conversation] = CachedRight(right: right, tick: tick)
    }

    func forgetRight(_ conversation: ConversationID) { rights[conversation] = nil }
}

/// Who follows a group or a room on one loop.
final class LoopTopic {
    /// Members of a group, with all their sessions.
    var users: ContiguousArray<LocalUser> = []
    /// Sessions in a room.
    var sessions: ContiguousArray<Session> = []

    var isEmpty: Bool { users.isEmpty && sessions.isEmpty }
}
