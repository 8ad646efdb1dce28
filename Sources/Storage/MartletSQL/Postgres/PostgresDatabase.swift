import Foundation
import Logging
import MartletCore

/// PostgreSQL through libpq: a fixed number of connections, each on its own thread.
///
/// A write is SERIALIZABLE, and its body is run again where it got in the way of another one: bodies have no effects
/// outside of their transaction. A read sees one moment. Where the database can't be reached jobs fail at once with
/// `unavailable`, until a thread has reached it again. A thread that has no connection while others have leaves the jobs to
/// these.
package final class PostgresDatabase: Database {
    package struct Settings: Sendable {
        package var connections = 8
        /// What a statement may take on the server.
        package var statementTimeout = Duration.seconds(10)
        /// What a job may wait for a thread, and what a transaction may spend on being tried again.
        package var patience = Duration.seconds(5)
        /// What a migration waits for tables' locks that others hold.
        package var migrationPatience = Duration.seconds(300)
        /// Jobs that may wait.
        package var capacity = 10_000
        /// Shown in the server's activity view.
        package var name = "martlet"

        package init() {}
    }

    package let url: PostgresURL
    private let settings: Settings
    private let gate: ReconnectionGate
    private let pool: PostgresPool
    private let logger: Logger

    /// Connects once, to say in words for the operator why it can't be used: throws `unavailable`. Blocks meanwhile.
    package init(
        _ url: PostgresURL, _ settings: Settings = Settings(), logger: Logger = Logger(label: "martlet.postgres")
    ) throws(Fault) {
        self.url = url
        self.settings = settings
        self.logger = logger
        do throws(PostgresFailure) {
            try PostgresConnection(url, statementTimeout: settings.statementTimeout, name: settings.name).close()
        } catch {
            throw Fault(.unavailable, "the database can't be used: \(error)", cause: error)
        }
        let gate = ReconnectionGate(server: url.description, logger: logger)
        self.gate = gate
        pool = PostgresPool(settings) { Self.session(url, settings, gate) }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await perform(.read, lockingOnRetry: { [] }, body)
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await perform(.write, lockingOnRetry: { [] }, body)
    }

    /// As `write`, for a body that touches rows which others change all the time without conflicts among themselves: its
    /// third try and later ones lock `lockingOnRetry`'s buckets (`PostgresLock.buckets`) before they begin, which those
    /// others lock in shared mode. `lockingOnRetry` is called behind a try that failed, on the same thread. Those with the
    /// same `turn` (one of `PostgresLock.turns`) run one after another in the whole cluster, from their first try on.
    package func write<Value: Sendable>(
        turn: Int32? = nil, lockingOnRetry: @escaping @Sendable () -> [Int32],
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await perform(.write, turn: turn, lockingOnRetry: lockingOnRetry, body)
    }

    package func alter<Value: Sendable>(
        within limit: Duration?, _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        var settings = settings
        settings.statementTimeout = limit ?? settings.statementTimeout
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Fault>, Never>) in
            let thread = Thread { [url, gate, settings, logger] in
                let session = Self.session(url, settings, gate)
                let work = { mode in
                    PostgresSession.Work(
                        mode: mode, turn: nil, deadline: Deadline(after: settings.patience), lockingOnRetry: { [] },
                        body: body)
                }
                let result =
                    limit == nil
                    ? session.run(work(.alter))
                    : Self.migrate(settings.migrationPatience, logger) { session.runUnlessLocked(work(.migrate)) }
                session.close()
                continuation.resume(returning: result)
            }
            thread.name = "martlet-pg-alter"
            thread.start()
        }
        return try result.get()
    }

    /// Tries a migration until it gets the locks that it needs. A try that does not get them ends with a pause for all who
    /// waited behind it.
    private static func migrate<Value>(
        _ patience: Duration, _ logger: Logger, _ attempt: () -> Result<Value, Fault>?
    ) -> Result<Value, Fault> {
        let end = Deadline(after: patience)
        var nextLine = Deadline(after: .zero)
        while true {
            if let result = attempt() { return result }
            if end.isPast {
                return .failure(
                    Fault(
                        .unavailable,
                        "the schema can't be changed: others keep its tables locked; end backups and long queries "
                            + "(pg_stat_activity, pg_locks) and start again"))
            }
            if nextLine.isPast {
                nextLine = Deadline(after: .seconds(30))
                logger.warning(
                    "a migration waits for tables that others keep locked: end backups and long queries",
                    metadata: ["see": "pg_stat_activity, pg_locks"])
            }
        }
    }

    /// What a job may wait for its turn.
    package var patience: Duration { settings.patience }

    /// Jobs that wait for a thread.
    package var queueDepth: Int { pool.depth }

    /// Connections that are open.
    package var connections: Int { gate.open }

    /// Finishes the jobs that were taken, refuses later ones, and closes the connections. Blocks until it is done.
    package func close() { pool.close() }

    private func perform<Value: Sendable>(
        _ mode: PostgresSession.Mode, turn: Int32? = nil, lockingOnRetry: @escaping @Sendable () -> [Int32],
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        let patience = settings.patience
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Fault>, Never>) in
            pool.submit(
                ClosureJob { session, mayBeGivenBack in
                    let work = PostgresSession.Work(
                        mode: mode, turn: turn, deadline: Deadline(after: patience), lockingOnRetry: lockingOnRetry,
                        body: body)
                    return mayBeGivenBack ? session.runUnlessOthersCan(work) : session.run(work)
                } answer: {
                    continuation.resume(returning: $0)
                })
        }
        return try result.get()
    }

    private static func session(_ url: PostgresURL, _ settings: Settings, _ gate: ReconnectionGate) -> PostgresSession {
        PostgresSession(
            connect: { () throws(PostgresFailure) in
                try gate.connect { () throws(PostgresFailure) in
                    try PostgresConnection(url, statementTimeout: settings.statementTimeout, name: settings.name)
                }
            }, left: { gate.left() }, othersAreConnected: { gate.open > 0 })
    }
}

/// A closure as a job.
private final class ClosureJob<Value: Sendable>: PostgresJob {
    private let work: @Sendable (PostgresSession, Bool) -> Result<Value, Fault>?
    private let answer: @Sendable (Result<Value, Fault>) -> Void

    init(
        _ work: @escaping @Sendable (PostgresSession, Bool) -> Result<Value, Fault>?,
        answer: @escaping @Sendable (Result<Value, Fault>) -> Void
    ) {
        self.work = work
        self.answer = answer
    }

    func run(on session: PostgresSession, mayBeGivenBack: Bool) -> Bool {
        guard let result = work(session, mayBeGivenBack) else { return false }
        answer(result)
        return true
    }

    func refuse(_ fault: Fault) { answer(.failure(fault)) }
}
