import NIOCore
import NIOPosix
import Synchronization

/// A condition did not come true in time.
package struct WaitedTooLong: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// How long a test waits for something that must happen: long, since it only ends a test that has failed.
package let patience = Duration.seconds(60)

/// State that several threads change, and that tests wait on. Conditions are looked at on every change, never by
/// polling.
package final class Watched<State: Sendable>: Sendable {
    private struct Waiter: Sendable {
        /// Returns true once it has resumed whoever waits.
        let look: @Sendable (inout State) -> Bool
        let expire: @Sendable () -> Void
    }

    private struct Guarded {
        var state: State
        var waiters: [UInt64: Waiter] = [:]
        var next: UInt64 = 0
    }

    private let guarded: Mutex<Guarded>

    package init(_ state: State) { guarded = Mutex(Guarded(state: state)) }

    package var value: State { guarded.withLock { $0.state } }

    /// Changes the state, and wakes those whose condition became true.
    @discardableResult
    package func update<Result: Sendable>(_ change: (inout State) -> Result) -> Result {
        guarded.withLock { guarded in
            let result = change(&guarded.state)
            for (id, waiter) in guarded.waiters.sorted(by: { $0.key < $1.key }) where waiter.look(&guarded.state) {
                guarded.waiters[id] = nil
            }
            return result
        }
    }

    /// Waits until `condition` returns a value, which it may take out of the state. Throws `WaitedTooLong` with `what`.
    @discardableResult
    package func wait<Value: Sendable>(
        _ what: String, for limit: Duration = patience, _ condition: @escaping @Sendable (inout State) throws -> Value?
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let id: UInt64? = guarded.withLock { guarded in
                let look: @Sendable (inout State) -> Bool = { state in
                    do {
                        guard let value = try condition(&state) else { return false }
                        continuation.resume(returning: value)
                    } catch {
                        continuation.resume(throwing: error)
                    }
                    return true
                }
                if look(&guarded.state) { return nil }
                guarded.next += 1
                guarded.waiters[guarded.next] = Waiter(look: look) {
                    continuation.resume(throwing: WaitedTooLong(description: "waited \(limit) for \(what)"))
                }
                return guarded.next
            }
            guard let id else { return }
            let nanoseconds = limit.components.seconds * 1_000_000_000 + limit.components.attoseconds / 1_000_000_000
            MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: .nanoseconds(nanoseconds)) {
                self.guarded.withLock { $0.waiters.removeValue(forKey: id) }?.expire()
            }
        }
    }
}
