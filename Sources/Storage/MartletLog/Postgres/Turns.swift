import MartletCore
import Synchronization

/// Lets one at a time through for each key, in the order of their coming: so that those of this node who would wait for
/// one another in the database do not hold its connections meanwhile.
final class Turns: Sendable {
    /// Who may wait for one key; what comes past that is refused.
    private static let capacity = 2000

    /// Those who wait, by key; a key is there while somebody is through.
    private let waiting = Mutex<[Int32: [CheckedContinuation<Bool, Never>]]>([:])

    /// Runs `work` when it is its turn. Throws `overloaded` where too many wait.
    func take<Value>(_ key: Int32?, _ work: () async throws(Fault) -> Value) async throws(Fault) -> Value {
        guard let key else { return try await work() }
        try await enter(key)
        defer { leave(key) }
        return try await work()
    }

    private func enter(_ key: Int32) async throws(Fault) {
        let isThrough = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            let answer = waiting.withLock { waiting -> Bool? in
                guard let count = waiting[key]?.count else {
                    waiting[key] = []
                    return true
                }
                guard count < Self.capacity else { return false }
                waiting[key]?.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        guard isThrough else { throw Fault(.overloaded, "too many changes at once", retryAfter: .seconds(1)) }
    }

    private func leave(_ key: Int32) {
        let next = waiting.withLock { waiting -> CheckedContinuation<Bool, Never>? in
            guard waiting[key]?.isEmpty == false else {
                waiting[key] = nil
                return nil
            }
            return waiting[key]?.removeFirst()
        }
        next?.resume(returning: true)
    }
}
