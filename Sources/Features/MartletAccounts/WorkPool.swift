import Foundation
import MartletCore
import Synchronization

/// Runs work that keeps a core busy on a few threads of its own, never on those that run tasks: a queue of sign-ins must
/// not hold up everybody else. At most `threads` run and `queue` wait; one more is `overloaded`.
final class WorkPool: Sendable {
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private enum Admission { case start, wait, refuse }

    private let threads: Int
    private let queue: Int
    private let label: String
    private let state = Mutex(State())

    init(label: String, threads: Int, queue: Int) {
        self.threads = threads
        self.queue = queue
        self.label = label
    }

    /// Returns what `work` returns. Work that was begun is finished even where its caller has gone.
    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws(Fault) -> Value {
        let outcome: Result<Value, Fault> = await withCheckedContinuation { continuation in
            let job: @Sendable () -> Void = {
                do {
                    continuation.resume(returning: .success(try work()))
                } catch {
                    continuation.resume(returning: .failure(.ours(error)))
                }
            }
            switch admit(job) {
            case .start:
                let thread = Thread { self.drain(job) }
                thread.name = label
                thread.start()
            case .wait: break
            case .refuse:
                continuation.resume(
                    returning: .failure(
                        Fault(.overloaded, "too many sign-ins at once; try again", retryAfter: .seconds(1))))
            }
        }
        return try outcome.get()
    }

    private func admit(_ job: @escaping @Sendable () -> Void) -> Admission {
        state.withLock { state in
            if state.running < threads {
                state.running += 1
                return .start
            }
            guard state.waiting.count < queue else { return .refuse }
            state.waiting.append(job)
            return .wait
        }
    }

    /// One thread's life: a job, then whatever waits.
    private func drain(_ first: @Sendable () -> Void) {
        first()
        while let job = next() { job() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            state.running -= 1
            return nil
        }
    }
}
