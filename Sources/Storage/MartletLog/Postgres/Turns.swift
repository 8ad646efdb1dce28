import Dispatch
import MartletCore
import Synchronization

/// Lets one at a time through for each key, in the order of their coming: so that those of this node who would wait for
/// one another in the database do not hold its connections meanwhile.
final class Turns: Sendable {
    private typealias Answer = CheckedContinuation<Bool, Never>

    private struct Waiter {
        let answer: Answer
        /// When it gives up.
        let end: ContinuousClock.Instant
    }

    private struct State {
        /// Those who wait, by key, in the order of their coming, which is also that of their ends; a key is there while
        /// somebody is through.
        var waiting: [Int32: [Waiter]] = [:]
        /// Whether somebody will look for those who waited too long.
        var isWatched = false
    }

    /// Who may wait for one key; what comes past that is refused.
    private static let capacity = 2000

    private let patience: Duration
    private let state = Mutex(State())

    /// - Parameter patience: what one may wait for its turn.
    init(patience: Duration) { self.patience = patience }

    /// Those who wait.
    var depth: Int { state.withLock { $0.waiting.values.reduce(0) { $0 + $1.count } } }

    /// Runs `work` when it is its turn. Throws `overloaded` where too many wait, or where its turn does not come in time.
    func take<Value>(_ key: Int32?, _ work: () async throws(Fault) -> Value) async throws(Fault) -> Value {
        guard let key else { return try await work() }
        try await enter(key)
        defer { leave(key) }
        return try await work()
    }

    private func enter(_ key: Int32) async throws(Fault) {
        let isThrough = await withCheckedContinuation { (continuation: Answer) in
            let answer = state.withLock { state -> Bool? in
                guard let count = state.waiting[key]?.count else {
                    state.waiting[key] = []
                    return true
                }
                guard count < Self.capacity else { return false }
                state.waiting[key]?.append(Waiter(answer: continuation, end: .now + patience))
                return nil
            }
            if let answer { continuation.resume(returning: answer) } else { watch() }
        }
        guard isThrough else { throw Fault(.overloaded, "too many changes at once", retryAfter: .seconds(1)) }
    }

    private func leave(_ key: Int32) {
        let next = state.withLock { state -> Answer? in
            guard state.waiting[key]?.isEmpty == false else {
                state.waiting[key] = nil
                return nil
            }
            return state.waiting[key]?.removeFirst().answer
        }
        next?.resume(returning: true)
    }

    // MARK: Patience

    /// Looks now and then for those who waited too long, as long as anybody waits.
    private func watch() {
        let isFirst = state.withLock { state in
            defer { state.isWatched = true }
            return !state.isWatched
        }
        guard isFirst else { return }
        let pause = DispatchTimeInterval.milliseconds(max(10, Int(patience.milliseconds) / 20))
        DispatchQueue.global().asyncAfter(deadline: .now() + pause) { [weak self] in
            guard let self else { return }
            if refuseLate(at: .now) { watch() }
        }
    }

    /// Refuses those whose patience ended by `now`. True where others still wait.
    @discardableResult
    func refuseLate(at now: ContinuousClock.Instant) -> Bool {
        let (late, isAnyLeft) = state.withLock { state -> ([Answer], Bool) in
            var late: [Answer] = []
            var isAnyLeft = false
            for (key, waiters) in state.waiting {
                let staying = waiters.drop { $0.end <= now }
                isAnyLeft = isAnyLeft || !staying.isEmpty
                guard staying.count < waiters.count else { continue }
                late += waiters.prefix(waiters.count - staying.count).map(\.answer)
                state.waiting[key] = Array(staying)
            }
            state.isWatched = false
            return (late, isAnyLeft)
        }
        for answer in late { answer.resume(returning: false) }
        return isAnyLeft
    }
}
