import MartletCore
import MartletSQL
import Synchronization

/// The log's partitions: one of `log_events` for each period, one of `log_retries` for each day. They are made ahead of
/// their time, and by whoever needs one that is missing. Old ones are dropped whole.
final class PostgresPartitions: Sendable {
    /// A day of retry records, in milliseconds.
    static let day: Int64 = 86_400_000
    /// The SQLSTATE of an insert that no partition takes: `check_violation`.
    static let missing = "23514"
    /// Clocks of nodes differ by less.
    private static let slack = Duration.seconds(300)
    /// Tries at dropping retries in a row, with pauses of a second that double. Behind them comes an hour's pause.
    static let dropTries = 8
    /// Days that retries may be there behind their window before the operator is told.
    private static let overdueDays: Int64 = 2
    /// Holds off a second maker of partitions: beside the buckets' locks.
    static let lock = SQL(stringLiteral: "SELECT pg_advisory_xact_lock(\(PostgresLock.space), 1001)")

    private struct State {
        var events: Set<Int64> = []
        var retries: Set<Int64> = []
        /// Somebody makes the next ones, or failed at it a moment ago.
        var nextAttempt: ContinuousClock.Instant?
        /// When to look for retries out of the window; nil until the next partition was made.
        var nextDrop: ContinuousClock.Instant?
        /// Tries in a row that began.
        var dropTries = 0
    }

    /// Milliseconds of events in one partition.
    let period: Int64
    private let window: Duration
    private let state = Mutex(State())
    /// When the operator may be told again of retries that can't be dropped.
    private let nextWarning = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameters:
    ///   - period: as `storedPeriod` says.
    ///   - window: how long retries are recognised at least.
    init(period: Int64, window: Duration) {
        self.period = period
        self.window = window
    }

    /// The period that the log was made with; `proposed` where nobody has set it yet.
    static func storedPeriod(_ proposed: Duration, _ connection: any SQLConnection) throws(Fault) -> Int64 {
        try connection.run(
            """
            INSERT INTO log_state (name, value) VALUES ('period', \(max(1000, proposed.milliseconds)))
            ON CONFLICT (name) DO NOTHING
            """)
        guard let period = try connection.integer("SELECT value FROM log_state WHERE name = 'period'"), period > 0
        else { throw Fault(.internalError, "internal error") }
        return period
    }

    // MARK: Where things lie

    /// The partition of an event. 0 is never one.
    static func part(of time: Instant, period: Int64) -> Int64 { 1 + max(0, time.milliseconds) / period }

    /// The oldest partition of retries that a send at `now` has to look into.
    func oldestRetries(_ now: Instant) -> Int64 { Self.part(of: now - window - Self.slack, period: Self.day) }

    /// The partitions of both tables that a time needs.
    private func parts(of time: Instant) -> (events: Int64, retries: Int64) {
        (Self.part(of: time, period: period), Self.part(of: time, period: Self.day))
    }

    // MARK: Making and dropping

    /// False where the partitions for `now` are not known to be there.
    func cover(_ now: Instant) -> Bool {
        let wanted = parts(of: now)
        return state.withLock { $0.events.contains(wanted.events) && $0.retries.contains(wanted.retries) }
    }

    /// True for one caller, when it is time to make the partitions that come next.
    func needExtension(_ now: Instant) -> Bool {
        let wanted = parts(of: now)
        return state.withLock { state in
            guard !state.events.contains(wanted.events + 1) || !state.retries.contains(wanted.retries + 1) else {
                return false
            }
            if let attempt = state.nextAttempt, attempt > .now { return false }
            state.nextAttempt = .now + .seconds(60)
            return true
        }
    }

    /// Forgets what is known: a partition that should be there is not.
    func forget() { state.withLock { $0 = State() } }

    /// Within a transaction: makes the partitions of `now`. Behind the commit comes `made`.
    func make(for now: Instant, _ connection: any SQLConnection) throws(Fault) {
        try connection.run("SET LOCAL lock_timeout = 4000")
        _ = try connection.rows(Self.lock)
        try Self.make("log_events", parts(of: now).events, connection)
        try Self.make("log_retries", parts(of: now).retries, connection)
    }

    func made(for now: Instant) {
        let made = parts(of: now)
        state.withLock { state in
            state.events.insert(made.events)
            state.retries.insert(made.retries)
        }
    }

