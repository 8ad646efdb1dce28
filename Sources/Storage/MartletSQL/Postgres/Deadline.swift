#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A point in time on a clock that nobody sets.
struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    init(after duration: Duration) { instant = .now.advanced(by: duration) }

    var isPast: Bool { ContinuousClock.now >= instant }

    /// The earlier one.
    func capped(_ other: Deadline) -> Deadline { other.instant < instant ? other : self }

    /// What is left, for poll(2): rounded up, so that a wait does not end before the deadline.
    private var milliseconds: Int32 {
        let left = ContinuousClock.now.duration(to: instant)
        if left <= .zero { return 0 }
        let (seconds, attoseconds) = left.components
        return Int32(
            clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue + attoseconds / 1_000_000_000_000_000
                + 1)
    }

    /// Waits until the socket is ready for one of `events` (POLLIN, POLLOUT). False where the deadline passed first.
    func wait(for events: Int32, on socket: Int32) -> Bool {
        var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
        while true {
            let count = poll(&entry, 1, milliseconds)
            if count > 0 { return true }
            // Another failure than an interruption is the socket's: libpq will say what it is.
            if count < 0 && errno != EINTR { return true }
            if isPast { return false }
        }
    }

    /// True where the socket has something to read, or its end, at this moment.
    static func isReadable(_ socket: Int32) -> Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }
}
