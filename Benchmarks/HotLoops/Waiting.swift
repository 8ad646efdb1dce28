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
func blocking<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let outcome = Mutex<Result<Value, any Error>?>(nil)
    Task {
        let result: Result<Value, any Error>
        do { result = .success(try await work()) } catch { result = .failure(error) }
        outcome.withLock { $0 = result }
        done.signal()
    }
    done.wait()
    guard let result = outcome.withLock({ $0 }) else { throw BrokenLoop("no result") }
    return try result.get()
}

/// Waits until another thread has got so far, two seconds at most.
func waitUntil(_ isDone: () -> Bool) {
    var patience = 2000
    while !isDone(), patience > 0 {
        usleep(1000)
        patience -= 1
    }
}
