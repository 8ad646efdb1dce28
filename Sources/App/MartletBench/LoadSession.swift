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
    /// Where this one sends through the API instead.
    var rest: RestSender?
    /// When the present try to connect began.
    var began: UInt64 = 0

    // MARK: Sending

    var template: SendTemplate?
    /// Where this one pings instead.
    var ping: Ping?
    var sends = SendLedger()
    /// Messages that reached all their receivers, or never will; where they go to everybody, by loop.
    var reached: [UInt32] = [0]
    /// When those that have not reached everybody should have gone out.
    var underWayDue = DueTimes()
    /// After a refusal.
    var isPaused = false

    var reachedEverywhere: UInt32 { reached.min() ?? 0 }

    /// Messages under way: not answered, or not with all receivers yet.
    var underWay: UInt32 {
        let done = min(sends.answered, reachedEverywhere)
        return sends.sent > done ? sends.sent - done : 0
    }

    // MARK: Receiving

    /// By the sender's place among the senders that this session hears.
    var deliveries: [DeliveryLedger] = []
    /// Stops reading for a while.
    var isSlow = false
    /// Comes back with a cursor where its connection ends.
    var followsLog = false
    /// Was signed in before, and has a cursor to come back with.
    var resumes = false
    /// The conversation that it comes back to.
    var conversation: ConversationID?
    var followed = FollowedConversation()
    /// What was known when the last sync was asked for.
    var asked = FollowedConversation()

    init(number: Int, token: BenchToken) {
        self.number = number
        self.token = token
    }
}
