/// An open loop's timetable: when each message should go out, whatever the server does. Latency counts from there, so
/// that a server that stalls can't hide the messages that waited for it (no coordinated omission).
package struct Pacing {
    /// Nanoseconds between two messages.
    private let interval: Double
    private let start: UInt64
    /// Messages handed out so far.
    private(set) var count: UInt64 = 0

    /// `rate` in messages a second, above 0. The first is due at `start`, in nanoseconds of the monotonic clock.
    package init(rate: Double, start: UInt64) {
        interval = 1_000_000_000 / rate
        self.start = start
    }

    /// When the next message should go out.
    package var next: UInt64 { start + UInt64(Double(count) * interval) }

    /// Takes the next message if it is due, and returns when it should have gone out.
    package mutating func take(_ now: UInt64) -> UInt64? {
        let due = next
        guard due <= now else { return nil }
        count += 1
        return due
    }
}
