import MartletCore
import MartletLog
import MartletSQL
import Testing

/// What only the engine on SQLite can be asked: a writer that is held back, transactions that can't commit, a full disk.
@Suite struct SQLiteEventLogTests {
    /// Holds the writer back, does `work`, and lets the writer go: what `work` hands in shares one transaction.
    private func together(_ database: any Database, _ work: () async -> Void) async {
        let gate = Gate()
        async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
        await gate.someoneWaits()
        await work()
        gate.open()
        await held
    }

    /// A job that goes well and makes the commit of its whole group fail.
    private func poison(_ database: any Database) async {
        _ = try? await database.write { connection throws(Fault) in
            try connection.run("PRAGMA defer_foreign_keys = ON")
            try connection.run(
                "INSERT INTO friends (user_id, friend_id, created_at) VALUES (1000001, 1000002, 0)")
        }
    }

    /// Returns once `count` jobs wait for the writer.
    private func waits(for count: Int, _ database: SQLiteDatabase) async {
        while database.queueDepth < count { await Task.yield() }
    }

    @Test func `A commit that fails refuses its sends and leaves the numbers right`() async throws {
        try await LogFixture.run(.sqliteFile) { fixture throws in
            let database = try #require(fixture.database as? SQLiteDatabase)
            #expect(try await fixture.log.append(message("one")).seq == 1)
            let lane = CollectingLane()
            await together(database) {
                fixture.log.submit(lane.requests([message("lost"), message("lost", in: group(1))]))
                await waits(for: 1, database)
                Task { await poison(database) }
                await waits(for: 2, database)
            }
            await lane.wait(2)
            #expect(lane.faults.count == 2)
            #expect(lane.faults.allSatisfy { $0.isOurs })
            #expect(try await fixture.log.append(message("two")).seq == 2)
            #expect(try await fixture.log.append(message("first", in: group(1))).seq == 1)
            #expect(try await fixture.seqs(direct) == [1, 2])
            #expect(try await fixture.committed.map(\.seq) == [1, 2, 1])
        }
    }

    @Test func `A commit that fails takes a transaction's events with it`() async throws {
        try await LogFixture.run(.sqliteFile) { fixture throws in
            let database = try #require(fixture.database as? SQLiteDatabase)
            let log = fixture.log
            var lost: Task<Void, any Error>?
            await together(database) {
                lost = Task { try await log.transact { _, drafts throws(Fault) in drafts.append(message("lost")) } }
                await waits(for: 1, database)
                Task { await poison(database) }
                await waits(for: 2, database)
            }
            // Once the writer has answered, what comes next can't join the commit that fails.
            let answer = try #require(await lost?.result)
            #expect(throws: Fault.self) { try answer.get() }
            #expect(try await log.append(message("one")).seq == 1)
            #expect(try await fixture.committed.map(\.body) == [body("one")])
        }
    }

    @Test func `A retry after a failed commit is stored`() async throws {
        try await LogFixture.run(.sqliteFile) { fixture throws in
            let database = try #require(fixture.database as? SQLiteDatabase)
            let lane = CollectingLane()
            await together(database) {
                fixture.log.submit(lane.requests([message("one", id: "k")]))
                await waits(for: 1, database)
                Task { await poison(database) }
                await waits(for: 2, database)
            }
            await lane.wait(1)
            #expect(lane.faults.count == 1)
            let receipt = try await fixture.log.append(message("one", id: "k"))
            #expect((receipt.seq, receipt.isRepeat) == (1, false))
        }
    }

    @Test func `Past its capacity the log refuses whole batches and answers each send once`() async throws {
        try await LogFixture.run(.sqliteMemory) { fixture throws in
            let lane = CollectingLane()
            await together(fixture.database) {
                for start in stride(from: 0, to: 150_000, by: 30_000) {
                    fixture.log.submit(lane.requests((start..<(start + 30_000)).map { message("a", id: "\($0)") }))
                }
            }
            await lane.wait(150_000)
            #expect(lane.receipts.map(\.seq).sorted() == Array(1...90_000))
            #expect(lane.faults.count == 60_000)
            #expect(lane.faults.allSatisfy { $0.reason == .overloaded && $0.retryAfter != nil })
            #expect(lane.requests.count == 150_000)
            #expect(try await fixture.log.append(message("after")).seq == 90_001)
        }
    }

