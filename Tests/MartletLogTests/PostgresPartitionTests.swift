import Foundation
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

/// What is dropped, when, and by whose clock.
@Suite struct PostgresPartitionTests {
    private func retryDays(_ fixture: LogFixture) async throws -> Int64? {
        try await fixture.database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM pg_inherits WHERE inhparent = 'log_retries'::regclass")
        }
    }

    /// Runs `body` with a node whose clock is right and one whose clock is 40 days ahead.
    private func withFastClock(_ body: (OpenLog, OpenLog, ManualClock) async throws -> Void) async throws {
        let store = PostgresStore()
        let clocks = [ManualClock(), ManualClock()]
        let present = Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
        for clock in clocks { clock.advance(present - clock.now) }
        clocks[1].advance(.seconds(40 * 86_400))
        var logs: [OpenLog] = []
        for clock in clocks {
            logs.append(try await store.open(clock: clock, window: .seconds(24 * 3600)) { _ in })
        }
        try await body(logs[0], logs[1], clocks[1])
        for log in logs { log.close() }
        await store.remove()
    }

    @Test func `A node whose clock is ahead drops no retries that others recognise`() async throws {
        try await withFastClock { right, fast, _ throws in
            _ = try await right.log.append(message("one", id: "k"))
            _ = try await fast.log.append(message("two", in: group(1)))
            try await fast.settle()
            let again = try await right.log.append(message("one", id: "k"))
            #expect(again.isRepeat)
        }
    }

    @Test func `A node whose clock is ahead drops no history before its time`() async throws {
        try await withFastClock { right, fast, clock throws in
            for _ in 1...3 { _ = try await right.log.append(message("one")) }
            let removed = try await fast.log.expire(before: clock.now - .seconds(10 * 86_400))
            #expect(removed == 0)
            #expect(try await right.log.read(direct, 1...9, limit: 9, newest: false).events.map(\.seq) == [1, 2, 3])
        }
    }

    @Test func `Who reads old retries for long keeps no partition from being made`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            _ = try await fixture.committed
            let before = try await retryDays(fixture) ?? 0
            let url = try #require(fixture.database as? PostgresDatabase).url
            let reader = try PostgresConnection(url, statementTimeout: .seconds(60), name: "backup")
            defer { reader.close() }
            _ = try reader.execute("BEGIN")
            _ = try reader.execute("LOCK TABLE log_retries IN ACCESS SHARE MODE")
            fixture.clock.advance(.seconds(5 * 86_400))
            _ = try await fixture.log.append(message("two"))
            _ = try await fixture.committed
            let after = try await retryDays(fixture)
            // The day's and the next one.
            #expect(after == before + 2)
        }
    }
}
