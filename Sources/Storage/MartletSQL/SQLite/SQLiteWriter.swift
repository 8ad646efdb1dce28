import Foundation
import GRDB
import MartletCore

/// Work for the writer: one part of a transaction that it may share with others.
package protocol SQLiteJob: AnyObject, Sendable {
    /// Runs inside the transaction, on the writer's thread. What it throws undoes this job alone.
    func run(_ connection: SQLiteConnection) throws(Fault)
    /// Called once, on the writer's thread: with nil after the commit, else with what went wrong.
    func finish(_ failure: Fault?)
    /// Called instead of both, on the submitter's thread, where the job can't be taken. The writer may be at work
    /// meanwhile.
    func refuse(_ fault: Fault)
}

/// The one thread that writes. It takes all jobs that wait, runs each in a savepoint of one transaction, commits (one
/// fsync for all of them), and then finishes them in order. While it commits, the next group gathers.
final class SQLiteWriter: @unchecked Sendable {
    /// Jobs in one transaction, so that the first one's caller does not wait for too many others.
    private static let groupSize = 512
    /// Jobs that may wait; what comes past that is refused.
    private static let capacity = 20_000

    private let engine: any DatabaseWriter
    /// Guards the variables; the thread sleeps on it. The rest of the class is immutable.
    private let condition = NSCondition()
    private var waiting: [any SQLiteJob] = []
    private var isClosing = false
    private var hearsEnd: @Sendable (Bool) -> Void = { _ in }
    private let ended = DispatchSemaphore(value: 0)

    init(_ engine: any DatabaseWriter) {
        self.engine = engine
        let thread = Thread { [self] in
            while let jobs = take() { perform(jobs) }
            ended.signal()
        }
        thread.name = "martlet-sqlite"
        thread.start()
    }

    var depth: Int { condition.withLock { waiting.count } }

    func submit(_ job: any SQLiteJob) {
        let refusal: Fault? = condition.withLock {
            if isClosing { return Fault(.shuttingDown, "the server is stopping", retryAfter: .seconds(2)) }
            guard waiting.count < Self.capacity else {
                return Fault(.overloaded, "too much waits for the database", retryAfter: .seconds(1))
            }
            waiting.append(job)
            if waiting.count == 1 { condition.signal() }
            return nil
        }
        if let refusal { job.refuse(refusal) }
    }

    func onEnd(_ hear: @escaping @Sendable (Bool) -> Void) { condition.withLock { hearsEnd = hear } }

    /// Stops after the jobs that wait now.
    func close() {
        let isFirst = condition.withLock {
            defer {
                isClosing = true
                condition.signal()
            }
            return !isClosing
        }
        if isFirst { ended.wait() }
    }

    /// Sleeps until there is work; nil when there never will be.
    private func take() -> [any SQLiteJob]? {
        condition.withLock {
            while waiting.isEmpty {
                if isClosing { return nil }
                condition.wait()
            }
            if waiting.count <= Self.groupSize {
                let jobs = waiting
                waiting = []
                return jobs
            }
            let jobs = Array(waiting.prefix(Self.groupSize))
            waiting.removeFirst(Self.groupSize)
            return jobs
        }
    }

    private func perform(_ jobs: [any SQLiteJob]) {
        var failures: [Fault?] = []
        failures.reserveCapacity(jobs.count)
        var isCommitted = true
        do {
            try engine.writeWithoutTransaction { connection in
                try Self.execute("BEGIN IMMEDIATE", connection)
                do {
                    for job in jobs { failures.append(try Self.run(job, connection)) }
                    try Self.execute("COMMIT", connection)
                } catch {
                    if connection.isInsideTransaction { try? connection.rollback() }
                    throw error
                }
            }
        } catch {
            // The transaction is lost, and with it those jobs that had gone well.
            isCommitted = false
            let fault = SQLiteDatabase.fault(error)
            failures = jobs.indices.map { failures.indices.contains($0) ? failures[$0] ?? fault : fault }
        }
        condition.withLock { hearsEnd }(isCommitted)
        for (job, failure) in zip(jobs, failures) { job.finish(failure) }
    }

    /// Runs a job in a savepoint. Returns its fault; throws where the transaction itself can't go on.
    private static func run(_ job: any SQLiteJob, _ connection: GRDB.Database) throws -> Fault? {
        try execute("SAVEPOINT job", connection)
        do {
            try job.run(SQLiteConnection(connection))
            try execute("RELEASE job", connection)
            return nil
        } catch let fault as Fault {
            // A full disk makes SQLite roll back everything by itself. The other jobs did nothing wrong: to them it is
            // our failure.
            guard connection.isInsideTransaction else { throw fault.isOurs ? fault : Fault.ours(fault) }
            try execute("ROLLBACK TO job", connection)
            try execute("RELEASE job", connection)
            return fault
        }
    }

    /// Runs a statement that every group runs, and that is compiled once.
    private static func execute(_ sql: String, _ connection: GRDB.Database) throws {
        try connection.cachedStatement(sql: sql).execute()
    }
}
