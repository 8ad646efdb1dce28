import Synchronization

/// Where commands go that leave their loop: everything but durable sends. Bounded; each piece of work is a child task of `run`.
final class CommandPool: Sendable {
    typealias Work = @Sendable () async -> Void

    private let stream: AsyncStream<Work>
    private let continuation: AsyncStream<Work>.Continuation
    private let atWork = Atomic<Int>(0)
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
        (stream, continuation) = AsyncStream.makeStream(of: Work.self)
    }

    /// Takes work, or returns false where too much is at work already.
    func submit(_ work: @escaping Work) -> Bool {
        guard atWork.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            atWork.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        if case .enqueued = continuation.yield(work) { return true }
        atWork.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    var depth: Int { atWork.load(ordering: .relaxed) }

    /// Runs what is submitted until `finish`, and then what was taken by then.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await work in stream {
                group.addTask {
                    await work()
                    self.atWork.wrappingSubtract(1, ordering: .relaxed)
                }
            }
        }
    }

    func finish() { continuation.finish() }
}
