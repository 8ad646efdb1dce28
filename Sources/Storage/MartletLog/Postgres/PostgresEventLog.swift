import Logging
import MartletCore
import MartletSQL
import Synchronization

/// The log on PostgreSQL, shared by all nodes. A conversation's row numbers its events; whoever appends holds it until
/// the commit.
///
/// Sends go through the node's appenders, conversations spread over them, so that each conversation's sends of this node
/// keep their order. What a commit stored is announced by whoever committed it, several at a time: events of one
/// conversation that came in different ways (a send, a transaction, another node) may be announced out of order, and
/// the topic's owner puts them right by their numbers. A repeat is announced again.
package final class PostgresEventLog: EventLog {
    let database: PostgresDatabase
    let partitions: PostgresPartitions
    let clock: any TimeSource
    let answers: LogAnswers
    let turns: Turns
    /// Makes partitions, for all who need them at this moment.
    let making = Mutex<Task<Result<Void, Fault>, Never>?>(nil)
    private let appenders: [PostgresAppender]

    /// Opens the log, whose tables are there.
    ///
    /// - Parameters:
    ///   - window: how long retries are recognised at least; the protocol promises 24 hours.
    ///   - period: the time whose events lie together and expire together. Counts where the log is opened for the
    ///     first time.
    ///   - appenders: threads and connections for sends.
    ///   - onCommit: gets the events of each commit. On any thread, several at a time.
    package init(
        _ database: PostgresDatabase, clock: any TimeSource,
        window: Duration = .seconds(24 * 3600), period: Duration = .seconds(7 * 24 * 3600), appenders: Int = 2,
        metrics: LogMetrics = LogMetrics(), logger: Logger, onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws(Fault) {
        self.database = database
        self.clock = clock
        answers = LogAnswers(metrics, onCommit)
        turns = Turns(patience: database.patience)
        let stored = try await database.write { connection throws(Fault) in
            try PostgresPartitions.storedPeriod(period, connection)
        }
        partitions = PostgresPartitions(period: stored, window: window)
        let (partitions, answers) = (partitions, answers)
        let durability = PostgresDurability(logger)
        self.appenders = (1...max(1, appenders)).map { number in
            let writer = PostgresAppendWriter(
                database.url, name: "martlet-log-\(number)", clock: clock, partitions: partitions, logger: logger,
                durability: durability)
            return PostgresAppender(writer, answers, logger, number: number)
        }
        do throws(Fault) {
            try await makePartitions(for: clock.now)
        } catch {
            for appender in self.appenders { appender.close() }
            throw error
        }
    }

    package func submit(_ requests: [AppendRequest]) {
        guard appenders.count > 1, requests.count > 1 else {
            if let first = requests.first { appender(of: first.draft.conversation).submit(requests) }
            return
        }
        var shares = appenders.map { _ in [AppendRequest]() }
        for request in requests { shares[index(of: request.draft.conversation)].append(request) }
        for (appender, share) in zip(appenders, shares) where !share.isEmpty { appender.submit(share) }
    }

    private func index(of conversation: ConversationID) -> Int {
        Int(conversation.hashValue.magnitude % appenders.count.magnitude)
    }

    private func appender(of conversation: ConversationID) -> PostgresAppender { appenders[index(of: conversation)] }

    /// Sends that wait to be stored.
    package var queueDepth: Int { appenders.reduce(0) { $0 + $1.depth } }

    /// Stops taking sends, stores those that were taken, and closes the database. Blocks.
    package func close() {
        for appender in self.appenders { appender.close() }
        database.close()
    }
}
