/// The slowest delivery of each tenth of a second: a server that stalls delays many at once, and one of them says when.
struct SlowestDeliveries: Sendable {
    static let count = 10
    private static let bucket: UInt64 = 100_000_000

    struct Delivery: Sendable, Equatable {
        /// When the message should have gone out, in nanoseconds of the monotonic clock.
        let due: UInt64
        let nanoseconds: UInt64
        let sender: Int
        let receiver: Int
    }

    private var byTime: [UInt64: Delivery] = [:]

    mutating func note(_ delivery: Delivery) {
        let key = delivery.due / Self.bucket
        if let known = byTime[key], known.nanoseconds >= delivery.nanoseconds { return }
        byTime[key] = delivery
    }

    mutating func add(_ other: SlowestDeliveries) { for delivery in other.byTime.values { note(delivery) } }

    /// The slowest of all, slowest first.
    var slowest: [Delivery] {
        Array(byTime.values.sorted { ($0.nanoseconds, $1.due) > ($1.nanoseconds, $0.due) }.prefix(Self.count))
    }
}
