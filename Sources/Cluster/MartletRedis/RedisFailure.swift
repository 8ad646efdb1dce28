import MartletCore

/// Why a connection to Redis did not come about, or ended.
package enum RedisFailure: Error, Equatable {
    case unreachable(String)
    case wrongPassword
    /// The user may not do all that is needed; with what Redis says.
    case forbidden(String)
    case tooOld(version: String)
    /// It speaks, but can't be used: a replica, a member of a Redis Cluster, something else than Redis.
    case unfit(String)
    /// Nothing was heard for longer than the connection is patient.
    case silent
    case damaged(RESPDamage)
    case closed

    /// For the operator's log: one line, without secrets.
    package var message: String {
        switch self {
        case .unreachable(let reason): "can't be reached: \(reason)"
        case .wrongPassword: "refuses the user or the password of its URL"
        case .forbidden(let reason): "forbids its user what is needed: \(reason)"
        case .tooOld(let version): "is version \(version); 7.0 or newer is needed"
        case .unfit(let reason): reason
        case .silent: "does not answer"
        case .damaged(let damage): "sent what is not Redis' protocol: \(damage.what.rawValue)"
        case .closed: "closed the connection"
        }
    }

    /// True where trying again does not help until somebody changes something.
    package var isLasting: Bool {
        switch self {
        case .wrongPassword, .forbidden, .tooOld, .unfit: true
        case .unreachable, .silent, .damaged, .closed: false
        }
    }
}

extension Fault {
    /// Redis can't be asked now.
    static let redisIsAway = Fault(.unavailable, "the bus is away")
    /// Redis is there, and did not answer this in its time.
    static let redisIsLate = Fault(.unavailable, "the bus does not answer in time")

    /// No answer came in time, over a connection that goes on.
    var isLate: Bool { message == Self.redisIsLate.message }

    /// More waits for Redis than may.
    static let redisIsBehind = Fault(.overloaded, "the bus is overloaded")

    private static let refused = "Redis refuses: "

    /// Redis answered with an error.
    static func redisRefuses(_ error: String) -> Fault { Fault(.unavailable, refused + error.prefix(120)) }

    /// What Redis answered instead, where that is the fault.
    var redisError: Substring? { message.hasPrefix(Self.refused) ? message.dropFirst(Self.refused.count) : nil }
}
