import Dispatch
import Foundation
import Synchronization

/// A number that threads share.
final class Tally: Sendable {
    private let value = Atomic(0)

    func add(_ count: Int) { value.add(count, ordering: .sequentiallyConsistent) }

    var count: Int { value.load(ordering: .sequentiallyConsistent) }

    /// The number, which is 0 afterwards.
    func take() -> Int { value.exchange(0, ordering: .sequentiallyConsistent) }
}

/// Waits on this thread for what is asynchronous: for the preparation of a loop, never within one.
func blocking(_ work: @escaping @Sendable () async throws -> Void) throws {
    let done = DispatchSemaphore(value: 0)
    let failure = Mutex<(any Error)?>(nil)
    Task {
        do { try await work() } catch { failure.withLock { $0 = error } }
        done.signal()
    }
    done.wait()
    if let error = failure.withLock({ $0 }) { throw error }
}

/// Waits until another thread has got so far, two seconds at most.
func waitUntil(_ isDone: () -> Bool) {
    var patience = 2000
    while !isDone(), patience > 0 {
        usleep(1000)
        patience -= 1
    }
}
