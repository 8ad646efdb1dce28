import MartletCore
import MartletLog
import Testing

/// A retry is not a second message.
@Suite struct EventLogRetryTests {
    @Test(arguments: LogEngine.all)
    func `The same send gets the same receipt`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let first = try await fixture.log.append(message("one", id: "k"))
            fixture.clock.advance(.seconds(5))
            let again = try await fixture.log.append(message("one", id: "k"))
            #expect(again == Receipt(seq: first.seq, ordinal: first.ordinal, time: first.time, isRepeat: true))
            #expect(!first.isRepeat)
            #expect(try await fixture.seqs(direct) == [1])
        }
    }

    @Test(arguments: LogEngine.durable)
    func `The same send gets the same receipt after reopening`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let first = try await fixture.log.append(message("one", id: "k"))
            try await fixture.reopen()
            let again = try await fixture.log.append(message("one", id: "k"))
            #expect((again.seq, again.ordinal, again.isRepeat) == (first.seq, first.ordinal, true))
        }
    }

    @Test(arguments: LogEngine.all)
    func `Another payload under the same key is refused`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            await refused(.clientIdReused) { try await fixture.log.append(message("two", id: "k")) }
            await refused(.clientIdReused) { try await fixture.log.append(message("one", id: "k", kind: .custom)) }
            #expect(try await fixture.all(direct).events.map(\.body) == [body("one")])
        }
    }

    @Test(arguments: LogEngine.all)
    func `White space between tokens does not make another payload, within strings it does`(
        _ engine: LogEngine
    ) async throws {
        try await LogFixture.run(engine) { fixture throws in
            func send(_ json: String) async throws -> Receipt {
                try await fixture.log.append(
                    Draft(
                        conversation: direct, sender: alice, senderName: "", kind: .text, clientId: "k",
                        body: Array(json.utf8)))
            }
            _ = try await send(#"{"text":"a \" b","n":1}"#)
            #expect(try await send("{ \"text\" :\n\t\"a \\\" b\",\r\"n\": 1 }").isRepeat)
            await refused(.clientIdReused) { try await send(#"{"text":"a \"  b","n":1}"#) }
        }
    }

    @Test(arguments: LogEngine.all)
    func `A key belongs to its sender and conversation`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let receipts = [
                try await fixture.log.append(message("one", id: "k")),
                try await fixture.log.append(message("two", from: bob, id: "k")),
                try await fixture.log.append(message("three", in: group(1), id: "k")),
            ]
            #expect(receipts.map(\.seq) == [1, 2, 1])
            #expect(receipts.allSatisfy { !$0.isRepeat })
        }
    }

    @Test(arguments: LogEngine.all)
    func `A retry beside its send in one batch is one`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let lane = CollectingLane()
            fixture.log.submit(
                lane.requests([
                    message("one", id: "k"), message("one", id: "k"), message("other", id: "k"),
                    message("two", id: "l"),
                ]))
            await lane.wait(4)
            #expect(lane.receipts.map(\.seq) == [1, 1, 2])
            #expect(lane.receipts.map(\.isRepeat) == [false, true, false])
            #expect(lane.faults.map(\.reason) == [.clientIdReused])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A repeat within a transaction adds nothing`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            try await fixture.log.transact { _, drafts throws(Fault) in
                drafts = [message("one", id: "k"), message("two", id: "l")]
            }
            #expect(try await fixture.seqs(direct) == [1, 2])
            #expect(try await fixture.committed.map(\.seq) == [1, 2])
        }
    }

    @Test(arguments: LogEngine.durable)
    func `A retry is known for the whole window and forgotten after two`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let window = Duration.seconds(24 * 3600)
            // Just before the generation changes: the worst case for the window.
            _ = try await fixture.log.append(message("opens the generation"))
            fixture.clock.advance(window - .seconds(1))
            let first = try await fixture.log.append(message("one", id: "k"))
            fixture.clock.advance(.seconds(2))
            _ = try await fixture.log.append(message("changes the generation"))
            fixture.clock.advance(window - .seconds(3))
            try await fixture.reopen()
            let again = try await fixture.log.append(message("one", id: "k"))
            #expect((again.seq, again.isRepeat) == (first.seq, true))

            fixture.clock.advance(window)
            _ = try await fixture.log.append(message("changes the generation again"))
            let late = try await fixture.log.append(message("one", id: "k"))
            #expect((late.seq, late.isRepeat) == (5, false))
        }
    }

    @Test(arguments: LogEngine.all)
    func `An empty key has no record`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let receipts = [
                try await fixture.log.append(message("one", id: "")),
                try await fixture.log.append(message("one", id: "")),
                try await fixture.log.append(message("two", id: "")),
            ]
            #expect(receipts.map(\.seq) == [1, 2, 3])
            #expect(receipts.allSatisfy { !$0.isRepeat })
            #expect(try await fixture.all(direct).events.map(\.clientId) == ["", "", ""])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A retried amendment is the same amendment`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            _ = try await fixture.log.append(message("two"))
            let first = try await fixture.log.append(amendment(.recall, of: 1, id: "k"))
            let again = try await fixture.log.append(amendment(.recall, of: 1, id: "k"))
            #expect((again.seq, again.isRepeat) == (first.seq, true))
            await refused(.clientIdReused) { try await fixture.log.append(amendment(.recall, of: 2, id: "k")) }
        }
    }
}
