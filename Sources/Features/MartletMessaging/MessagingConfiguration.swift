import MartletCore

/// What an operator may set.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `messages.edit-limit` | seconds | 86400 |
/// | `messages.recall-limit` | seconds | 120 |
/// | `rooms.named` | flag | true |
package struct MessagingConfiguration: Sendable {
    /// How long after sending its author may edit a message.
    package var editLimit: Duration
    /// How long after sending its author may recall a message. A group's owner and admins may at any time.
    package var recallLimit: Duration
    /// Whether an app has named rooms besides its world room.
    package var namedRooms: Bool

    package init(
        editLimit: Duration = .seconds(86_400), recallLimit: Duration = .seconds(120), namedRooms: Bool = true
    ) {
        self.editLimit = editLimit
        self.recallLimit = recallLimit
        self.namedRooms = namedRooms
    }
}
