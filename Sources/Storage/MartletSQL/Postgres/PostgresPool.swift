import Foundation
import MartletCore

/// Work for one of the pool's threads.
protocol PostgresJob: AnyObject, Sendable {
    /// Runs on a session's thread, and answers. False where it did neither, since this session has no connection and
    /// others have: only where that is allowed.
    func run(on session: PostgresSession, mayBeGivenBack: Bool) -> Bool
    /// Called instead where the job can't be taken, or waited too long.
    func refuse(_ fault: Fault)
}

/// The threads of a database, each with its own connection, and the jobs that wait for them.
final class PostgresPool: @unchecked Sendable {
    private struct Waiting {
        let job: any PostgresJob
        let deadline: Deadline
    }

    /// What a thread without a connection leaves to the others before it looks for work again, in seconds.
    private static let pause = 0.05

    private let settings: PostgresDatabase.Settings
    /// Guards the variables; the threads sleep on it. The rest of the class is immutable.
    private let condition = NSCondition()
    /// Those before `head` are gone.
    private var waiting: [Waiting?] = []
    private var head = 0
    private var isClosing = false
    private let threads = DispatchGroup()
    private let sweeper: any DispatchSourceTimer

    /// `makeSession` is called once on each of the threads.
    init(_ settings: PostgresDatabase.Settings, makeSession: @escaping @Sendable () -> PostgresSession) {
        self.settings = settings
        sweeper = DispatchSource.makeTimerSource(queue: .global())
        // All threads may be busy with a server that does not answer: those who wait for them are told in time.
        let period = DispatchTimeInterval.milliseconds(max(10, Int(settings.patience / .milliseconds(1)) / 20))
        sweeper.schedule(deadline: .now() + period, repeating: period, leeway: period)
        sweeper.setEventHandler { [weak self] in self?.refuseLate() }
        sweeper.activate()
        for number in 0..<settings.connections {
            threads.enter()
            let thread = Thread { [self, threads] in
                let session = makeSession()
                while let taken = take() {
                    if taken.job.run(on: session, mayBeGivenBack: !taken.deadline.isPast) { continue }
                    giveBack(taken)
                    Thread.sleep(forTimeInterval: Self.pause)
                }
                session.close()
                threads.leave()
            }
            thread.name = "martlet-pg-\(number)"
            thread.start()
        }
    }

    var depth: Int { condition.withLock { waiting.count - head } }

    func submit(_ job: any PostgresJob) {
        let refusal: Fault? = condition.withLock {
            if isClosing { return Fault(.shuttingDown, "the server is stopping", retryAfter: .seconds(2)) }
            guard waiting.count - head < settings.capacity else { return Self.overloaded }
            waiting.append(Waiting(job: job, deadline: Deadline(after: settings.patience)))
            condition.signal()
            return nil
        }
        if let refusal { job.refuse(refusal) }
    }

    /// Stops after the jobs that wait now. Blocks until it is done.
    func close() {
        condition.withLock {
            isClosing = true
            condition.broadcast()
        }
        threads.wait()
        sweeper.cancel()
    }

    /// Sleeps until there is work; nil when there never will be.
    private func take() -> Waiting? {
        condition.withLock {
            while true {
                if let next = removeFirst() { return next }
                if isClosing { return nil }
                condition.wait()
            }
        }
    }

    /// Puts a job back in front, for a thread with a connection.
    private func giveBack(_ taken: Waiting) {
        condition.withLock {
            if head > 0 {
                head -= 1
                waiting[head] = taken
            } else {
                waiting.insert(taken, at: 0)
            }
            condition.signal()
        }
    }

    private func removeFirst() -> Waiting? {
        guard head < waiting.count else { return nil }
        let first = waiting[head]
        waiting[head] = nil
        head += 1
        if head == waiting.count || head == 1024 {
            waiting.removeFirst(head)
            head = 0
        }
        return first
    }

    private func refuseLate() {
        let late = condition.withLock {
            var late: [any PostgresJob] = []
            while head < waiting.count, waiting[head]?.deadline.isPast == true {
                if let job = removeFirst()?.job { late.append(job) }
            }
            return late
        }
        for job in late { job.refuse(Self.overloaded) }
    }

    private static let overloaded = Fault(
        .overloaded, "too much waits for the database", retryAfter: .seconds(1))
}
