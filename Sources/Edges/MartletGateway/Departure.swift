import Synchronization

/// That this node leaves, for all who then behave otherwise: it is not ready any more, connections of HTTP end with their answer, and who signs in is
/// told to go elsewhere.
package final class Departure: Sendable {
    private struct State {
        var hasBegun = false
        var end: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    package init() {}

    /// True from the first moment of a stop, while the port is still open.
    package var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// True once sessions are told to go.
    var isUnderWay: Bool { state.withLock { $0.end != nil } }

    func begin() { state.withLock { $0.hasBegun = true } }

    /// From here on sessions are told to be gone by `end`.
    func tellSessions(goneBy end: ContinuousClock.Instant) {
        state.withLock { state in
            state.hasBegun = true
            state.end = end
        }
    }

    /// How long sessions still have; nil until they are told to go.
    func timeLeft(now: ContinuousClock.Instant) -> Duration? {
        state.withLock { $0.end }.map { max(.zero, now.duration(to: $0)) }
    }
}
