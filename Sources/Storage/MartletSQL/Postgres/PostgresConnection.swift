import CLibPQ
import Foundation
import MartletCore

/// One libpq connection, in pipeline mode from beginning to end (PostgreSQL manual, 34.5). Not thread-safe: it belongs to
/// the thread that uses it. Its socket does not block; waits are poll(2) with a deadline, so that a server that answers
/// no more costs a deadline, never a thread.
package final class PostgresConnection {
    /// Prepared statements on one connection.
    private static let statementCapacity = 256

    private var handle: OpaquePointer?
    /// What a round trip may take: more than the server gives a statement, so that it is the server who ends a slow one,
    /// whose outcome is then known.
    private let patience: Duration
    private var cache = StatementCache(capacity: statementCapacity)
    /// Round trips that were sent and whose results nobody waits for.
    private var unread = 0
    /// Whether the server has said, between round trips, that it ends the connection. What libpq holds a pointer to.
    private let farewell = Farewell()

    /// Connects to the first of the URL's servers that can be used. `statementTimeout` bounds each statement on the
    /// server and, with a margin, each round trip here; `name` is what the server's activity view shows. Throws `lost` or
    /// `refused` with a line for the operator: unreachable, wrong password, no such database, too old.
    package init(_ url: PostgresURL, statementTimeout: Duration, name: String) throws(PostgresFailure) {
        patience = statementTimeout + max(statementTimeout / 4, .milliseconds(250))
        handle = try PostgresDoor.connect(url, name: name)
        PQsetNoticeReceiver(
            handle,
            { context, result in
                guard let context, let result, PostgresConnection.isFatal(result) else { return }
                Unmanaged<Farewell>.fromOpaque(context).takeUnretainedValue().isSaid = true
            }, Unmanaged.passUnretained(farewell).toOpaque())
        let milliseconds = Int64(statementTimeout / .milliseconds(1))
        do throws(PostgresFailure) {
            // A session that stops in the middle of a transaction must not keep its locks: its process may be frozen. No
            // compiled plans: statements here are short, and what the planner guesses of arrays invites it.
            _ = try execute(
                PostgresStatement(
                    text: """
                        SELECT set_config('statement_timeout', $1, false), set_config('jit', 'off', false),
                        set_config('idle_in_transaction_session_timeout', $1, false)
                        """, [.text(String(milliseconds))], isKept: false))
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// False after any loss; the owner makes a new connection then.
    package var isUsable: Bool { handle != nil && PQstatus(handle) == CONNECTION_OK }

    /// Closes the connection; what runs on it is undone by the server. Waits for nothing.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        PQfinish(handle)
    }

    /// Runs one statement in one round trip, prepared at its first use.
    package func execute(_ statement: PostgresStatement) throws(PostgresFailure) -> PostgresResult {
        guard let result = try pipeline([statement]).first else {
            throw PostgresFailure(.refused, "a statement without a result")
        }
        return result
    }

    /// Runs all statements in one round trip. Without a BEGIN before them they are one transaction, which commits at the
    /// end. Returns a result for each, or throws the first failure: then none of them is stored, but where the failure
    /// says that the outcome is unknown.
    package func pipeline(_ statements: [PostgresStatement]) throws(PostgresFailure) -> [PostgresResult] {
        let commands = try send(statements)
        return try losing { connection throws(PostgresFailure) in
            let deadline = Deadline(after: connection.patience)
            while connection.unread > 0 { try connection.skipOne(deadline) }
            return try connection.receive(commands, deadline)
        }
    }

    /// Sends statements whose results nobody waits for: the next call reads and forgets them. What can't be sent at once,
    /// goes with the next call.
    package func sendOnly(_ statements: [PostgresStatement]) throws(PostgresFailure) {
        _ = try send(statements)
        unread += 1
    }

    // MARK: Sending

    private enum Command {
        /// A statement of the caller.
        case statement
        case preparation(StatementCache.Key)
        case release
    }

    private func send(_ statements: [PostgresStatement]) throws(PostgresFailure) -> [Command] {
        try notice()
        var commands: [Command] = []
        for statement in statements {
            guard queue(statement, &commands) else { throw lose(false, "can't send") }
        }
        guard PQpipelineSync(handle) == 1, PQflush(handle) >= 0 else { throw lose(true, "can't send") }
        return commands
    }

    /// Finds out whether the server has hung up meanwhile, before anything is sent.
    private func notice() throws(PostgresFailure) {
        guard isUsable else { throw lose(false, "the connection is closed") }
        guard unread == 0, Deadline.isReadable(PQsocket(handle)) else { return }
        // A server that stops says so first, and hangs up a moment later. PQisBusy is what reads its words.
        guard PQconsumeInput(handle) == 1, PQisBusy(handle) == 0, !farewell.isSaid, isUsable else {
            throw lose(false, "the server hung up")
        }
    }

    private func queue(_ statement: PostgresStatement, _ commands: inout [Command]) -> Bool {
        let types = statement.parameters.map(\.type)
        let encoded = EncodedParameters(statement.parameters)
        guard statement.isKept else {
            commands.append(.statement)
            return encoded.withPointers { count, values, lengths, formats in
                PQsendQueryParams(handle, statement.text, count, types, values, lengths, formats, 1) == 1
            }
        }
        guard let name = prepared(StatementCache.Key(text: statement.text, types: types), &commands) else {
            return false
        }
        commands.append(.statement)
        return encoded.withPointers { count, values, lengths, formats in
            PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1) == 1
        }
    }

    /// The name of a statement, which is prepared in the same round trip where it is not yet. Nil where that can't be sent.
    private func prepared(_ key: StatementCache.Key, _ commands: inout [Command]) -> String? {
        if let name = cache.name(key) { return name }
        let (name, released) = cache.add(key)
        if let released {
            commands.append(.release)
            guard PQsendQueryParams(handle, "DEALLOCATE \(released)", 0, nil, nil, nil, nil, 1) == 1 else { return nil }
        }
        commands.append(.preparation(key))
        guard PQsendPrepare(handle, name, key.text, Int32(key.types.count), key.types) == 1 else { return nil }
        return name
    }

    // MARK: Receiving

    private func receive(_ commands: [Command], _ deadline: Deadline) throws(PostgresFailure) -> [PostgresResult] {
        var results: [PostgresResult] = []
        var failure: PostgresFailure?
        for command in commands {
            do throws(PostgresFailure) {
                let result = try next(deadline)
                if case .statement = command { results.append(result) }
            } catch {
                if case .preparation(let key) = command { cache.remove(key) }
                if !isUsable || error.isLost { throw error }
                if failure == nil { failure = error }
            }
        }
        try skipSync(deadline)
        if let failure { throw failure }
        return results
    }

    /// The result of the next command.
    private func next(_ deadline: Deadline) throws(PostgresFailure) -> PostgresResult {
        var outcome: Result<PostgresResult, PostgresFailure>?
        while let result = try take(deadline) {
            defer { PQclear(result) }
            let read = read(result)
            if outcome == nil { outcome = read }
            // No end follows a fatal error.
            if case .failure(let failure) = read, failure.isLost { throw failure }
        }
        guard let outcome else { throw PostgresFailure(.lost(isOutcomeUnknown: true), "no result") }
        return try outcome.get()
    }

    private func read(_ result: OpaquePointer) -> Result<PostgresResult, PostgresFailure> {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            return Result { () throws(PostgresFailure) in try PostgresDecoding.result(result) }
        case PGRES_PIPELINE_ABORTED: return .failure(PostgresFailure(.refused, "an earlier statement failed"))
        default:
            // The fields' letters are PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY.
            let message = Self.field(result, "M")
            return .failure(
                PostgresFailure(
                    sqlState: Self.field(result, "C"), isFatal: Self.isFatal(result) || !isUsable,
                    message.isEmpty ? PostgresDoor.firstLine(PQresultErrorMessage(result)) : message))
        }
    }

    /// Whether a message ends the connection, by its PG_DIAG_SEVERITY_NONLOCALIZED.
    private static func isFatal(_ result: OpaquePointer) -> Bool {
        let severity = field(result, "V")
        return severity == "FATAL" || severity == "PANIC"
    }

    private static func field(_ result: OpaquePointer, _ letter: Unicode.Scalar) -> String {
        PQresultErrorField(result, Int32(letter.value)).map { String(cString: $0) } ?? ""
    }

    /// The results of a round trip that nobody waited for.
    private func skipOne(_ deadline: Deadline) throws(PostgresFailure) {
        while true {
            guard let result = try take(deadline) else { continue }
            defer { PQclear(result) }
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC { break }
            if case .failure(let failure) = read(result), failure.isLost { throw failure }
        }
        unread -= 1
    }

    private func skipSync(_ deadline: Deadline) throws(PostgresFailure) {
        while true {
            guard let result = try take(deadline) else { continue }
            defer { PQclear(result) }
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC { return }
            if case .failure(let failure) = read(result) {
                throw failure.isLost ? failure : PostgresFailure(.refused, failure.description)
            }
        }
    }

    /// libpq's next result, nil at the end of a command's. Sends what is still to be sent meanwhile.
    private func take(_ deadline: Deadline) throws(PostgresFailure) -> OpaquePointer? {
        while PQisBusy(handle) == 1 {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw lost() }
            let isReady = deadline.wait(for: unsent > 0 ? POLLIN | POLLOUT : POLLIN, on: PQsocket(handle))
            guard isReady else {
                throw PostgresFailure(.lost(isOutcomeUnknown: true), "the server did not answer within \(patience)")
            }
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
        let result = PQgetResult(handle)
        if result == nil && !isUsable { throw lost() }
        return result
    }

    // MARK: Losing

    private func lost() -> PostgresFailure {
        PostgresFailure(.lost(isOutcomeUnknown: true), PostgresDoor.firstLine(PQerrorMessage(handle)))
    }

    private func lose(_ isOutcomeUnknown: Bool, _ what: String) -> PostgresFailure {
        let line = handle.map { PostgresDoor.firstLine(PQerrorMessage($0)) } ?? ""
        close()
        return PostgresFailure(.lost(isOutcomeUnknown: isOutcomeUnknown), line.isEmpty ? what : "\(what): \(line)")
    }

    /// Closes the connection where `work` finds it lost, or on a server that takes no writes.
    private func losing<Value>(
        _ work: (PostgresConnection) throws(PostgresFailure) -> Value
    ) throws(PostgresFailure) -> Value {
        do throws(PostgresFailure) {
            return try work(self)
        } catch {
            if error.isLost || !isUsable { close() }
            throw error
        }
    }
}

/// What a connection's notices told.
private final class Farewell {
    var isSaid = false
}
