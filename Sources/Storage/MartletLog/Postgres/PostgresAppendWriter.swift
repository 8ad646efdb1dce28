import Foundation
import Logging
import MartletCore
import MartletSQL

/// Stores sends on a connection of its own, and decides what to do when that fails. Belongs to one appender's thread.
final class PostgresAppendWriter {
    /// Attempts at a transaction that others got in the way of.
    private static let attempts = 10
    /// Conversations whose keys are remembered; past that all are forgotten and those in use come back.
    private static let remembered = 200_000

    private let url: PostgresURL
    private let name: String
    private let clock: any TimeSource
    private let partitions: PostgresPartitions
    private let logger: Logger
    private let durability: PostgresDurability
    private let statementTimeout: Duration
    private var connection: PostgresConnection?
    private var wasEverConnected = false
    /// Of conversations that were committed on this connection's server.
    private var keys: [ConversationID: Int64] = [:]

    /// - Parameters:
    ///   - durability: hears of the server's settings at each connection.
    ///   - statementTimeout: what the server may take for a statement, and with a margin for a round trip.
    init(
        _ url: PostgresURL, name: String, clock: any TimeSource, partitions: PostgresPartitions, logger: Logger,
        durability: PostgresDurability, statementTimeout: Duration = .seconds(5)
    ) {
        self.url = url
        self.name = name
        self.clock = clock
        self.partitions = partitions
        self.logger = logger
        self.durability = durability
        self.statementTimeout = statementTimeout
    }

    /// False behind a failure that the connection did not survive.
    var isConnected: Bool { connection?.isUsable ?? false }

    func connect() throws(PostgresFailure) {
        guard !isConnected else { return }
        close()
        let made = try PostgresConnection(url, statementTimeout: statementTimeout, name: name)
        let answers = try made.pipeline(PostgresLogStatements.session + [PostgresDurability.question])
        durability.note(answers.last)
        connection = made
        // A server that was promoted may lack the last commits of the one before it: conversations that it has given no
        // key yet, or will give another's.
        keys = [:]
        if wasEverConnected { partitions.forget() }
        wasEverConnected = true
    }

    func close() {
        connection?.close()
        connection = nil
    }

    // MARK: Sends

    /// Stores sends that are all plain or all amendments, and sets their outcomes. Returns the indexes of repeats whose
    /// events are to be announced once more: the first announcement may have been lost with the node that made it.
    ///
    /// Throws what failed them all. It may have been a lost connection with an outcome that nobody knows: then the
    /// sender's own retry tells.
    func store(_ requests: [AppendRequest]) throws(PostgresFailure) -> Set<Int> {
        var attempt = 0
        while true {
            attempt += 1
            let wasConnected = connection != nil
            do throws(PostgresFailure) {
                try connect()
                let outcomes = try storeOnce(requests.map(\.draft))
                for (request, outcome) in zip(requests, outcomes) { request.outcome = outcome }
                return alive(requests)
            } catch {
                guard attempt < Self.attempts, isWorthAnother(error, attempt, wasConnected) else {
                    // To the sender, a standby is no database.
                    throw error.kind == .readOnly
                        ? PostgresFailure(.lost(isOutcomeUnknown: false), sqlState: error.sqlState, error.description)
                        : error
                }
            }
        }
    }

    private func isWorthAnother(_ failure: PostgresFailure, _ attempt: Int, _ wasConnected: Bool) -> Bool {
        switch failure.kind {
        case .conflict:
            Thread.sleep(forTimeInterval: Double.random(in: 0...0.002) * Double(attempt * attempt))
            return true
        case .lost(isOutcomeUnknown: false), .readOnly:
            // The server has closed a connection that nobody used, or is not the primary any more. Nothing was stored, and
            // another connection may find the one that is.
            close()
            return attempt == 1 && wasConnected
        case .refused where failure.sqlState == PostgresPartitions.missing:
            // No partition takes a row of this time.
            partitions.forget()
            return attempt <= 2
        default:
            return false
        }
    }

    private func storeOnce(_ drafts: [Draft]) throws(PostgresFailure) -> [AppendOutcome] {
        guard let connection else { throw PostgresFailure(.lost(isOutcomeUnknown: false), "no connection") }
        let now = clock.now
        try makePartitions(for: now, connection)
        if drafts.first?.kind.isAmendment ?? false {
            return try connection.transaction { () throws(PostgresFailure) in
                let placing = PostgresPlacing(connection: connection, partitions: partitions, now: now)
                let placed = try placing.place(drafts, shares: true)
                // Amendments make no conversation: these are committed.
                keys.merge(placed.keys) { $1 }
                return placed.outcomes
            }
        }
        try learnKeys(of: drafts, connection)
        let conversations = Set(drafts.map(\.conversation))
        let sends = PostgresSends(drafts)
        // One transaction and one round trip: it commits at the pipeline's end.
        let results = try connection.pipeline([
            PostgresLogStatements.share(PostgresBuckets.buckets(of: conversations)),
            PostgresLogStatements.lock(conversations.compactMap { keys[$0] }),
            sends.store(keys, now, partitions),
        ])
        let outcomes = try sends.outcomes(results[2].rows)
        for (draft, outcome) in zip(drafts, outcomes) {
            if case .failure(let fault) = outcome, fault.reason == .unavailable { keys[draft.conversation] = nil }
        }
        return outcomes
    }

