import Foundation
import GRDB
import MartletCore

/// SQLite through GRDB: one writer thread that commits in groups, several readers beside it.
///
/// The journal is a write-ahead log and `synchronous` is FULL, so that a commit has reached the disk (fsync) before it
/// is acknowledged.
package final class SQLiteDatabase: Database {
    /// Where the data is.
    package enum Location: Sendable {
        case file(String)
        /// Gone with the process; for tests.
        case memory
    }

    private let engine: any DatabaseWriter
    private let writer: SQLiteWriter

    /// Opens or makes the database. Throws `unavailable` with a message for the operator.
    package init(_ location: Location, readers: Int = 4) throws(Fault) {
        do {
            var configuration = GRDB.Configuration()
            configuration.maximumReaderCount = readers
            configuration.busyMode = .timeout(10)
            switch location {
            case .file(let path): engine = try DatabasePool(path: path, configuration: configuration)
            case .memory: engine = try DatabaseQueue(configuration: configuration)
            }
            // After opening: a pool sets NORMAL itself, which may lose the last commits in a power failure.
            try engine.writeWithoutTransaction { connection in
                try connection.execute(sql: "PRAGMA synchronous = FULL")
                try connection.execute(sql: "PRAGMA cache_size = -65536")
            }
        } catch {
            throw Self.fault(error)
        }
        writer = SQLiteWriter(engine)
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        do {
            return try await engine.read { connection in try body(SQLiteConnection(connection)) }
        } catch {
            throw Self.fault(error)
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await perform { (connection: SQLiteConnection) throws(Fault) in try body(connection) }
    }

    /// As `write`, with the engine's own connection; `finished` runs on the writer's thread behind the commit, before
    /// the caller goes on. It does not run where the job can't be taken.
    package func perform<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws(Fault) -> Value,
        finished: @escaping @Sendable (Result<Value, Fault>) -> Void = { _ in }
    ) async throws(Fault) -> Value {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Fault>, Never>) in
            submit(
                ClosureJob(body, finished: finished) { result in continuation.resume(returning: result) })
        }
        return try result.get()
    }

    /// Queues a job for the writer's next transaction. The job is finished in any case: with a fault where it can't be
    /// taken.
    package func submit(_ job: any SQLiteJob) { writer.submit(job) }

    /// Sets what hears of the end of each of the writer's transactions, on the writer's thread: true where it is
    /// committed. It comes before the transaction's jobs are finished. Set it before the first job.
    package func onTransactionEnd(_ hear: @escaping @Sendable (_ isCommitted: Bool) -> Void) { writer.onEnd(hear) }

    /// Jobs that wait for the writer.
    package var queueDepth: Int { writer.depth }

    /// Finishes the jobs that were taken, refuses later ones, and closes the files. Blocks until it is done.
    /// `beforeClosing` runs once no job will run any more: the place to let go of what belongs to the connection.
    package func close(_ beforeClosing: () -> Void = {}) {
        writer.close()
        beforeClosing()
        try? engine.close()
    }

    /// Copies a database, also while a server writes to it: the copy is one consistent state.
    package static func backup(from source: String, to destination: String) throws(Fault) {
        do {
            guard FileManager.default.fileExists(atPath: source) else {
                throw Fault(.unavailable, "there is no database at \(source)")
            }
            var configuration = GRDB.Configuration()
            configuration.busyMode = .timeout(30)
            let from = try DatabaseQueue(path: source, configuration: configuration)
            let to = try DatabaseQueue(path: destination)
            try from.backup(to: to)
            try to.close()
            try from.close()
        } catch {
            throw fault(error)
        }
    }

    /// The one table from SQLite's errors to ours.
    static func fault(_ error: any Error) -> Fault {
        if let fault = error as? Fault { return fault }
        guard let error = error as? DatabaseError else { return .ours(error) }
        switch error.resultCode {
        // What GRDB says of a pool that was closed.
        case .SQLITE_MISUSE where error.sql == nil:
            return Fault(.shuttingDown, "the server is stopping", retryAfter: .seconds(2), cause: error)
        case .SQLITE_FULL: return Fault(.unavailable, "the disk is full", retryAfter: .seconds(30), cause: error)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return Fault(
                .unavailable, "the database is locked by another program", retryAfter: .seconds(1), cause: error)
        case .SQLITE_CANTOPEN: return Fault(.unavailable, "the database file can't be opened", cause: error)
        case .SQLITE_READONLY, .SQLITE_PERM:
            return Fault(.unavailable, "the database file can't be written", retryAfter: .seconds(30), cause: error)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return Fault(.unavailable, "the database file is damaged", cause: error)
        case .SQLITE_IOERR: return Fault(.unavailable, "the disk failed", retryAfter: .seconds(30), cause: error)
        default: return .ours(error)
        }
    }
}

/// A closure as a job.
private final class ClosureJob<Value: Sendable>: SQLiteJob, @unchecked Sendable {
    private let body: @Sendable (SQLiteConnection) throws(Fault) -> Value
    private let finished: @Sendable (Result<Value, Fault>) -> Void
    private let answer: @Sendable (Result<Value, Fault>) -> Void
    /// Touched by the writer's thread only, which is why the class may call itself Sendable.
    private var value: Value?

    init(
        _ body: @escaping @Sendable (SQLiteConnection) throws(Fault) -> Value,
        finished: @escaping @Sendable (Result<Value, Fault>) -> Void,
        answer: @escaping @Sendable (Result<Value, Fault>) -> Void
    ) {
        self.body = body
        self.finished = finished
        self.answer = answer
    }

    func run(_ connection: SQLiteConnection) throws(Fault) { value = try body(connection) }

    func finish(_ failure: Fault?) {
        let result: Result<Value, Fault>
        if let value, failure == nil {
            result = .success(value)
        } else {
            result = .failure(failure ?? Fault(.internalError, "internal error"))
        }
        finished(result)
        answer(result)
    }

    func refuse(_ fault: Fault) { answer(.failure(fault)) }
}
