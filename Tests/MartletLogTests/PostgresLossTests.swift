import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

/// A server that goes away under the log.
@Suite struct PostgresLossTests {
    private func open(_ store: PostgresStore) async throws -> OpenLog {
        try await store.open(clock: ManualClock(), window: .seconds(24 * 3600)) { _ in }
    }

    /// Sends until it is stored: what a client does.
    private func send(_ draft: Draft, _ log: any EventLog) async -> Receipt {
        while true {
            do throws(Fault) {
                return try await log.append(draft)
            } catch {
                if error.reason != .unavailable { Issue.record("\(error)") }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    @Test func `What was acknowledged before the server was killed is there, and nothing is there twice`() async throws
    {
        let server = try await PostgresServer()
        let store = PostgresStore(server)
        let open = try await open(store)
        let receipts = try await withThrowingTaskGroup(of: [(String, Receipt)].self) { tasks in
            for sender in Int64(1)...8 {
                tasks.addTask {
                    var receipts: [(String, Receipt)] = []
                    for index in 0..<150 {
                        let id = "\(sender)-\(index)"
                        let draft = message(
                            "load", in: group(Int64(index % 3 + 1)), from: UserID(unchecked: sender), id: id)
                        receipts.append((id, await send(draft, open.log)))
                    }
                    return receipts
                }
            }
            for _ in 0..<2 {
                try await waitForLoad(open, events: 100)
                try await server.kill()
                try await server.start()
            }
            return try await tasks.reduce(into: []) { $0 += $1 }
        }
        #expect(receipts.count == 1200)
        var stored: [String: Int64] = [:]
        var total = 0
        for id in Int64(1)...3 {
            let events = try await open.log.read(group(id), 1...Int64.max, limit: 10_000, newest: false).events
            #expect(events.map(\.seq) == Array(1...Int64(events.count)))
            for event in events { stored[event.clientId] = event.ordinal }
            total += events.count
        }
        #expect(total == 1200)
        #expect(receipts.allSatisfy { stored[$0.0] == $0.1.ordinal })
        let report = try await Verifier(database: open.database, log: .postgres).run()
        #expect(report.problems == [])
        open.close()
    }

    /// Returns once that many more events are stored.
    private func waitForLoad(_ open: OpenLog, events: Int64) async throws {
        func stored() async -> Int64 {
            (try? await open.log.bounds((1...3).map(group)).values.reduce(0) { $0 + $1.last }) ?? -1
        }
        var first = await stored()
        while first < 0 { first = await stored() }
        while await stored() < min(1200, first + events) { await Task.yield() }
    }

    @Test func `Without the server sends are refused at once, and with it they are stored again`() async throws {
        let server = try await PostgresServer()
        let store = PostgresStore(server)
        let open = try await open(store)
        #expect(try await open.log.append(message("one", id: "k")).seq == 1)
        try await server.stop()
        await refused(.unavailable) { try await open.log.append(message("lost")) }
        let lane = CollectingLane()
        open.log.submit(lane.requests((0..<100).map { _ in message("lost") }))
        // Without waiting for anything.
        #expect(lane.faults.count == 100)
        #expect(lane.faults.allSatisfy { $0.reason == .unavailable })
        try await server.start()
        #expect(await send(message("two"), open.log).seq == 2)
        let again = await send(message("one", id: "k"), open.log)
        #expect((again.seq, again.isRepeat) == (1, true))
        open.close()
    }

    @Test func `A server that answers no more costs a deadline, and what it did meanwhile is not done twice`()
        async throws
    {
        let server = try await PostgresServer()
        let store = PostgresStore(server)
        let open = try await open(store)
        #expect(try await open.log.append(message("one")).seq == 1)
        try server.freeze()
        await refused(.unavailable) { try await open.log.append(message("two", id: "k")) }
        let lane = CollectingLane()
        open.log.submit(lane.requests([message("lost")]))
        #expect(lane.faults.map(\.reason) == [.unavailable])
        try server.thaw()
        #expect(await send(message("two", id: "k"), open.log).seq == 2)
        #expect(await send(message("three"), open.log).seq == 3)
        open.close()
    }

    // MARK: Lost commits

    /// Takes a conversation away, as a standby does that was promoted without the last commits.
    private func lose(_ conversation: ConversationID, _ fixture: LogFixture) async throws {
        try await fixture.database.write { connection throws(Fault) in
            let key = try connection.integer("SELECT id FROM log_conversations WHERE name = \(conversation)") ?? 0
            try connection.run("DELETE FROM log_events WHERE conversation = \(key)")
            try connection.run("DELETE FROM log_retries WHERE conversation = \(key)")
            try connection.run("DELETE FROM log_conversations WHERE id = \(key)")
        }
    }

    @Test func `Another connection finds conversations anew, since another server may have others`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            for id in Int64(1)...8 { _ = try await fixture.log.append(message("one", in: group(id))) }
            for id in Int64(1)...8 { try await lose(group(id), fixture) }
            // Under the key that the first one had.
            try await fixture.database.write { connection throws(Fault) in
                try connection.run(
                    "INSERT INTO log_conversations (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'g:99')")
                _ = try connection.rows(
                    """
                    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'martlet-log-%'
                    """)
            }
            for id in Int64(1)...8 {
                let receipt = await send(message("again", in: group(id)), fixture.log)
                #expect(receipt.seq == 1)
                #expect(try await fixture.seqs(group(id)) == [1])
            }
        }
    }

    @Test func `A conversation that is gone fails its own sends only, and is made by the next ones`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            for id in Int64(1)...8 { _ = try await fixture.log.append(message("one", in: group(id))) }
            try await lose(group(1), fixture)
            let lane = CollectingLane()
            fixture.log.submit(lane.requests((1...8).map { message("two", in: group($0)) }))
            await lane.wait(8)
            #expect(lane.receipts.map(\.seq) == Array(repeating: 2, count: 7))
            #expect(lane.faults.map(\.reason) == [.unavailable])
            #expect(lane.faults.first?.retryAfter == .seconds(1))
            #expect(await send(message("three", in: group(1)), fixture.log).seq == 1)
        }
    }
}
