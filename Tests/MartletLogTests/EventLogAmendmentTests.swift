import MartletCore
import MartletLog
import Testing

/// Edits, recalls and reactions.
@Suite struct EventLogAmendmentTests {
    private static let amendments: [EventKind] = [.edit, .recall, .react]

    @Test(arguments: LogEngine.all)
    func `Amendments come with the page of their target, wherever they stand`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            for index in 1...3 { _ = try await fixture.log.append(message("\(index)")) }
            _ = try await fixture.log.append(amendment(.edit, of: 2, body: #"{"text":"new"}"#))
            fixture.clock.advance(.seconds(1))
            _ = try await fixture.log.append(amendment(.react, of: 2, from: bob, body: #"{"emoji":"+"}"#))
            _ = try await fixture.log.append(amendment(.react, of: 3, from: bob))

            let page = try await fixture.log.read(direct, 2...2, limit: 10, newest: false)
            #expect(page.events.map(\.seq) == [2])
            #expect(page.amendments.map(\.seq) == [4, 5])
            #expect(page.amendments.map(\.target) == [2, 2])
            #expect(page.amendments.map(\.kind) == [.edit, .react])
            #expect(page.amendments.map(\.sender) == [alice, bob])
            #expect(page.amendments.map(\.body) == [body("new"), Array(#"{"emoji":"+"}"#.utf8)])
            #expect(page.amendments.last?.time == fixture.clock.now)
            #expect(try await fixture.seqs(direct) == Array(1...6))
        }
    }

    @Test(arguments: LogEngine.all)
    func `A recall erases the content and that of its edits`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("secret"))
            _ = try await fixture.log.append(message("kept"))
            _ = try await fixture.log.append(amendment(.edit, of: 1, body: #"{"text":"secret too"}"#))
            _ = try await fixture.log.append(amendment(.edit, of: 2, body: #"{"text":"kept too"}"#))
            _ = try await fixture.log.append(amendment(.recall, of: 1))
            let page = try await fixture.all(direct)
            #expect(page.events.map(\.body) == [nil, body("kept"), nil, body("kept too"), Array("{}".utf8)])
            #expect(page.amendments.map(\.body) == [nil, body("kept too"), Array("{}".utf8)])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A recalled message is not amended any more`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            _ = try await fixture.log.append(amendment(.recall, of: 1))
            for kind in Self.amendments {
                await refused(.alreadyRecalled) { try await fixture.log.append(amendment(kind, of: 1)) }
            }
            #expect(try await fixture.log.append(message("two")).seq == 3)
        }
    }

    @Test(arguments: LogEngine.all)
    func `An amendment of what is no message is refused`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            _ = try await fixture.log.append(message("other conversation", in: group(1)))
            _ = try await fixture.log.append(message("other conversation", in: group(1)))
            _ = try await fixture.log.append(amendment(.react, of: 1))
            _ = try await fixture.log.append(message("joined", kind: .membership))
            for kind in Self.amendments {
                // Not there, not there yet, an amendment, a change of membership, none at all.
                for target in [0, -1, 4, Int64.max, 2, 3, nil] as [Int64?] {
                    await refused(.unknownMessage) { try await fixture.log.append(amendment(kind, of: target)) }
                }
                await refused(.unknownMessage) { try await fixture.log.append(amendment(kind, of: 1, in: group(9))) }
            }
            #expect(try await fixture.seqs(direct) == [1, 2, 3])
            #expect(try await fixture.log.bounds([group(9)]) == [:])
        }
    }

    @Test(arguments: LogEngine.all)
    func `An amendment may follow its target in one batch`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let lane = CollectingLane()
            fixture.log.submit(
                lane.requests([message("one"), amendment(.edit, of: 1), amendment(.recall, of: 1), message("two")]))
            await lane.wait(4)
            #expect(lane.receipts.map(\.seq) == [1, 2, 3, 4])
            #expect(try await fixture.all(direct).events.map { $0.body == nil } == [true, true, false, false])
        }
    }

    @Test(arguments: LogEngine.all)
    func `A recall that is undone with its transaction erases nothing`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            _ = await reason {
                try await fixture.log.transact { _, drafts throws(Fault) in
                    drafts = [amendment(.recall, of: 1), amendment(.edit, of: 1)]
                }
            }
            let page = try await fixture.all(direct)
            #expect(page.events.map(\.body) == [body("one")])
            #expect(page.amendments.isEmpty)
            #expect(try await fixture.log.append(amendment(.edit, of: 1)).seq == 2)
        }
    }
}
