import Foundation
import MartletCore

/// A thread's connection and how transactions run on it: opened, committed, undone, and run again where they got in the way
/// of others. Belongs to its thread.
final class PostgresSession {
    enum Mode {
        /// A snapshot of one moment.
        case read
        /// As if transactions ran one after another.
        case write
        /// A change of the schema: one at a time in the whole cluster, each statement seeing what was committed before it.
        case alter
        /// As `alter`, for changes of tables in use: whoever waits for a table's lock keeps all behind itself waiting, so
        /// each statement waits a moment only.
        case migrate
    }

    /// Work as the session sees it.
    struct Work<Value> {
        let mode: Mode
        /// What to lock for every try: those that lock the same take turns. See `PostgresDatabase.write`.
        let turn: Int32?
        /// No new try begins after it.
        let deadline: Deadline
        /// Buckets of the log to lock for a try that follows several failures; see `PostgresDatabase.write`.
        let lockingOnRetry: @Sendable () -> [Int32]
        let body: @Sendable (any SQLConnection) throws(Fault) -> Value
    }

    private enum Attempt<Value> {
        case done(Result<Value, Fault>)
        /// Nothing is stored, and the same once more may go well.
        case again(PostgresFailure)
        /// Nothing is stored, and there is no connection.
        case unreached(PostgresFailure)
        /// Nothing is stored: somebody else kept a lock for longer than a migration waits.
        case locked(PostgresFailure)
    }

    /// Tries that run without locks before those that take them.
    private static let freeTries = 2
    private static let tries = 20

    private let connect: () throws(PostgresFailure) -> PostgresConnection
    private let left: () -> Void
    private let othersAreConnected: () -> Bool
    private var connection: PostgresConnection?

    /// `connect` makes a connection or refuses; `left` hears of each that is closed. `othersAreConnected` is asked when
    /// this session has none.
    init(
        connect: @escaping () throws(PostgresFailure) -> PostgresConnection, left: @escaping () -> Void,
        othersAreConnected: @escaping () -> Bool
    ) {
        self.connect = connect
        self.left = left
        self.othersAreConnected = othersAreConnected
    }

    func close() {
        guard let connection else { return }
        self.connection = nil
        connection.close()
        left()
    }

    /// Runs the work until it is committed, has failed for good, or has got in the way of others too often. It is run
    /// again only where nothing of it can be stored.
    func run<Value>(_ work: Work<Value>) -> Result<Value, Fault> {
        switch tryOut(work) {
        case .done(let result): result
        case .again(let failure), .unreached(let failure), .locked(let failure): .failure(failure.fault)
        }
    }

    /// As `run`; nil where somebody else keeps a lock that a migration needs. Then nothing of the work is stored.
    func runUnlessLocked<Value>(_ work: Work<Value>) -> Result<Value, Fault>? {
        switch tryOut(work) {
        case .done(let result): result
        case .again(let failure), .unreached(let failure): .failure(failure.fault)
        case .locked: nil
        }
    }

    /// As `run`; nil where there is no connection and other sessions have one. Then nothing of the work is stored.
    func runUnlessOthersCan<Value>(_ work: Work<Value>) -> Result<Value, Fault>? {
        switch tryOut(work) {
        case .done(let result): result
        case .again(let failure), .locked(let failure): .failure(failure.fault)
        case .unreached(let failure): othersAreConnected() ? nil : .failure(failure.fault)
        }
    }

    private func tryOut<Value>(_ work: Work<Value>) -> Attempt<Value> {
        var tried = 0
        while true {
            let attempt = attempt(work, tried: tried)
            switch attempt {
            case .done, .unreached, .locked: return attempt
            case .again(let failure):
                tried += 1
                if tried == Self.tries || work.deadline.isPast || failure.isLost && tried > Self.freeTries {
                    return attempt
                }
                if failure.kind == .conflict { pause(tried) }
            }
        }
    }

    /// Lets the others get ahead: one to some milliseconds, at random, so that they do not meet again.
    private func pause(_ tried: Int) {
        Thread.sleep(forTimeInterval: Double.random(in: 0.000_5...0.002) * Double(1 << min(tried, 5)))
    }

    private func attempt<Value>(_ work: Work<Value>, tried: Int) -> Attempt<Value> {
        let connection: PostgresConnection
        do throws(PostgresFailure) {
            connection = try usableConnection()
        } catch {
            return .unreached(error)
        }
        do throws(PostgresFailure) {
            let isLate = tried >= Self.freeTries && work.mode == .write
            // Always in ascending order, so that nobody waits in a circle.
            var locks = isLate ? [-1] + Set(work.lockingOnRetry()).sorted() : []
            if let turn = work.turn { locks.append(turn) }
            if !locks.isEmpty { try lock(connection, locks) }
            let attempt = transact(work, on: connection)
            if !locks.isEmpty { unlock(connection) }
            return attempt
        } catch {
            // Lost before the transaction.
            close()
            return .done(.failure(error.fault))
        }
    }

