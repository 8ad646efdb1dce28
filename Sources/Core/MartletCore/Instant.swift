/// A point in time in milliseconds since 1970-01-01T00:00:00Z, the unit of the protocol and of the store.
package struct Instant: Hashable, Sendable, Comparable {
    package let milliseconds: Int64

    package static let distantPast = Instant(milliseconds: 0)
    /// The latest time that JSON readers keep exactly; "without an end".
    package static let distantFuture = Instant(milliseconds: maximumIdentifier)

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Whole seconds since 1970.
    package var seconds: Int64 { milliseconds / 1000 }

    package static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }

    package static func + (left: Instant, right: Duration) -> Instant {
        Instant(milliseconds: left.milliseconds + right.milliseconds)
    }

    package static func - (left: Instant, right: Duration) -> Instant {
        Instant(milliseconds: left.milliseconds - right.milliseconds)
    }

    /// How much later `left` is than `right`.
    package static func - (left: Instant, right: Instant) -> Duration {
        .milliseconds(left.milliseconds - right.milliseconds)
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

/// Where the time comes from. Tests own theirs.
package protocol TimeSource: Sendable {
    var now: Instant { get }
}
