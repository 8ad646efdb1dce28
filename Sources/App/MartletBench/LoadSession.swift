import MartletCore
import MartletWire

/// One user of the run, over all its connections. Belongs to its loop.
final class LoadSession {
    enum Phase {
        /// Not connected, or on the way.
        case away
        /// Signed in, entered, caught up: whatever its profile asks for.
        case ready
        /// Ended by the server, and not coming back.
        case ended
    }

    /// Its number within the run.
    let number: Int
    let token: BenchToken
    /// The other one of a pair; on the same loop.
    var partner: LoadSession?
    var phase = Phase.away
    var handler: LoadHandler?
    /// When the present try to connect began.
    var began: UInt64 = 0

    // MARK: Sending

    var template: SendTemplate?
    var sends = SendLedger()
    /// Messages that reached all their receivers, or never will; in a room, by loop.
    var reached: [UInt32] = [0]
    /// After a refusal.
    var isPaused = false

    /// Messages under way: not answered, or not with all receivers yet.
    var underWay: UInt32 {
        let done = min(sends.answered, reached.min() ?? 0)
        return sends.sent > done ? sends.sent - done : 0
    }

    // MARK: Receiving

    /// By the sender's place among the senders that this session hears.
    var deliveries: [DeliveryLedger] = []
    /// The storm's conversation with the partner.
    var followed = FollowedConversation()
    /// What was known when the last sync was asked for.
    var asked = FollowedConversation()

    init(number: Int, token: BenchToken) {
        self.number = number
        self.token = token
    }

    /// The direct conversation with the partner.
    var conversation: ConversationID? {
        guard let partner, let own = UserID(token.user), let other = UserID(partner.token.user) else { return nil }
        return .between(own, other)
    }
}
