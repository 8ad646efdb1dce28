/// When a sender's messages should have gone out, from the oldest on that has not reached everybody.
struct DueTimes: Sendable {
    private var times: [UInt64] = []
    /// Those before it were taken already; they are dropped now and then, not one by one.
    private var start = 0

    /// Of the first time that is kept.
    private var first: UInt32 = 0

    /// A further message is under way.
    mutating func add(_ time: UInt64) { times.append(time) }

    /// A message that was refused does not count.
    mutating func drop(_ counter: UInt32) {
        guard counter >= first else { return }
        let index = start + Int(counter - first)
        if times.indices.contains(index) { times[index] = 0 }
    }

    /// The oldest `count` have reached everybody: when they should have gone out, without those dropped.
    mutating func take(_ count: UInt32) -> [UInt64] {
        let end = min(start + Int(count), times.count)
        let taken = times[start..<end].filter { $0 > 0 }
        first += UInt32(end - start)
        start = end
        if start > 1024 {
            times.removeFirst(start)
            start = 0
        }
        return taken
    }
}
