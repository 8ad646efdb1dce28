import MartletBus
import MartletCore

/// What an operator may set.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `messages.edit-limit` | seconds | 86400 |
/// | `messages.recall-limit` | seconds | 120 |
/// | `rooms.named` | flag | true |
/// | `gateway.sends-per-second` | messages of one user, over REST and sessions together | 20 |
package struct MessagingConfiguration: Sendable {
    /// How long after sending its author may edit a message.
    package var editLimit: Duration
    /// How long after sending its author may recall a message. A group's owner and admins may at any time.
    package var recallLimit: Duration
    /// Whether an app has named rooms besides its world room.
    package var namedRooms: Bool
    /// A user's sends; the gateway applies the same rule to those of sessions.
    package var sends = RateRule(perSecond: 20, burst: 60)

    package init(
        editLimit: Duration = .seconds(86_400), recallLimit: Duration = .seconds(120), namedRooms: Bool = true
    ) {
        self.editLimit = editLimit
        self.recallLimit = recallLimit
        self.namedRooms = namedRooms
    }
}
