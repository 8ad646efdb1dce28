import MartletCore
import MartletSQL

/// The partitions of the log in PostgreSQL, for whoever fills its tables with what is old already.
package enum PostgresLogParts {
    /// How long the partitions of events are, in milliseconds. It is set where nobody has set it yet.
    package static func period(_ connection: any SQLConnection) throws(Fault) -> Int64 {
        // As the log itself proposes.
        try PostgresPartitions.storedPeriod(.seconds(7 * 24 * 3600), connection)
    }

    /// How long the partitions of retries are, in milliseconds.
    package static let retryPeriod = PostgresPartitions.day

    /// The partition of an event.
    package static func events(_ time: Instant, period: Int64) -> Int64 {
        PostgresPartitions.part(of: time, period: period)
    }

    /// The partition of the record by which a retry is recognised.
    package static func retries(_ time: Instant) -> Int64 {
        PostgresPartitions.part(of: time, period: PostgresPartitions.day)
    }

    /// Makes partitions that are missing, within a transaction.
    package static func make(events: [Int64] = [], retries: [Int64] = [], _ connection: any SQLConnection) throws(Fault)
    {
        for part in events { try PostgresPartitions.make("log_events", part, connection) }
        for part in retries { try PostgresPartitions.make("log_retries", part, connection) }
    }
}