    /// Makes the conversations that nobody has written to, and remembers their keys.
    private func learnKeys(of drafts: [Draft], _ connection: PostgresConnection) throws(PostgresFailure) {
        let unknown = Set(drafts.map(\.conversation).filter { keys[$0] == nil })
        guard !unknown.isEmpty else { return }
        if keys.count > Self.remembered { keys = [:] }
        // Those that were forgotten too.
        let names = Set(drafts.map(\.conversation).filter { keys[$0] == nil }).map(\.text)
        let results = try connection.pipeline([PostgresLogStatements.make(names), PostgresLogStatements.find(names)])
        try PostgresLogStatements.read(results[1].rows, into: &keys)
    }

    /// The repeats whose events are there and not recalled. Failing at it costs an announcement that is but a second one.
    private func alive(_ requests: [AppendRequest]) -> Set<Int> {
        var repeats: [(index: Int, receipt: Receipt)] = []
        for (index, request) in requests.enumerated() {
            if case .success(let receipt) = request.outcome, receipt.isRepeat { repeats.append((index, receipt)) }
        }
        guard !repeats.isEmpty, let connection else { return [] }
        let found = repeats.filter { keys[requests[$0.index].draft.conversation] != nil }
        let statement = PostgresLogStatements.alive(
            found.map { keys[requests[$0.index].draft.conversation] ?? 0 }, found.map(\.receipt),
            period: partitions.period)
        guard let rows = try? connection.execute(statement).rows else { return [] }
        var result: Set<Int> = []
        for row in rows {
            if let place = try? row.integer("place"), found.indices.contains(Int(place) - 1) {
                result.insert(found[Int(place) - 1].index)
            }
        }
        return result
    }

    // MARK: Partitions

    private func makePartitions(for now: Instant, _ connection: PostgresConnection) throws(PostgresFailure) {
        guard !partitions.cover(now) else { return }
        try onPartitions(connection) { connection throws(Fault) in try partitions.make(for: now, connection) }
        partitions.made(for: now)
    }

    /// Makes the next partitions, long before they are needed, and drops what is out of the window. Where it fails a later
    /// batch tries again.
    func keepPartitions() {
        let now = clock.now
        extendPartitions(now)
        dropRetries(now)
    }

    private func dropRetries(_ now: Instant) {
        guard let connection, isConnected, partitions.needDrop() else { return }
        do throws(PostgresFailure) {
            try onPartitions(connection) { connection throws(Fault) in try partitions.dropRetries(now, connection) }
            partitions.dropped()
        } catch {
            logger.info("the log's old retry records stay for now", metadata: ["cause": "\(error)"])
            warnOfOldRetries(now, connection, error)
        }
    }

    /// Tells the operator of retries that should be gone for days: somebody reads them all the time, or the server is too
    /// slow for what dropping them may take.
    private func warnOfOldRetries(_ now: Instant, _ connection: PostgresConnection, _ failure: PostgresFailure) {
        guard let part = try? partitions.overdueRetries(now, AppendersConnection(connection)), partitions.needWarning()
        else { return }
        logger.warning(
            "the log's old retry records can't be dropped and take up room: end backups and long queries",
            metadata: [
                "cause": "\(failure)", "oldest": "log_retries_\(part)", "see": "pg_stat_activity, pg_locks",
            ])
    }

    private func extendPartitions(_ now: Instant) {
        guard let connection, isConnected, partitions.needExtension(now) else { return }
        do throws(PostgresFailure) {
            try onPartitions(connection) { connection throws(Fault) in try partitions.extend(now, connection) }
            partitions.extended(now)
        } catch {
            logger.warning("the log's next partitions are not made", metadata: ["cause": "\(error)"])
        }
    }

    private func onPartitions(
        _ connection: PostgresConnection, _ work: (any SQLConnection) throws(Fault) -> Void
    ) throws(PostgresFailure) {
        do throws(PostgresFailure) {
            try connection.transaction { () throws(PostgresFailure) in
                let dressed = AppendersConnection(connection)
                do throws(Fault) {
                    try work(dressed)
                } catch {
                    throw dressed.failure ?? PostgresFailure(.refused, error.cause ?? error.message)
                }
            }
        } catch {
            // Nothing of the sends was sent.
            throw error.isLost
                ? PostgresFailure(.lost(isOutcomeUnknown: false), sqlState: error.sqlState, error.description) : error
        }
    }
}

/// An appender's connection in the port's clothes.
private final class AppendersConnection: SQLConnection {
    private let connection: PostgresConnection
    /// The first failure, which says more than the fault that the port makes of it.
    private(set) var failure: PostgresFailure?

    init(_ connection: PostgresConnection) { self.connection = connection }

    func rows(_ sql: SQL) throws(Fault) -> [SQLRow] { try execute(sql).rows }

    func run(_ sql: SQL) throws(Fault) -> Int { try execute(sql).changed }

    private func execute(_ sql: SQL) throws(Fault) -> PostgresResult {
        do throws(PostgresFailure) {
            return try connection.execute(PostgresStatement(sql, isKept: false))
        } catch {
            failure = failure ?? error
            throw error.fault
        }
    }
}
