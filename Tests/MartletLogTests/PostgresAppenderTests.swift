import Dispatch
import Logging
import MartletCore
import MartletSQL
import MartletTestServices
import Synchronization
import Testing

@testable import MartletLog

/// An appender whose database is slow: somebody holds a conversation's row.
@Suite struct PostgresAppenderTests {
    @Test(.timeLimit(.minutes(1)))
    func `Sends that waited too long are refused, and none whose transaction had begun`() async throws {
        let fixture = try await SlowAppender()
        try fixture.hold()
        let first = await fixture.beginOne()
        let late = fixture.submit(["late", "later", "latest"])
        fixture.time.advance(.seconds(9))
        let fresh = fixture.submit(["fresh"])
        fixture.time.advance(.seconds(2))
        try fixture.release()
        await first.wait(1)
        await late.wait(3)
        await fresh.wait(1)
        #expect(first.receipts.count == 1)
        #expect(late.faults.map(\.reason) == Array(repeating: .overloaded, count: 3))
        #expect(late.faults.allSatisfy { $0.retryAfter != nil })
        #expect(fresh.receipts.count == 1)
        #expect(try fixture.stored() == ["zero", "first", "fresh"])
        try await fixture.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `Who closes does not wait for more than one batch that fails`() async throws {
        let fixture = try await SlowAppender()
        try fixture.hold()
        let first = await fixture.beginOne()
        let others = fixture.submit(["second", "third"], in: group(2))
        let closing = fixture.close()
        while fixture.submit(["too late"], in: group(2)).faults.first?.reason != .shuttingDown { await Task.yield() }
        try fixture.cancel()
        await closing.value
        #expect(first.faults.map(\.reason) == [.unavailable])
        #expect(others.faults.map(\.reason) == [.shuttingDown, .shuttingDown])
        #expect(others.faults.allSatisfy { $0.retryAfter != nil })
        #expect(try fixture.stored() == ["zero"])
        try await fixture.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `Who waits in vain for another maker of partitions is told to come again`() async throws {
        let fixture = try await SlowAppender()
        // Answered behind the making of the next partitions that follows the batch before.
        await fixture.submit(["settled"]).wait(1)
        try fixture.holdPartitions()
        fixture.partitions.forget()
        let refused = fixture.submit(["one"])
        await refused.wait(1)
        #expect(refused.faults.map(\.reason) == [.unavailable])
        #expect(refused.faults.first?.cause?.contains("55P03") == true)
        #expect(refused.faults.first?.retryAfter != nil)
        try fixture.release()
        let later = fixture.submit(["one"])
        await later.wait(1)
        #expect(later.receipts.count == 1)
        try await fixture.end()
    }

    @Test(.timeLimit(.minutes(1)))
    func `Retries that can't be dropped for days are told to the operator`() async throws {
        let lines = LogLines()
        let fixture = try await SlowAppender(lines.logger)
        try fixture.readRetries()
        for days in [3, 1] {
            #expect(lines.warnings.isEmpty)
            fixture.clock.advance(.seconds(days * 86_400))
            await fixture.submit(["\(days)"]).wait(1)
            // Answered behind the attempt to drop that follows the batch before.
            await fixture.submit(["settled"]).wait(1)
        }
        #expect(lines.warnings.count == 1)
        #expect(lines.warnings.first?.contains("old retry records can't be dropped") == true)
        try fixture.release()
        try await fixture.end()
    }
}

/// When old retries are dropped, and when the operator hears that they are not.
@Suite struct RetryDropTests {
    private let partitions = PostgresPartitions(period: 600_000, window: .seconds(86_400))
    private let start = ContinuousClock.now + .seconds(1)

    /// The seconds within `range` at which somebody is told to drop.
    private func tries(_ range: Range<Int>) -> [Int] {
        range.filter { partitions.needDrop(at: start + .seconds($0)) }
    }

    @Test func `A drop that fails is tried some times with longer and longer pauses, and again in an hour`() {
        partitions.extended(Instant(milliseconds: 0))
        #expect(tries(0..<3700) == [0, 1, 3, 7, 15, 31, 63, 127])
        #expect(tries(3700..<3730) == [3727, 3728])
    }

    @Test func `A drop that is done is not tried again`() {
        partitions.extended(Instant(milliseconds: 0))
        #expect(tries(0..<2) == [0, 1])
        partitions.dropped()
        #expect(tries(2..<4000) == [])
    }

    @Test func `The operator is warned once a day`() {
        let hours = (0..<50).filter { partitions.needWarning(at: start + .seconds($0 * 3600)) }
        #expect(hours == [0, 24, 48])
    }
}

/// One appender with a conversation, and a connection that can be in its way.
private final class SlowAppender {
    let time = ManualTime()
    let clock = ManualClock()
    let partitions = PostgresPartitions(period: 600_000, window: .seconds(86_400))
    private let store = PostgresStore()
    private let other: PostgresConnection
    private let appender: PostgresAppender

    init(_ logger: Logger = quiet) async throws {
        let url = try await store.url
        let writer = PostgresAppendWriter(
            url, name: "slow", clock: clock, partitions: partitions, logger: logger,
            durability: PostgresDurability(quiet), statementTimeout: .seconds(50))
        appender = PostgresAppender(writer, LogAnswers(LogMetrics()) { _ in }, logger, number: 1) { [time] in time.now }
        other = try PostgresConnection(url, statementTimeout: .seconds(50), name: "other")
        await submit(["zero"]).wait(1)
    }

    func hold() throws {
        _ = try other.execute(PostgresStatement(text: "BEGIN", isKept: false))
        _ = try other.execute("SELECT id FROM log_conversations WHERE name = 'g:1' FOR UPDATE")
    }

    /// Holds off all who make partitions.
    func holdPartitions() throws {
        _ = try other.execute(PostgresStatement(text: "BEGIN", isKept: false))
        _ = try other.execute(PostgresStatement(PostgresPartitions.lock, isKept: false))
    }

    /// Reads the retries, as a backup does.
    func readRetries() throws {
        _ = try other.execute(PostgresStatement(text: "BEGIN", isKept: false))
        _ = try other.execute(PostgresStatement(text: "LOCK TABLE log_retries IN ACCESS SHARE MODE", isKept: false))
    }

    func release() throws { _ = try other.execute(PostgresStatement(text: "COMMIT", isKept: false)) }

    /// Ends the statement that waits, as its time limit would, and lets the row go.
    func cancel() throws {
        let waiting: PostgresStatement = """
            SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'slow' AND wait_event_type = 'Lock'
            """
        while try other.execute(waiting).rows.isEmpty {
            _ = try other.execute("SELECT pg_stat_clear_snapshot()")
        }
        try release()
    }

    /// Submits messages with these client ids.
    func submit(_ ids: [String], in conversation: ConversationID = group(1)) -> CollectingLane {
        let lane = CollectingLane()
        appender.submit(lane.requests(ids.map { message($0, in: conversation, id: $0) }))
        return lane
    }

    /// Submits one, and returns once the appender has taken it.
    func beginOne() async -> CollectingLane {
        let lane = submit(["first"])
        while appender.depth > 0 { await Task.yield() }
        return lane
    }

    /// The client ids of all events, in their order.
    func stored() throws -> [String] {
        try other.execute("SELECT client_id FROM log_events ORDER BY ordinal").rows.map { try $0.text("client_id") }
    }

    func close() -> Task<Void, Never> {
        // Awaited by the test.
        Task { [appender] in
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    appender.close()
                    continuation.resume()
                }
            }
        }
    }

    func end() async throws {
        await close().value
        other.close()
        await store.remove()
    }
}

/// A clock that nobody sets but the test.
private final class ManualTime: Sendable {
    private let current = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { current.withLock { $0 } }

    func advance(_ duration: Duration) { current.withLock { $0 += duration } }
}
