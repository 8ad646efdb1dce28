import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletLog

/// What only the engine on PostgreSQL can be asked: several nodes, busy conversations, partitions.
@Suite struct PostgresEventLogTests {
    private func verify(_ database: any Database) async throws {
        let report = try await Verifier(database: database, log: .postgres).run()
        #expect(report.problems == [])
    }

    private func count(_ sql: SQL, _ fixture: LogFixture) async throws -> Int64? {
        try await fixture.database.read { connection throws(Fault) in try connection.integer(sql) }
    }

    @Test func `A repeat is announced again, unless its content was recalled`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            _ = try await fixture.log.append(message("two", id: "l"))
            _ = try await fixture.log.append(amendment(.recall, of: 2, id: "m"))
            for draft in [message("one", id: "k"), message("two", id: "l"), amendment(.recall, of: 2, id: "m")] {
                #expect(try await fixture.log.append(draft).isRepeat)
            }
            let seqs = try await fixture.committed.map(\.seq)
            #expect(seqs == [1, 2, 3, 1, 3])
        }
    }

    @Test func `A refusal and a conflict are not announced`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            await refused(.clientIdReused) { try await fixture.log.append(message("two", id: "k")) }
            await refused(.unknownMessage) { try await fixture.log.append(amendment(.edit, of: 9)) }
            let seqs = try await fixture.committed.map(\.seq)
            #expect(seqs == [1])
        }
    }

    @Test func `A retry beside the retry of another payload is told from it`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            let lane = CollectingLane()
            fixture.log.submit(
                lane.requests([message("two", id: "k"), message("one", id: "k"), message("two", id: "k")]))
            await lane.wait(3)
            #expect(lane.receipts.map(\.seq) == [1])
            #expect(lane.requests.map { (try? $0.outcome.get()) != nil } == [false, true, false])
        }
    }

    @Test func `More than may wait is refused`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            let lane = CollectingLane()
            fixture.log.submit(lane.requests((0...20_000).map { _ in message("one") }))
            await lane.wait(20_001)
            #expect(lane.faults.count == 20_001)
            #expect(lane.faults.allSatisfy { $0.reason == .overloaded })
        }
    }

    // MARK: Several nodes

    @Test func `Two nodes number their conversations together`() async throws {
        let store = PostgresStore()
        let clock = ManualClock()
        let logs = [try await open(store, clock), try await open(store, clock)]
        let lanes = logs.map { _ in CollectingLane() }
        await withTaskGroup { tasks in
            for (log, lane) in zip(logs, lanes) {
                tasks.addTask {
                    for round in 0..<40 {
                        // Both send the same ones: one of each is stored.
                        let drafts = (0..<25).map { index in
                            message("\(round)", in: group(Int64((index * 7 + round) % 5 + 1)), id: "\(round)-\(index)")
                        }
                        log.log.submit(lane.requests(drafts))
                    }
                    await lane.wait(1000)
                }
            }
        }
        #expect(lanes.allSatisfy { $0.faults.isEmpty })
        let receipts = lanes.map { lane in
            Dictionary(
                uniqueKeysWithValues: lane.requests.map { request in
                    (request.draft.clientId, (try? request.outcome.get())?.ordinal)
                })
        }
        #expect(receipts[0] == receipts[1])
        let firsts = lanes.flatMap(\.receipts).filter { !$0.isRepeat }
        #expect(firsts.count == 1000)
        var stored = 0
        for id in Int64(1)...5 {
            let seqs = try await logs[0].log.read(group(id), 1...Int64.max, limit: 10_000, newest: false).events.map(
                \.seq)
            #expect(seqs == Array(1...Int64(seqs.count)))
            stored += seqs.count
        }
        #expect(stored == 1000)
        try await verify(logs[0].database)
        for log in logs { log.close() }
        await store.remove()
    }

    private func open(_ store: PostgresStore, _ clock: ManualClock) async throws -> OpenLog {
        try await store.open(clock: clock, window: .seconds(24 * 3600)) { _ in }
    }

    @Test func `A transaction of a conversation where all write at once ends`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            let log = fixture.log
            let others = Task {
                // Awaited below.
                var sent = 0
                while !Task.isCancelled {
                    let lane = CollectingLane()
                    log.submit(lane.requests((0..<20).map { _ in message("busy", in: group(1)) }))
                    await lane.wait(20)
                    sent += lane.receipts.count
                }
                return sent
            }
            for _ in 0..<10 {
                let next = try await log.transact { connection, drafts throws(Fault) -> Int64 in
                    let last = try log.lastSeq(group(1), in: connection)
                    drafts = [message("in turn", in: group(1), id: "turn-\(last + 1)")]
                    return last + 1
                }
                let found = try await log.read(group(1), next...next, limit: 1, newest: false).events.first
                #expect(found?.clientId == "turn-\(next)")
            }
            others.cancel()
            let sent = await others.value
            let seqs = try await fixture.seqs(group(1))
            #expect(seqs == Array(1...Int64(sent + 10)))
        }
    }

    // MARK: Partitions

    @Test func `The turn of a period and of a day goes unnoticed`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            var expected: Int64 = 0
            for step in [0, 599, 1, 600, 86_400, 30 * 86_400, -40 * 86_400, 1] as [Int64] {
                fixture.clock.advance(.seconds(step))
                _ = try await fixture.log.append(message("one"))
                try await fixture.log.transact { _, drafts throws(Fault) in drafts = [message("two")] }
                expected += 2
            }
            let page = try await fixture.all(direct)
            #expect(page.events.map(\.seq) == Array(1...expected))
            #expect(page.events.map(\.time) == page.events.map(\.time).sorted())
            let newest = try await fixture.log.read(direct, 1...Int64.max, limit: 5, newest: true).events.map(\.seq)
            #expect(newest == Array((expected - 4)...expected))
            try await verify(fixture.database)
        }
    }

    @Test func `A transaction makes a partition that is not there any more`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            try await fixture.database.alter { connection throws(Fault) in
                for table in ["log_events", "log_retries"] {
                    for part in try PostgresPartitions.parts(of: table, connection) where part > 0 {
                        try connection.run(SQL(stringLiteral: "DROP TABLE \(table)_\(part)"))
                    }
                }
            }
            try await fixture.log.transact { _, drafts throws(Fault) in drafts = [message("two")] }
            #expect(try await fixture.seqs(direct) == [2])
        }
    }

    @Test func `Those who need the same new partitions wait for one who makes them`() async throws {
        let store = PostgresStore()
        let clock = ManualClock()
        let open = try await open(store, clock)
        let log = try #require(open.log as? PostgresEventLog)
        // As a migration that another node has begun.
        let other = try PostgresConnection(try await store.url, statementTimeout: .seconds(60), name: "other")
        defer { other.close() }
        _ = try other.execute(PostgresStatement(text: "SELECT pg_advisory_lock(\(PostgresLock.space), 1000)"))
        clock.advance(.seconds(30 * 86_400))
        let tasks = (0..<30).map { _ in Task { await reason { try await log.makePartitions(for: clock.now) } } }
        func connections() throws -> Int {
            try other.execute(
                "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
            ).rows.count
        }
        while try connections() == 0 { await Task.yield() }
        // All others had their turn to ask as well.
        for _ in 0..<1000 { await Task.yield() }
        #expect(try connections() == 1)
        _ = try other.execute(PostgresStatement(text: "SELECT pg_advisory_unlock(\(PostgresLock.space), 1000)"))
        for task in tasks {
            let thrown = await task.value
            #expect(thrown == nil)
        }
        #expect(log.partitions.cover(clock.now))
        open.close()
        await store.remove()
    }

    @Test func `A node that begins has the partitions of its time`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            let log = try #require(fixture.log as? PostgresEventLog)
            #expect(log.partitions.cover(fixture.clock.now))
        }
    }

    @Test func `Retry records out of the window are dropped by the day`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            for _ in 0..<6 {
                _ = try await fixture.log.append(message("one"))
                _ = try await fixture.committed
                fixture.clock.advance(.seconds(86_400))
            }
            let days = try await count(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'log_retries'::regclass", fixture)
            // Those of the window, the day, and the next one.
            #expect(days == 3)
            let records = try await count("SELECT count(*) FROM log_retries", fixture)
            #expect(records == 2)
        }
    }

    @Test func `Expired periods are dropped, and quiet conversations keep their newest event`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            for _ in 1...3 { _ = try await fixture.log.append(message("old")) }
            _ = try await fixture.log.append(amendment(.edit, of: 3))
            _ = try await fixture.log.append(message("old", in: group(1)))
            fixture.clock.advance(PostgresStore.period * 3)
            _ = try await fixture.log.append(message("new", in: group(1)))
            while try await fixture.log.expire(before: fixture.clock.now) > 0 {}
            #expect(try await fixture.seqs(direct) == [4])
            #expect(try await fixture.seqs(group(1)) == [2])
            let parts = try await count(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'log_events'::regclass", fixture)
            // The quiet ones', this period's and the next one's.
            #expect(parts == 3)
            #expect(try await fixture.log.append(message("again")).seq == 5)
            #expect(try await fixture.seqs(direct) == [4, 5])
            try await verify(fixture.database)
        }
    }

    @Test func `Two nodes that expire at once take turns`() async throws {
        let store = PostgresStore()
        let clock = ManualClock()
        let logs = [try await open(store, clock), try await open(store, clock)]
        let lane = CollectingLane()
        for _ in 0..<4 {
            logs[0].log.submit(lane.requests((1...1500).map { message("old", in: group(Int64($0))) }))
            clock.advance(PostgresStore.period)
        }
        await lane.wait(6000)
        clock.advance(PostgresStore.period)
        let expired = await withTaskGroup(of: Fault?.self) { tasks in
            for log in logs {
                tasks.addTask {
                    do throws(Fault) {
                        while try await log.log.expire(before: clock.now) > 0 {}
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        #expect(expired.allSatisfy { $0 == nil })
        let bounds = try await logs[0].log.bounds((1...1500).map(group))
        #expect(bounds.count == 1500)
        #expect(bounds.values.allSatisfy { $0.first == 4 && $0.last == 4 })
        try await verify(logs[0].database)
        for log in logs { log.close() }
        await store.remove()
    }
}
