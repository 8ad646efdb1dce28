import Logging
import MartletCore
import Synchronization

/// What the sessions of a pool know together about the server: while it can't be reached, one of them tries again, from
/// time to time, and the others refuse at once instead of waiting one after another.
final class ReconnectionGate: Sendable {
    private static let firstDelay = Duration.milliseconds(50)
    private static let longestDelay = Duration.seconds(2)
    private static let logInterval = Duration.seconds(30)

    private struct State {
        /// In a row, since the last connection that was made.
        var failures = 0
        var last: PostgresFailure?
        var nextTry = ContinuousClock.now
        var isSomeoneTrying = false
        var logged: ContinuousClock.Instant?
        var open = 0
    }

    private let state = Mutex(State())
    private let logger: Logger
    private let server: String

    init(server: String, logger: Logger) {
        self.server = server
        self.logger = logger
    }

    /// Connections that are open.
    var open: Int { state.withLock { $0.open } }

    /// Makes a connection by `work`, or refuses at once with the last failure.
    func connect<Connection>(
        _ work: () throws(PostgresFailure) -> Connection
    ) throws(PostgresFailure) -> Connection {
        if let refusal = enter() { throw refusal }
        do throws(PostgresFailure) {
            let connection = try work()
            succeeded()
            return connection
        } catch {
            failed(error)
            throw error
        }
    }

    /// Notes that an open connection is gone or closed.
    func left() { state.withLock { $0.open -= 1 } }

    private func enter() -> PostgresFailure? {
        state.withLock { state in
            guard state.failures > 0, let last = state.last else { return nil }
            if state.isSomeoneTrying || ContinuousClock.now < state.nextTry { return last }
            state.isSomeoneTrying = true
            return nil
        }
    }

    private func succeeded() {
        let failures = state.withLock { state in
            defer {
                state.failures = 0
                state.isSomeoneTrying = false
                state.logged = nil
                state.open += 1
            }
            return state.failures
        }
        if failures > 0 { logger.notice("the database can be reached again", metadata: ["database": "\(server)"]) }
    }

    private func failed(_ failure: PostgresFailure) {
        let isToBeLogged = state.withLock { state in
            let now = ContinuousClock.now
            let delay = min(Self.firstDelay * (1 << min(state.failures, 10)), Self.longestDelay)
            state.failures += 1
            state.last = failure
            state.nextTry = now + delay * Double.random(in: 0.5...1)
            state.isSomeoneTrying = false
            if let logged = state.logged, now - logged < Self.logInterval { return false }
            state.logged = now
            return true
        }
        if isToBeLogged {
            logger.warning(
                "the database can't be reached", metadata: ["database": "\(server)", "reason": "\(failure)"])
        }
    }
}
