import MartletCore
import MartletLog
import MartletSQL
import Testing

/// A generated log is one that the log itself could have written.
@Suite struct LogGeneratorTests {
    private static let newest = Instant(milliseconds: 1_600_000_000_000)
    private static let pairs = (1..<20).map { ConversationID.direct(user($0), user($0 + 1)) }

    private static func user(_ number: Int) -> UserID { UserID(unchecked: Int64(number)) }

    /// Makes an empty log on a file, closes it, and calls `body` with its path and a way to open it again.
    private func onFile(
        _ body: (String, () async throws -> LogFixture) async throws -> Void
    ) async throws {
        try await LogFixture.runOnFile { fixture, path throws in
            fixture.close()
            try await body(path) {
                try await fixture.reopen()
                return fixture
            }
        }
    }

    private func generator(_ path: String) -> LogGenerator {
        LogGenerator(path: path, conversations: Self.pairs, size: 100, newest: Self.newest)
    }

    @Test func `The verifier finds nothing wrong with it`() async throws {
        try await onFile { path, open throws in
            var progress: [Int64] = []
            let last = try generator(path).run(count: 5000) { progress.append($0) }
            #expect(last.reduce(0, +) == 5000)
            #expect(progress.last == 5000)
            let fixture = try await open()
            let report = try await Verifier(database: fixture.database).run()
            #expect(report.problems == [])
            #expect(report.counts.first { $0.name == "log_events" }?.count == 5000)
        }
    }

    @Test func `Its messages are read, and the log goes on behind them`() async throws {
        try await onFile { path, open throws in
            let last = try generator(path).run(count: 1000) { _ in }
            let fixture = try await open()
            let page = try await fixture.all(direct)
            #expect(page.events.map(\.seq) == Array(1...last[0]))
            #expect(page.bounds.last == last[0])
            let event = try #require(page.events.first)
            #expect([alice, bob].contains(event.sender))
            #expect(event.kind == .text)
            #expect(event.clientId.utf8.count == 36)
            #expect(String(decoding: event.body ?? [], as: UTF8.self).hasPrefix(#"{"text":"event 0"#))
            #expect(event.body?.count == #"{"text":""}"#.utf8.count + 100)
            #expect(page.events.allSatisfy { $0.time <= Self.newest })

            let receipt = try await fixture.log.append(message("next"))
            #expect((receipt.seq, receipt.ordinal) == (last[0] + 1, 1001))
            let report = try await Verifier(database: fixture.database).run()
            #expect(report.problems == [])
        }
    }

    @Test func `A log that holds something is left alone`() async throws {
        try await LogFixture.runOnFile { fixture, path throws in
            _ = try await fixture.log.append(message("mine"))
            fixture.close()
            let reason = await reason { try generator(path).run(count: 10) { _ in } }
            #expect(reason == .limitReached)
            try await fixture.reopen()
            #expect(try await fixture.seqs(direct) == [1])
        }
    }

    @Test func `A database that somebody has open is left alone`() async throws {
        try await LogFixture.runOnFile { fixture, path throws in
            _ = try await fixture.seqs(direct)
            let reason = await reason { try generator(path).run(count: 10) { _ in } }
            #expect(reason == .unavailable)
            #expect(try await fixture.seqs(direct) == [])
        }
    }
}
