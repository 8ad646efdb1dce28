import MartletCore
import MartletLog
import MartletSQL
import Testing

/// Places in the log: sequences, ordinals, announcements, batches.
@Suite struct EventLogOrderTests {
    @Test(arguments: LogEngine.all)
    func `Sequences begin at 1 and have no gaps in each conversation`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            for index in 1...5 {
                #expect(try await fixture.log.append(message("\(index)")).seq == Int64(index))
                #expect(try await fixture.log.append(message("\(index)", in: group(7))).seq == Int64(index))
            }
            #expect(try await fixture.seqs(direct) == [1, 2, 3, 4, 5])
            #expect(try await fixture.seqs(group(7)) == [1, 2, 3, 4, 5])
        }
    }

    @Test(arguments: LogEngine.all)
    func `Concurrent lanes share sequences without gap or repeat`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let log = fixture.log
            let lanes = (0..<8).map { _ in CollectingLane() }
            await withTaskGroup { tasks in
                for (index, lane) in lanes.enumerated() {
                    tasks.addTask {
                        for round in 0..<20 {
                            log.submit(
                                lane.requests(
                                    (0..<10).map { message("\(index) \(round) \($0)", in: group(Int64($0 % 3 + 1))) }))
                        }
                        await lane.wait(200)
                    }
                }
            }
            var ordinals: [Int64] = []
            for id in Int64(1)...3 {
                let events = try await fixture.all(group(id)).events
                #expect(events.map(\.seq) == Array(1...Int64(events.count)))
                #expect(zip(events, events.dropFirst()).allSatisfy { $0.ordinal < $1.ordinal })
                ordinals += events.map(\.ordinal)
            }
            #expect(ordinals.count == 1600)
            #expect(Set(ordinals).count == 1600)
            #expect(Set(lanes.flatMap(\.receipts).map(\.ordinal)) == Set(ordinals))
        }
    }

    @Test(arguments: LogEngine.all)
    func `A lane's sends keep their order`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let lane = CollectingLane()
            for start in stride(from: 0, to: 100, by: 10) {
                fixture.log.submit(lane.requests((start..<(start + 10)).map { message("\($0)") }))
            }
            await lane.wait(100)
            #expect(lane.receipts.map(\.seq) == Array(1...100))
            #expect(try await fixture.all(direct).events.map(\.body) == (0..<100).map { body("\($0)") })
        }
    }

    @Test(arguments: LogEngine.alone)
    func `Committed events are announced in the order of the log`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let log = fixture.log
            await withTaskGroup { tasks in
                for index in 0..<50 {
                    tasks.addTask {
                        _ = try? await log.append(message("a", in: group(Int64(index % 5 + 1))))
                        _ = try? await log.transact { _, drafts throws(Fault) in
                            drafts.append(message("b", in: group(Int64(index % 5 + 1))))
                        }
                    }
                }
            }
            let announced = try await fixture.committed
            #expect(announced.count == 100)
            #expect(announced.map(\.ordinal) == announced.map(\.ordinal).sorted())
            #expect(announced.filter { $0.conversation == group(1) }.map(\.seq) == Array(1...20))
            #expect(announced.allSatisfy { $0.senderName == "name" })
        }
    }

    @Test(arguments: LogEngine.all)
    func `Every committed event is announced once`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let log = fixture.log
            await withTaskGroup { tasks in
                for index in 0..<50 {
                    tasks.addTask {
                        _ = try? await log.append(message("a", in: group(Int64(index % 5 + 1))))
                        _ = try? await log.transact { _, drafts throws(Fault) in
                            drafts.append(message("b", in: group(Int64(index % 5 + 1))))
                        }
                    }
                }
            }
            let announced = try await fixture.committed
            for id in Int64(1)...5 {
                let seqs = announced.filter { $0.conversation == group(id) }.map(\.seq)
                #expect(seqs.sorted() == Array(1...20))
            }
        }
    }

    @Test(arguments: LogEngine.alone)
    func `What was refused or repeated is not announced`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            _ = try await fixture.log.append(message("one", id: "k"))
            _ = try? await fixture.log.append(message("two", id: "k"))
            _ = try? await fixture.log.append(amendment(.edit, of: 9))
            #expect(try await fixture.committed.map(\.seq) == [1])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A batch larger than one transaction is stored whole`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let lane = CollectingLane()
            fixture.log.submit(lane.requests((0..<20_000).map { message("\($0)", id: "\($0)") }))
            await lane.wait(20_000)
            #expect(lane.receipts.map(\.seq) == Array(1...20_000))
            #expect(lane.requests.map(\.token) == Array(0..<20_000))
            #expect(try await fixture.committed.map(\.seq) == Array(1...20_000))
        }
    }

    @Test(arguments: LogEngine.all)
    func `An event is read as it was written`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let text = #"{"text":"\u0000 \"quoted\" 漢字 😀"}"#
            let draft = Draft(
                conversation: direct, sender: bob, senderName: "Bob", kind: .custom, clientId: "c-1",
                body: Array(text.utf8))
            let receipt = try await fixture.log.append(draft)
            let page = try await fixture.all(direct)
            let event = try #require(page.events.first)
            #expect(event.conversation == direct)
            #expect(event.seq == receipt.seq)
            #expect(event.ordinal == receipt.ordinal)
            #expect(event.time == fixture.clock.now)
            #expect(event.sender == bob)
            #expect(event.kind == .custom)
            #expect(event.clientId == "c-1")
            #expect(event.body == draft.body)
        }
    }

    @Test(arguments: LogEngine.durable)
    func `Sequences, ordinals and times go on after reopening`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let first = try await fixture.log.append(message("one"))
            fixture.clock.advance(.seconds(-60))
            try await fixture.reopen()
            let second = try await fixture.log.append(message("two"))
            #expect(second.seq == 2)
            #expect(second.ordinal > first.ordinal)
            #expect(second.time >= first.time)
        }
    }
}
