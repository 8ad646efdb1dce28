import MartletCore
import MartletLog
import Testing

/// Ranges, bounds, newest messages and unread counts.
@Suite struct EventLogReadingTests {
    private func fill(_ fixture: LogFixture, _ count: Int, in conversation: ConversationID = direct) async {
        let lane = CollectingLane()
        fixture.log.submit(lane.requests((1...count).map { message("\($0)", in: conversation) }))
        await lane.wait(count)
    }

    @Test(arguments: LogEngine.all)
    func `A page is counted from the end that was asked for, and ascends`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            await fill(fixture, 20)
            func seqs(_ range: ClosedRange<Int64>, _ limit: Int, newest: Bool) async throws -> [Int64] {
                try await fixture.log.read(direct, range, limit: limit, newest: newest).events.map(\.seq)
            }
            #expect(try await seqs(1...Int64.max, 3, newest: false) == [1, 2, 3])
            #expect(try await seqs(1...Int64.max, 3, newest: true) == [18, 19, 20])
            #expect(try await seqs(5...9, 100, newest: false) == [5, 6, 7, 8, 9])
            #expect(try await seqs(5...9, 2, newest: true) == [8, 9])
            #expect(try await seqs(0...2, 100, newest: false) == [1, 2])
            #expect(try await seqs(21...30, 100, newest: false) == [])
            #expect(try await seqs(7...7, 1, newest: true) == [7])
            #expect(try await fixture.log.read(direct, 21...30, limit: 1, newest: false).bounds.last == 20)
        }
    }

    @Test(arguments: LogEngine.all)
    func `A conversation without events is empty`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let page = try await fixture.all(direct)
            #expect(page.events.isEmpty)
            #expect(page.bounds == .empty)
            #expect(try await fixture.log.bounds([direct]) == [:])
            #expect(try await fixture.log.lastMessages([direct]).isEmpty)
            #expect(try await fixture.log.unread([direct: 0], for: alice)[direct] ?? 0 == 0)
        }
    }

    @Test(arguments: LogEngine.all)
    func `Bounds of many conversations come at once`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            let lane = CollectingLane()
            let groups = (Int64(1)...1200).map(group)
            fixture.log.submit(lane.requests(groups.map { message("one", in: $0) }))
            await lane.wait(1200)
            fixture.clock.advance(.seconds(9))
            _ = try await fixture.log.append(message("two", in: group(77)))
            let bounds = try await fixture.log.bounds(groups + [direct])
            #expect(bounds.count == 1200)
            #expect(bounds[group(77)] == LogBounds(first: 1, last: 2, lastTime: fixture.clock.now))
            #expect(bounds[group(78)] == LogBounds(first: 1, last: 1, lastTime: fixture.clock.now - .seconds(9)))
            #expect(try await fixture.log.bounds([]) == [:])
        }
    }

    @Test(arguments: LogEngine.all)
    func `The last message is the newest that a person reads`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one"))
            _ = try await fixture.log.append(message("two"))
            _ = try await fixture.log.append(amendment(.react, of: 1))
            _ = try await fixture.log.append(message("created", in: group(1), kind: .membership))
            let last = try await fixture.log.lastMessages([direct, group(1), group(2)])
            #expect(last.count == 1)
            #expect(last[direct]?.seq == 2)
            #expect(last[direct]?.body == body("two"))
        }
    }

    @Test(arguments: LogEngine.all)
    func `Unread are messages of others behind the cursor that still have a content`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("1", from: bob))
            _ = try await fixture.log.append(message("2", from: alice))
            _ = try await fixture.log.append(message("3", from: bob))
            _ = try await fixture.log.append(message("4", from: bob))
            _ = try await fixture.log.append(amendment(.react, of: 2, from: bob))
            _ = try await fixture.log.append(amendment(.recall, of: 4, from: bob))
            _ = try await fixture.log.append(message("7", from: bob, kind: .membership))
            func unread(_ cursor: Int64, _ user: UserID) async throws -> Int? {
                try await fixture.log.unread([direct: cursor], for: user)[direct]
            }
            #expect(try await unread(0, alice) == 2)
            #expect(try await unread(1, alice) == 1)
            #expect(try await unread(3, alice) == 0)
            #expect(try await unread(0, bob) == 1)
            #expect(try await unread(99, bob) == 0)
        }
    }

    @Test(arguments: LogEngine.all)
    func `Counting unread messages stops`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            await fill(fixture, Limits.unreadCount + 5)
            await fill(fixture, 7, in: group(1))
            let unread = try await fixture.log.unread([direct: 0, group(1): 2, group(2): 0], for: bob)
            #expect(unread[direct] == Limits.unreadCount)
            #expect(unread[group(1)] == 5)
            #expect(unread[group(2)] ?? 0 == 0)
            #expect(try await fixture.log.unread([direct: 10], for: bob)[direct] == 995)
        }
    }

    // MARK: Trimming

    @Test(arguments: LogEngine.all)
    func `Trimming moves the beginning and leaves the rest`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            await fill(fixture, 10)
            _ = try await fixture.log.append(amendment(.react, of: 2))
            _ = try await fixture.log.append(amendment(.react, of: 9))
            #expect(try await fixture.log.trim(direct, before: 5) == 4)
            #expect(try await fixture.log.trim(direct, before: 5) == 0)
            let page = try await fixture.all(direct)
            #expect(page.events.map(\.seq) == Array(5...12))
            #expect(page.amendments.map(\.target) == [9])
            #expect(page.bounds.first == 5)
            #expect(page.bounds.last == 12)
            await refused(.unknownMessage) { try await fixture.log.append(amendment(.edit, of: 2)) }
            #expect(try await fixture.log.append(message("next")).seq == 13)
            #expect(try await fixture.log.trim(group(9), before: 5) == 0)
        }
    }

    @Test(arguments: LogEngine.durable)
    func `The newest event is never trimmed, so that numbers go on`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            await fill(fixture, 10)
            #expect(try await fixture.log.trim(direct, before: 1000) == 9)
            #expect(try await fixture.seqs(direct) == [10])
            try await fixture.reopen()
            #expect(try await fixture.log.append(message("next")).seq == 11)
            #expect(try await fixture.log.bounds([direct])[direct]?.first == 10)
        }
    }

    @Test(arguments: LogEngine.all)
    func `A long history is trimmed piece by piece`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            await fill(fixture, 12_000)
            var removed: [Int] = []
            repeat {
                removed.append(try await fixture.log.trim(direct, before: 11_000))
            } while removed.last != 0
            #expect(removed.reduce(0, +) == 10_999)
            #expect(removed.count > 2)
            #expect(try await fixture.log.bounds([direct])[direct]?.first == 11_000)
        }
    }

    @Test(arguments: LogEngine.all)
    func `A retry of what was trimmed is still a retry`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            _ = try await fixture.log.append(message("one", id: "k"))
            await fill(fixture, 5)
            _ = try await fixture.log.trim(direct, before: 4)
            let again = try await fixture.log.append(message("one", id: "k"))
            #expect((again.seq, again.isRepeat) == (1, true))
        }
    }

    @Test(arguments: LogEngine.all)
    func `Events expire by age, in every conversation`(_ engine: LogEngine) async throws {
        try await LogFixture.run(engine) { fixture throws in
            await fill(fixture, 7000)
            await fill(fixture, 3, in: group(1))
            await fill(fixture, 2, in: group(2))
            fixture.clock.advance(.seconds(3600))
            await fill(fixture, 4)
            await fill(fixture, 1, in: group(1))
            func expire() async throws -> Int {
                var calls = 0
                while try await fixture.log.expire(before: fixture.clock.now) > 0 { calls += 1 }
                return calls
            }
            #expect(try await expire() > 1)
            #expect(try await fixture.seqs(direct) == [7001, 7002, 7003, 7004])
            #expect(try await fixture.seqs(group(1)) == [4])
            #expect(try await fixture.seqs(group(2)) == [2])
            #expect(try await expire() == 0)

            // What was kept for being the newest goes once it no longer is.
            await fill(fixture, 1, in: group(2))
            fixture.clock.advance(.seconds(3600))
            await fill(fixture, 1)
            #expect(try await expire() > 0)
            #expect(try await fixture.seqs(group(2)) == [3])
            #expect(try await fixture.seqs(direct) == [7005])
        }
    }
}
