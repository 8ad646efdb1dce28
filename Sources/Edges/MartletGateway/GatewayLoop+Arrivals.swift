import MartletCore
import MartletLog
import NIOCore
import Synchronization

/// What other threads have for a loop: gathered, so that it is woken once for all of it.
struct Arrivals {
    /// Sends that the log has answered.
    var answered: [AppendRequest] = []
    /// Events for followers on the loop, in order.
    var events: [Event] = []
    /// When the oldest of the events was committed.
    var committed = NIODeadline.distantFuture
    /// The loop will come for it.
    var isExpected = false
}

extension GatewayLoop {
    /// Takes events from any thread. The loop must be woken for them.
    func take(_ events: [Event], _ committed: NIODeadline) {
        arrivals.withLock { arrivals in
            arrivals.events += events
            arrivals.committed = min(arrivals.committed, committed)
        }
    }

    /// Has the loop do what has arrived; from any thread.
    package func wake() {
        let isFirst = arrivals.withLock { arrivals in
            guard !arrivals.isExpected else { return false }
            arrivals.isExpected = true
            return true
        }
        if isFirst { eventLoop.execute { [self] in doArrivals() } }
    }

    /// Answers before events, so that a session knows its own; and one flush behind all, so that a socket that gets both is written to once.
    private func doArrivals() {
        let work = arrivals.withLock { arrivals in
            defer { arrivals = Arrivals() }
            return arrivals
        }
        for request in work.answered { answer(request) }
        for event in work.events { deliver(event) }
        flushDirty()
        guard !work.events.isEmpty else { return }
        let elapsed = NIODeadline.now() - work.committed
        gateway.metrics.deliveryLatency.record(UInt64(max(0, elapsed.nanoseconds / 1000)))
    }
}
