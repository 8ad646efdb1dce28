import MartletCore
import MartletLog
import MartletSQL
import Testing

/// The index on the disk lags behind the events: what is read is the same wherever an event's place is kept.
@Suite struct LogTailTests {
    /// A log whose tail holds `unindexed` events at most.
    private func withLog(
        unindexed: Int, _ body: (SQLiteEventLog, SQLiteDatabase, () async throws -> SQLiteEventLog) async throws -> Void
    ) async throws {
        let store = try SQLiteFileStore()
        defer { store.remove() }
        let clock = ManualClock()
        var opened: [SQLiteEventLog] = []
        func open() async throws -> (SQLiteEventLog, SQLiteDatabase) {
            let database = try SQLiteDatabase(.file(store.path))
            try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
            let log = try await SQLiteEventLog(database, clock: clock, unindexed: unindexed) { _ in }
            opened.append(log)
            return (log, database)
        }
        let (log, database) = try await open()
        try await body(log, database) {
            opened.last?.close()
            return try await open().0
        }
        opened.last?.close()
    }

    private func indexed(_ database: SQLiteDatabase) async throws -> Int64 {
        try await database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM log_index") ?? 0
        }
    }

    private func texts(_ log: SQLiteEventLog, _ conversation: ConversationID) async throws -> [String] {
        let page = try await log.read(conversation, 1...Int64.max, limit: 100_000, newest: false)
        return page.events.map { String(decoding: $0.body ?? [], as: UTF8.self) }
    }

    @Test func `Few events stay out of the index and are read all the same`() async throws {
        try await withLog(unindexed: 1000) { log, database, _ throws in
            for index in 1...5 { _ = try await log.append(message("\(index)")) }
            #expect(try await indexed(database) == 0)
            #expect(try await texts(log, direct).count == 5)
            let bounds = try await log.bounds([direct])
            #expect(bounds[direct]?.last == 5)
            #expect(try await log.unread([direct: 2], for: bob) == [direct: 3])
            #expect(try await log.lastMessages([direct])[direct]?.seq == 5)
        }
    }

    @Test(arguments: [1, 3, 7, 40])
    func `Reads are the same while events move to the index`(_ unindexed: Int) async throws {
        try await withLog(unindexed: unindexed) { log, database, reopen throws in
            var generator = SystemRandomNumberGenerator()
            var expected: [Int64: [String]] = [:]
            for index in 0..<300 {
                let id = Int64.random(in: 1...6, using: &generator)
                let receipt = try await log.append(message("\(index)", in: group(id)))
                expected[id, default: []].append(#"{"text":"\#(index)"}"#)
                #expect(receipt.seq == Int64(expected[id]?.count ?? 0))
            }
            #expect(try await indexed(database) >= 300 - Int64(unindexed) - 1)
            for (id, list) in expected {
                #expect(try await texts(log, group(id)) == list)
                let newest = try await log.read(group(id), 1...Int64.max, limit: 5, newest: true)
                #expect(newest.events.map(\.seq) == Array((Int64(list.count) - 4)...Int64(list.count)))
                let middle = try await log.read(group(id), 3...Int64(list.count) - 1, limit: 1000, newest: false)
                #expect(middle.events.map(\.seq) == Array(3...Int64(list.count) - 1))
                #expect(try await log.unread([group(id): 4], for: bob) == [group(id): list.count - 4])
            }
            let problems = try await Verifier(database: database).run().problems
            #expect(problems == [])
            // What the process remembered is gone; what is stored tells the same.
            let again = try await reopen()
            for (id, list) in expected {
                #expect(try await texts(again, group(id)) == list)
                #expect(try await again.append(message("next", in: group(id))).seq == Int64(list.count) + 1)
            }
        }
    }

    @Test func `A long stretch moves by itself`() async throws {
        try await withLog(unindexed: 100_000) { log, database, _ throws in
            let lane = CollectingLane()
            log.submit(lane.requests((0..<600).map { message("\($0)") }))
            await lane.wait(600)
            _ = try await log.append(message("one more"))
            #expect(try await indexed(database) == 600)
            #expect(try await log.append(message("last")).seq == 602)
            #expect(try await texts(log, direct).count == 602)
        }
    }

    @Test func `A quiet conversation's event does not keep the start reading for ever`() async throws {
        try await withLog(unindexed: 100) { log, database, _ throws in
            _ = try await log.append(message("quiet", in: group(9)))
            let lane = CollectingLane()
            for start in stride(from: 0, to: 3000, by: 300) {
                log.submit(lane.requests((start..<start + 300).map { message("\($0)") }))
                await lane.wait(start + 300)
            }
            _ = try await log.append(message("end"))
            let mark = try await database.read { connection throws(Fault) in
                try connection.integer("SELECT value FROM log_state WHERE name = 'indexed_through'") ?? 0
            }
            #expect(mark > 2000)
            #expect(try await texts(log, group(9)) == [#"{"text":"quiet"}"#])
        }
    }

    @Test(arguments: [1, 1000])
    func `A recalled message is gone wherever its place is kept`(_ unindexed: Int) async throws {
        try await withLog(unindexed: unindexed) { log, database, reopen throws in
            for index in 1...4 { _ = try await log.append(message("\(index)")) }
            _ = try await log.append(amendment(.recall, of: 2))
            _ = try await log.append(message("behind", in: group(1)))
            let page = try await log.read(direct, 1...10, limit: 10, newest: false)
            #expect(page.events[1].body == nil)
            #expect(try await log.unread([direct: 0], for: bob) == [direct: 3])
            await refused(.alreadyRecalled) { try await log.append(amendment(.edit, of: 2)) }
            let again = try await reopen()
            #expect(try await again.unread([direct: 0], for: bob) == [direct: 3])
            await refused(.alreadyRecalled) { try await again.append(amendment(.edit, of: 2)) }
        }
    }

    @Test func `A part that fails leaves nothing behind for readers or the next numbers`() async throws {
        try await withLog(unindexed: 4) { log, database, _ throws in
            for index in 1...3 { _ = try await log.append(message("\(index)", id: "\(index)")) }
            await refused(.clientIdReused) {
                try await log.transact { _, drafts throws(Fault) in
                    drafts = [message("new", in: group(5)), message("other", id: "2")]
                }
            }
            #expect(try await log.bounds([group(5)]).isEmpty)
            #expect(try await log.append(message("first", in: group(5))).seq == 1)
            #expect(try await log.append(message("4")).seq == 4)
            let problems = try await Verifier(database: database).run().problems
            #expect(problems == [])
        }
    }

    @Test func `Trimming and what comes behind it`() async throws {
        try await withLog(unindexed: 1000) { log, database, reopen throws in
            for index in 1...10 { _ = try await log.append(message("\(index)")) }
            #expect(try await log.trim(direct, before: 6) == 5)
            _ = try await log.append(message("11"))
            let page = try await log.read(direct, 1...100, limit: 100, newest: false)
            #expect(page.events.map(\.seq) == Array(6...11))
            #expect(page.bounds.first == 6)
            let again = try await reopen()
            #expect(try await again.read(direct, 1...100, limit: 100, newest: false).events.map(\.seq) == Array(6...11))
            #expect(try await again.append(message("12")).seq == 12)
        }
    }

    @Test func `A database of the schema before has its events in the index`() async throws {
        let database = try SQLiteDatabase(.memory)
        let clock = ManualClock()
        let tables = Migration.sqliteLogTables
        let before = Migration.all(log: [tables]).filter { $0.number <= tables.number }
        try await Migrator(before).migrate(database, now: clock.now)
        try await database.write { connection throws(Fault) in
            try connection.run("INSERT INTO log_conversations (id, name) VALUES (1, 'd:1:2'), (2, 'g:1')")
            for (ordinal, conversation, seq, kind) in [(1, 1, 1, 1), (2, 2, 1, 1), (3, 1, 2, 33), (4, 2, 2, 1)] {
                try connection.run(
                    """
                    INSERT INTO log_events (ordinal, conversation, seq, sender, kind, time, client_id, body) VALUES
                        (\(ordinal), \(conversation), \(seq), 1, \(kind), 5, '', \(ordinal == 1 ? nil : body("\(ordinal)")))
                    """)
            }
            try connection.run("INSERT INTO log_amendments VALUES (1, 1, 2, 33, 1)")
        }
        try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
        let problems = try await Verifier(database: database).run().problems
        #expect(problems == [])
        let log = try await SQLiteEventLog(database, clock: clock) { _ in }
        let page = try await log.read(direct, 1...10, limit: 10, newest: false)
        #expect(page.events.map(\.seq) == [1, 2])
        #expect(page.amendments.map(\.target) == [1])
        #expect(try await log.unread([direct: 0, group(1): 0], for: bob) == [direct: 0, group(1): 2])
        #expect(try await log.append(message("next", in: group(1))).seq == 3)
        log.close()
    }

    @Test func `A long stretch that trimming moves is counted once`() async throws {
        try await withLog(unindexed: 1000) { log, database, _ throws in
            let lane = CollectingLane()
            for _ in 1...3 { _ = try await log.append(message("old", in: group(1))) }
            log.submit(lane.requests((0..<600).map { message("\($0)") }))
            await lane.wait(600)
            // The trimming and the next sends share one transaction.
            let gate = Gate()
            async let held: Void = database.write { _ throws(Fault) in gate.pass() }
            await gate.someoneWaits()
            async let trimmed = log.trim(group(1), before: 3)
            while database.queueDepth < 1 { await Task.yield() }
            log.submit(lane.requests([message("behind")]))
            while database.queueDepth < 2 { await Task.yield() }
            gate.open()
            try await held
            #expect(try await trimmed == 2)
            await lane.wait(601)
            for id in Int64(10)..<2010 { log.submit(lane.requests([message("one", in: group(id))])) }
            await lane.wait(2601)
            _ = try await log.append(message("what moves all but the last thousand"))
            #expect(try await indexed(database) >= 2603 - 1001)
        }
    }
}