    /// Within a transaction: makes the partitions of `now` and those that come next. Behind the commit comes `extended`.
    func extend(_ now: Instant, _ connection: any SQLConnection) throws(Fault) {
        try connection.run("SET LOCAL lock_timeout = 500")
        _ = try connection.rows(Self.lock)
        let current = parts(of: now)
        for step in Int64(0)...1 {
            try Self.make("log_events", current.events + step, connection)
            try Self.make("log_retries", current.retries + step, connection)
        }
    }

    /// Only the newest ones are ever asked for again.
    func extended(_ now: Instant) {
        let current = parts(of: now)
        state.withLock {
            $0 = State(
                events: [current.events, current.events + 1], retries: [current.retries, current.retries + 1],
                nextDrop: .now)
        }
    }

    /// True for one caller, when retries may be out of the window. Unless that one says `dropped`, somebody is told again
    /// soon, and after `dropTries` in an hour: where many append to a slow server, most tries find it too busy.
    func needDrop(at time: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            guard let next = state.nextDrop, next <= time else { return false }
            state.dropTries += 1
            if state.dropTries < Self.dropTries {
                state.nextDrop = time + .seconds(1 << (state.dropTries - 1))
            } else {
                state.dropTries = 0
                state.nextDrop = time + .seconds(3600)
            }
            return true
        }
    }

    /// The oldest partition of retries that should have been dropped days ago; nil where there is none.
    func overdueRetries(_ now: Instant, _ connection: any SQLConnection) throws(Fault) -> Int64? {
        let oldest = oldestRetries(now - (try Self.advance(of: now, connection)))
        let part = try Self.parts(of: "log_retries", connection).first
        return part.flatMap { $0 < oldest - Self.overdueDays ? $0 : nil }
    }

    /// True for one caller a day.
    func needWarning(at time: ContinuousClock.Instant = .now) -> Bool {
        nextWarning.withLock { next in
            if let next, next > time { return false }
            next = time + .milliseconds(Self.day)
            return true
        }
    }

    /// Within a transaction of its own: drops the retries that are out of the window. Who reads them for long, as a backup
    /// does, is in its way, and all who append wait behind it meanwhile: so it gives up soon. Behind the commit comes
    /// `dropped`.
    func dropRetries(_ now: Instant, _ connection: any SQLConnection) throws(Fault) {
        try connection.run("SET LOCAL lock_timeout = 50")
        let oldest = oldestRetries(now - (try Self.advance(of: now, connection)))
        for part in try Self.parts(of: "log_retries", connection) where part < oldest {
            try connection.run(SQL(stringLiteral: "DROP TABLE log_retries_\(part)"))
        }
    }

    func dropped() {
        state.withLock { state in
            state.nextDrop = nil
            state.dropTries = 0
        }
    }

    /// How far a node's clock is ahead of the server's; 0 where it is not. What is dropped is dropped by the clock that is
    /// behind: a wrong one must not take away what others still need.
    static func advance(of now: Instant, _ connection: any SQLConnection) throws(Fault) -> Duration {
        let server = try connection.integer("SELECT (extract(epoch FROM now()) * 1000)::bigint") ?? 0
        return .milliseconds(max(0, now.milliseconds - server))
    }

    /// The existing partitions of a table, ascending.
    static func parts(of table: String, _ connection: any SQLConnection) throws(Fault) -> [Int64] {
        let rows = try connection.rows(
            """
            SELECT substring(c.relname FROM '[0-9]+$')::bigint AS part FROM pg_inherits i
            JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = \(table)::regclass ORDER BY part
            """)
        var parts: [Int64] = []
        for row in rows { parts.append(try row.integer("part")) }
        return parts
    }

    /// Attaching a table locks out nobody who appends, which making a partition in one step would.
    static func make(_ table: String, _ part: Int64, _ connection: any SQLConnection) throws(Fault) {
        let name = "\(table)_\(part)"
        guard try connection.integer("SELECT count(*) FROM pg_class WHERE oid = to_regclass(\(name))") == 0 else {
            return
        }
        try connection.run(SQL(stringLiteral: "CREATE TABLE \(name) (LIKE \(table) INCLUDING ALL)"))
        try connection.run(
            SQL(
                stringLiteral:
                    "ALTER TABLE \(table) ATTACH PARTITION \(name) FOR VALUES FROM (\(part)) TO (\(part + 1))"))
    }
}