    @Test func `Closing stores what was taken, and what comes later is refused`() async throws {
        try await LogFixture.runOnFile { fixture, path throws in
            let lane = CollectingLane()
            let log = try #require(fixture.log as? SQLiteEventLog)
            for _ in 0..<10 { log.submit(lane.requests((0..<100).map { message("\($0)") })) }
            log.close()
            log.submit(lane.requests([message("late"), message("late")]))
            await lane.wait(1002)
            #expect(lane.receipts.count == 1000)
            #expect(lane.faults.map(\.reason) == [.shuttingDown, .shuttingDown])
            await refused(.shuttingDown) { try await log.transact { _, drafts throws(Fault) in drafts = [] } }
            await refused(.shuttingDown) { try await log.bounds([direct]) }
            try await fixture.reopen()
            #expect(try await fixture.seqs(direct) == Array(1...1000))
        }
    }

    @Test func `Sends that race with closing are answered once, and those acknowledged are stored`() async throws {
        for _ in 0..<10 {
            try await LogFixture.runOnFile { fixture, _ throws in
                let lane = CollectingLane()
                let log = try #require(fixture.log as? SQLiteEventLog)
                await withTaskGroup { tasks in
                    for _ in 0..<4 {
                        tasks.addTask { for _ in 0..<50 { log.submit(lane.requests([message("a"), message("b")])) } }
                    }
                    tasks.addTask { log.close() }
                }
                await lane.wait(400)
                #expect(lane.requests.count == 400)
                try await fixture.reopen()
                #expect(try await fixture.seqs(direct).count == lane.receipts.count)
                #expect(lane.faults.allSatisfy { $0.reason == .shuttingDown })
            }
        }
    }

    @Test func `A full disk loses nothing that was acknowledged, and the log goes on once there is room`() async throws
    {
        try await LogFixture.runOnFile { fixture, _ throws in
            func limit(_ pages: Int64) async throws {
                try await fixture.database.write { connection throws(Fault) in
                    _ = try connection.rows(SQL(stringLiteral: "PRAGMA max_page_count = \(pages)"))
                }
            }
            let used = try await fixture.database.write { connection throws(Fault) in
                try connection.integer("PRAGMA page_count") ?? 0
            }
            try await limit(used + 40)
            let filling = String(repeating: "x", count: 1000)
            var stored: [Int64] = []
            var thrown: Fault?
            while thrown == nil, stored.count < 10_000 {
                let lane = CollectingLane()
                fixture.log.submit(lane.requests((0..<7).map { _ in message(filling) }))
                await lane.wait(7)
                stored += lane.receipts.map(\.seq)
                thrown = lane.faults.first
            }
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message == "the disk is full")
            #expect(try await fixture.seqs(direct) == stored)
            await refused(.unavailable) { try await fixture.log.append(message(filling + filling + filling + filling)) }

            try await limit(1_000_000)
            let next = try await fixture.log.append(message("room again"))
            #expect(next.seq == Int64(stored.count) + 1)
            try await fixture.reopen()
            #expect(try await fixture.seqs(direct) == Array(1...Int64(stored.count + 1)))
            #expect(try await Verifier(database: fixture.database).run().problems == [])
        }
    }

    @Test func `Metrics count commits, events, repeats and refusals`() async throws {
        let database = try SQLiteDatabase(.memory)
        let clock = ManualClock()
        try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
        let metrics = LogMetrics()
        let log = try await SQLiteEventLog(database, clock: clock, metrics: metrics) { _ in }
        defer { log.close() }
        _ = try await log.append(message("one", id: "k"))
        _ = try await log.append(message("one", id: "k"))
        _ = await reason { try await log.append(message("two", id: "k")) }
        try await log.transact { _, drafts throws(Fault) in drafts.append(message("three")) }
        #expect(metrics.events.value == 2)
        #expect(metrics.repeats.value == 1)
        #expect(metrics.refusals.value == 1)
        #expect(metrics.commits.value == 3)
        #expect(log.queueDepth == 0)
    }
}
