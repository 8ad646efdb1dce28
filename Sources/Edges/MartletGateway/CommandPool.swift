import DequeModule
import Synchronization

/// Where commands go that leave their loop: everything but durable sends. Bounded in what it takes, and in what it does at a time.
final class CommandPool: Sendable {
    typealias Work = @Sendable () async -> Void

    /// Pieces of work done at a time. Most of them wait for the database, which does a few at a time itself; the more of them write, the more
    /// share a commit. A fixed number of tasks, since a group of tasks takes a walk over all of them for each one that ends.
    private static let width = 256

    private struct Queue {
        var waiting: Deque<Work> = []
        var idle: [CheckedContinuation<Work?, Never>] = []
        var isFinished = false
    }

    private let queue = Mutex(Queue())
    private let atWork = Atomic<Int>(0)
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Takes work, or returns false where too much is at work already.
    func submit(_ work: @escaping Work) -> Bool {
        guard atWork.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            atWork.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        let (isTaken, worker) = queue.withLock { queue -> (Bool, CheckedContinuation<Work?, Never>?) in
            guard !queue.isFinished else { return (false, nil) }
            if let worker = queue.idle.popLast() { return (true, worker) }
            queue.waiting.append(work)
            return (true, nil)
        }
        worker?.resume(returning: work)
        if !isTaken { atWork.wrappingSubtract(1, ordering: .relaxed) }
        return isTaken
    }

    var depth: Int { atWork.load(ordering: .relaxed) }

    /// Runs what is submitted until `finish`, and then what was taken by then.
    func run() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<Self.width {
                group.addTask {
                    while let work = await self.next() {
                        await work()
                        self.atWork.wrappingSubtract(1, ordering: .relaxed)
                    }
                }
            }
        }
    }

    /// The next piece of work, once there is one; nil when there never will be.
    private func next() async -> Work? {
        await withCheckedContinuation { continuation in
            let (work, isOver) = queue.withLock { queue -> (Work?, Bool) in
                if let work = queue.waiting.popFirst() { return (work, false) }
                if queue.isFinished { return (nil, true) }
                queue.idle.append(continuation)
                return (nil, false)
            }
            if work != nil || isOver { continuation.resume(returning: work) }
        }
    }

    func finish() {
        let idle = queue.withLock { queue in
            queue.isFinished = true
            defer { queue.idle = [] }
            return queue.idle
        }
        for worker in idle { worker.resume(returning: nil) }
    }
}