    private func usableConnection() throws(PostgresFailure) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        close()
        let new = try connect()
        connection = new
        return new
    }

    // MARK: One transaction

    private func transact<Value>(_ work: Work<Value>, on connection: PostgresConnection) -> Attempt<Value> {
        let transaction = PostgresTransaction(
            connection, opening: work.mode.opening, keepsStatements: work.mode == .read || work.mode == .write)
        let result = Result { () throws(Fault) in try work.body(transaction) }
        if let failure = transaction.failure { return undo(failure, result, work.mode, connection) }
        guard transaction.isOpen else { return .done(result) }
        guard case .success = result else {
            send("ROLLBACK", on: connection)
            return .done(result)
        }
        guard work.mode != .read else {
            send("COMMIT", on: connection)
            return .done(result)
        }
        do throws(PostgresFailure) {
            _ = try connection.execute(Self.commit)
            return .done(result)
        } catch {
            // An outcome that nobody knows is not tried again: it may be stored.
            return error.kind == .conflict || error.kind == .lost(isOutcomeUnknown: false)
                ? .again(error) : .done(.failure(error.fault))
        }
    }

    private static let commit = PostgresStatement(text: "COMMIT", isKept: false)

    /// What follows a statement that failed. COMMIT was not said, so nothing is stored, whatever became of the connection.
    private func undo<Value>(
        _ failure: PostgresFailure, _ result: Result<Value, Fault>, _ mode: Mode, _ connection: PostgresConnection
    ) -> Attempt<Value> {
        switch failure.kind {
        case .lost: return .again(failure)
        case .readOnly where mode != .read:
            // A primary that became a standby: the next connection looks for the new one.
            close()
            return .again(PostgresFailure(.lost(isOutcomeUnknown: false), failure.description))
        case .conflict:
            send("ROLLBACK", on: connection)
            return .again(failure)
        case .refused where mode == .migrate && failure.sqlState == PostgresFailure.lockTimeout:
            rest(connection)
            return .locked(failure)
        case .readOnly, .refused:
            send("ROLLBACK", on: connection)
            guard case .failure(let fault) = result else { return .done(.failure(failure.fault)) }
            return .done(.failure(fault))
        }
    }

    /// Ends a transaction whose end nobody waits for.
    private func send(_ text: String, on connection: PostgresConnection) {
        // A connection that is lost here is found lost at its next use, and the server undoes what was open.
        try? connection.sendOnly([PostgresStatement(text: text, isKept: false)])
    }

    /// Undoes a migration that did not get its locks: gives the tables back at once, and its turn behind a pause. Another
    /// one that waits for its turn would ask for the same tables right away, and those who use them would hardly run.
    private func rest(_ connection: PostgresConnection) {
        send("ROLLBACK TO SAVEPOINT \(PostgresLock.turnTaken)", on: connection)
        Thread.sleep(forTimeInterval: Double.random(in: 1...2))
        send("ROLLBACK", on: connection)
    }

    // MARK: Locks for those who failed

    /// Takes locks that belong to the session, in their order. -1 is taken first by all who failed, so that they go one after another. They hold a session that stops for good no longer than the time given: the
    /// server ends it. Nobody waits for the answer: the transaction follows in the same stream.
    private func lock(_ connection: PostgresConnection, _ objects: [Int32]) throws(PostgresFailure) {
        try connection.sendOnly([
            PostgresStatement(text: "SELECT set_config('idle_session_timeout', '10000', false)"),
            PostgresStatement(
                text: "SELECT pg_advisory_lock(\(PostgresLock.space), object) FROM unnest($1) AS t (object)",
                [.mediumIntegers(objects)]),
        ])
    }

    private func unlock(_ connection: PostgresConnection) {
        do throws(PostgresFailure) {
            try connection.sendOnly([
                "SELECT pg_advisory_unlock_all()", "SELECT set_config('idle_session_timeout', '0', false)",
            ])
        } catch {
            // The locks go with the connection.
            close()
        }
    }
}

/// PostgreSQL's advisory locks that Martlet uses: pairs of this number and an object.
package enum PostgresLock {
    /// "Ma" in ASCII, so that other programs' locks in the same database are others.
    package static let space: Int32 = 0x4D61
    /// Buckets of conversations, locked in shared mode by plain appends.
    package static let buckets: ClosedRange<Int32> = 0...63
    /// What transactions that change the same take turns by.
    package static let turns: ClosedRange<Int32> = 2000...3023
    /// Held while the schema is changed.
    static let schema: Int32 = 1000
    /// The savepoint of a migration that has its turn, and no table's lock.
    fileprivate static let turnTaken = "turn_taken"
}

extension PostgresSession.Mode {
    fileprivate var opening: [PostgresStatement] {
        switch self {
        case .read: [PostgresStatement(text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", isKept: false)]
        case .write:
            [
                PostgresStatement(text: "BEGIN ISOLATION LEVEL SERIALIZABLE", isKept: false),
                // Who reads a table from end to end, as a planner likes while it is small, is in the way of all who write to it.
                "SET LOCAL enable_seqscan = off",
            ]
        case .alter: Self.openingAlter
        // Another program's migration may take its time.
        case .migrate:
            Self.openingAlter + [
                PostgresStatement(text: "SET LOCAL lock_timeout = 2000", isKept: false),
                PostgresStatement(text: "SAVEPOINT \(PostgresLock.turnTaken)", isKept: false),
            ]
        }
    }

    private static var openingAlter: [PostgresStatement] {
        [
            PostgresStatement(text: "BEGIN ISOLATION LEVEL READ COMMITTED", isKept: false),
            PostgresStatement(
                text: "SELECT pg_advisory_xact_lock(\(PostgresLock.space), \(PostgresLock.schema))", isKept: false),
        ]
    }
}
