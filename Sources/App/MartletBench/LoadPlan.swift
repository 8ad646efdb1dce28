import MartletCore
import NIOCore

/// What all loops of a run share; fixed at its start.
struct LoadPlan: Sendable {
    let options: BenchOptions
    let run: UInt32
    /// The time of day at the monotonic clock's zero, in milliseconds.
    let epoch: UInt64
    /// The room or group that everybody is in; nil where there is none.
    let conversation: ConversationID?

    /// `group`: the one that was made for this run.
    init(_ options: BenchOptions, run: UInt32, timeOfDay: Instant, group: ConversationID? = nil) {
        self.options = options
        self.run = run
        epoch = UInt64(timeOfDay.milliseconds) - NIODeadline.now().uptimeNanoseconds / 1_000_000
        conversation = options.profile == .room ? AppID(1).map { .room($0, "bench") } : group
    }

    var isOpenLoop: Bool { options.rate > 0 && options.profile != .idle && options.profile != .storm }

    /// How many sessions write.
    var senders: Int {
        switch options.profile {
        case .idle, .echo, .storm: options.connections
        case .pairs: options.active ?? options.connections
        case .rest: options.connections / 2
        case .room, .group, .slow: options.senders
        }
    }

    func isSender(_ session: Int) -> Bool {
        options.profile == .rest ? session.isMultiple(of: 2) : session < senders
    }

    /// Whether a session stops reading for a while.
    func isSlow(_ session: Int) -> Bool { session >= options.connections - options.slow }

    /// Whether a session comes back with a cursor when its connection ends, and so has to know where it is.
    func followsLog(_ session: Int) -> Bool { options.profile == .storm || isSlow(session) }

    /// Who gets each message.
    var receiversPerMessage: Int { options.profile.isFanOut ? options.connections - 1 : 1 }

    /// Receivers of a sender's messages on one loop, without those who may be slow: nobody waits for them.
    func receivers(of sender: Int, on loop: Int) -> Int {
        (0..<options.connections).count { self.loop(of: $0) == loop && $0 != sender && !isSlow($0) }
    }

    /// Pairs share a loop.
    func loop(of session: Int) -> Int { (session / 2) % options.loops }

    /// The place of `sender` among those that `session` hears; nil where it should not hear that one.
    func place(of sender: Int, heardBy session: Int) -> Int? {
        switch options.profile {
        case .echo: sender == session ? 0 : nil
        case .idle, .pairs, .rest, .storm: sender == session ^ 1 && isSender(sender) ? 0 : nil
        case .room, .group, .slow: sender < options.senders && sender != session ? sender : nil
        }
    }

    /// Senders that a session hears.
    func sendersHeard() -> Int {
        switch options.profile {
        case .idle, .echo, .pairs, .rest, .storm: 1
        case .room, .group, .slow: options.senders
        }
    }

    /// The numbers of the senders that `session` hears, with their places.
    func heard(by session: Int) -> [(place: Int, sender: Int)] {
        switch options.profile {
        case .echo: [(0, session)]
        case .idle, .pairs, .rest, .storm: isSender(session ^ 1) ? [(0, session ^ 1)] : []
        case .room, .group, .slow: (0..<options.senders).filter { $0 != session }.map { ($0, $0) }
        }
    }
}

/// What happened on a loop, or on all of them.
struct LoadCounts: Sendable {
    var sent = 0
    var acknowledged = 0
    var refused = 0
    var delivered = 0
    /// Of those, to sessions that stop reading for a while.
    var deliveredToSlow = 0
    /// Messages of this run that came to somebody whom they were not for.
    var misdelivered = 0
    /// Answers to what was never sent, or that were given before.
    var strayAnswers = 0
    var connectRetries = 0
    /// Sign-ins and syncs that the server had no time for.
    var toldToWait = 0
    /// Connections that the server ended.
    var disconnects = 0
    /// Conversations whose history the server said was trimmed.
    var resets = 0
    var refusals: [Int: Int] = [:]
    var closeCodes: [UInt16: Int] = [:]

    static func + (left: LoadCounts, right: LoadCounts) -> LoadCounts {
        var sum = left
        sum.sent += right.sent
        sum.acknowledged += right.acknowledged
        sum.refused += right.refused
        sum.delivered += right.delivered
        sum.deliveredToSlow += right.deliveredToSlow
        sum.misdelivered += right.misdelivered
        sum.strayAnswers += right.strayAnswers
        sum.connectRetries += right.connectRetries
        sum.toldToWait += right.toldToWait
        sum.disconnects += right.disconnects
        sum.resets += right.resets
        sum.refusals.merge(right.refusals, uniquingKeysWith: +)
        sum.closeCodes.merge(right.closeCodes, uniquingKeysWith: +)
        return sum
    }
}
