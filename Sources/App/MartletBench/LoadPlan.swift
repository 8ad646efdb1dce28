import MartletCore
import NIOCore

/// What all loops of a run share; fixed at its start.
struct LoadPlan: Sendable {
    let options: BenchOptions
    let run: UInt32
    /// The time of day at the monotonic clock's zero, in milliseconds.
    let epoch: UInt64

    init(_ options: BenchOptions, run: UInt32, timeOfDay: Instant) {
        self.options = options
        self.run = run
        epoch = UInt64(timeOfDay.milliseconds) - NIODeadline.now().uptimeNanoseconds / 1_000_000
    }

    static let room: ConversationID? = AppID(1).map { .room($0, "bench") }

    var isOpenLoop: Bool { options.rate > 0 && (options.profile == .pairs || options.profile == .room) }

    /// Users who write.
    var senders: Int {
        switch options.profile {
        case .idle: 0
        case .pairs, .storm: options.connections
        case .room: options.senders
        }
    }

    /// Who gets each message.
    var receiversPerMessage: Int { options.profile == .room ? options.connections - 1 : 1 }

    /// Pairs share a loop.
    func loop(of session: Int) -> Int { (session / 2) % options.loops }

    /// The place of `sender` among those that `session` hears; nil where it should not hear that one.
    func place(of sender: Int, heardBy session: Int) -> Int? {
        switch options.profile {
        case .idle: nil
        case .pairs, .storm: sender == session ^ 1 ? 0 : nil
        case .room: sender < options.senders && sender != session ? sender : nil
        }
    }

    /// Senders that a session hears.
    func sendersHeard() -> Int {
        switch options.profile {
        case .idle: 0
        case .pairs, .storm: 1
        case .room: options.senders
        }
    }

    /// The numbers of the senders that `session` hears, with their places.
    func heard(by session: Int) -> [(place: Int, sender: Int)] {
        switch options.profile {
        case .idle: []
        case .pairs, .storm: [(0, session ^ 1)]
        case .room: (0..<options.senders).filter { $0 != session }.map { ($0, $0) }
        }
    }
}

/// What happened on a loop, or on all of them.
struct LoadCounts: Sendable {
    var sent = 0
    var acknowledged = 0
    var refused = 0
    var delivered = 0
    /// Messages of this run that came to somebody whom they were not for.
    var misdelivered = 0
    /// Answers to what was never sent, or that were given before.
    var strayAnswers = 0
    var connectRetries = 0
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
        sum.misdelivered += right.misdelivered
        sum.strayAnswers += right.strayAnswers
        sum.connectRetries += right.connectRetries
        sum.disconnects += right.disconnects
        sum.resets += right.resets
        sum.refusals.merge(right.refusals, uniquingKeysWith: +)
        sum.closeCodes.merge(right.closeCodes, uniquingKeysWith: +)
        return sum
    }
}
