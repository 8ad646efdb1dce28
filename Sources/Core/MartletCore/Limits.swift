/// Bounds that are part of the protocol. What an operator may change is in each target's configuration instead.
package enum Limits {
    package static let conversationIdBytes = 64
    package static let clientIdBytes = 1...64
    package static let contentBytes = 16 * 1024
    /// One WebSocket message, one REST body.
    package static let requestBytes = 64 * 1024
    package static let jsonDepth = 16
    package static let customContentBytes = 8 * 1024
    package static let customContentDepth = 8
    package static let textCharacters = 1...4096
    package static let mentions = 50
    package static let forwardItems = 1...100
    package static let pageSize = 1...100
    package static let defaultPageSize = 50
    package static let friendPageSize = 1...1000
    package static let syncPageSize = 1...200
    /// Conversations that a sync without cursors returns, and that one with cursors may name.
    package static let syncConversations = 100
    package static let syncCursors = 2000
    /// Counting unread messages stops here.
    package static let unreadCount = 1000
    package static let username = 2...32
    package static let password = 8...128
    package static let nickname = 1...64
    package static let groupName = 1...64
    package static let groupDescription = 0...512
    package static let announcement = 0...2048
    package static let remark = 0...64
    package static let requestMessage = 0...200
    package static let emojiBytes = 1...32
    package static let friends = 5000
    package static let groupsPerUser = 1000
    package static let groupMembers = 20_000
    /// Room comings and goings are announced up to this many people.
    package static let announcedRoom = 200
    /// Read cursors of a group are announced up to this many members.
    package static let announcedCursors = 100
}
