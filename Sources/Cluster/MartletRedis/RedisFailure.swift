import MartletCore

/// Why a connection to Redis did not come about, or ended.
package enum RedisFailure: Error, Equatable {
    case unreachable(String)
    case wrongPassword
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
        case .wrongPassword, .tooOld, .unfit: true
        case .unreachable, .silent, .damaged, .closed: false
        }
    }
}

extension Fault {
    /// Redis can't be asked now.
    static let redisIsAway = Fault(.unavailable, "the bus is away")
    /// More waits for Redis than may.
    static let redisIsBehind = Fault(.overloaded, "the bus is overloaded")
}
