import MartletCore
import MartletLog
import MartletSQL
import Testing

/// State and events together, or neither.
@Suite struct EventLogTransactionTests {
    private func users(_ fixture: LogFixture) async throws -> Int64? {
        try await fixture.database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM counters WHERE name = 'test'")
        }
    }

    private func change(_ connection: any SQLConnection) throws(Fault) {
        try connection.run("INSERT INTO counters (name, value) VALUES ('test', 1)")
    }

    @Test(arguments: LogEngine.all)
    func `State and events are stored together`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let value = try await fixture.log.transact { connection, drafts throws(Fault) -> Int in
                try change(connection)
                drafts = [message("one"), message("two", in: group(1)), message("three")]
                return 42
            }
            #expect(value == 42)
            #expect(try await users(fixture) == 1)
            #expect(try await fixture.seqs(direct) == [1, 2])
            #expect(try await fixture.seqs(group(1)) == [1])
            #expect(try await fixture.committed.map(\.conversation) == [direct, group(1), direct])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A body that throws leaves nothing behind`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            let thrown = await reason {
                try await fixture.log.transact { connection, drafts throws(Fault) in
                    try change(connection)
                    drafts.append(message("lost"))
                    throw Fault(.blocked, "no")
                }
            }
            #expect(thrown == .blocked)
            #expect(try await users(fixture) == 0)
            #expect(try await fixture.log.append(message("two")).seq == 2)
            #expect(try await fixture.committed.map(\.seq) == [1, 2])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A refused draft undoes the state and the drafts before it`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            for refused in [message("other", id: "k"), amendment(.edit, of: 99)] {
                let thrown = await reason {
                    try await fixture.log.transact { connection, drafts throws(Fault) in
                        try change(connection)
                        drafts = [message("lost"), message("new conversation", in: group(5)), refused]
                    }
                }
                #expect(thrown == (refused.kind == .edit ? .unknownMessage : .clientIdReused))
            }
            #expect(try await users(fixture) == 0)
            #expect(try await fixture.log.append(message("two")).seq == 2)
            #expect(try await fixture.log.append(message("first", in: group(5))).seq == 1)
            #expect(try await fixture.seqs(direct) == [1, 2])
        }
    }

    @Test(arguments: LogEngine.all)
    func `Faults among other people's sends leave these alone`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let log = fixture.log
            await withTaskGroup { tasks in
                for index in 0..<100 {
                    tasks.addTask { _ = try? await log.append(message("kept", from: bob, id: "\(index)")) }
                    tasks.addTask {
                        _ = try? await log.transact { _, drafts throws(Fault) in
                            drafts = [message("lost"), message("lost"), amendment(.react, of: Int64.max)]
                        }
                    }
                }
            }
            let events = try await fixture.all(direct).events
            #expect(events.map(\.seq) == Array(1...100))
            #expect(events.allSatisfy { $0.body == body("kept") })
            #expect(try await fixture.committed.map(\.seq) == Array(1...100))
        }
    }

    @Test(arguments: LogEngine.all)
    func `The number that the next draft gets is known within the transaction`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let log = fixture.log
            let before = try await log.transact { connection, _ throws(Fault) in
                try log.lastSeq(direct, in: connection)
            }
            #expect(before == 0)
            for expected in Int64(1)...3 {
                let last = try await log.transact { connection, drafts throws(Fault) -> Int64 in
                    drafts.append(message("next"))
                    return try log.lastSeq(direct, in: connection)
                }
                #expect(last + 1 == expected)
                #expect(try await fixture.committed.last?.seq == expected)
            }
        }
    }

    @Test(arguments: LogEngine.durable)
    func `The number is known after reopening too`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            for _ in 1...3 { _ = try await fixture.log.append(message("one")) }
            try await fixture.reopen()
            let log = fixture.log
            let last = try await log.transact { connection, _ throws(Fault) in
                try log.lastSeq(direct, in: connection)
            }
            #expect(last == 3)
        }
    }

    @Test(arguments: LogEngine.all)
    func `A transaction without drafts announces nothing`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            try await fixture.log.transact { connection, _ throws(Fault) in try change(connection) }
            #expect(try await users(fixture) == 1)
            #expect(try await fixture.committed.isEmpty)
        }
    }
}
