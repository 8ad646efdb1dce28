import GRDBSQLite
import MartletCore
import MartletLog
import MartletSQL
import Testing

/// Each breach of the contract, planted behind the log's back.
@Suite struct VerifierTests {
    private static let breaches = [
        Breach("a gap", finds: "sequence: d:1:2", "DELETE FROM log_events WHERE conversation = 1 AND seq = 2"),
        Breach(
            "a lost beginning", finds: "sequence: d:1:2", "DELETE FROM log_events WHERE conversation = 1 AND seq = 1"),
        Breach(
            "a beginning that was trimmed and is there", finds: "sequence: d:1:2",
            "UPDATE log_conversations SET first_seq = 2 WHERE id = 1"),
        Breach(
            "a trimmed conversation without events", finds: "sequence: g:2",
            "INSERT INTO log_conversations (id, name, first_seq) VALUES (9, 'g:2', 5)"),
        Breach(
            "a number used twice", finds: "sequence: d:1:2",
            "UPDATE log_events SET seq = 2 WHERE conversation = 1 AND seq = 3"),
        Breach(
            "ordinals against the order", finds: "ordinal: d:1:2",
            "UPDATE log_events SET ordinal = 1000 WHERE conversation = 1 AND seq = 2"),
        Breach(
            "an event that the index lost", finds: "index: event",
            "DELETE FROM log_index WHERE conversation = 1 AND seq = 2"),
        Breach(
            "an index of nothing", finds: "index: event 777", "INSERT INTO log_index VALUES (1, 50, 777, 1, 1, 0)"),
        Breach(
            "another sender in the index", finds: "index: event", "UPDATE log_index SET sender = 5 WHERE seq = 1"),
        Breach(
            "a recalled message that counts as unread", finds: "index: event",
            "UPDATE log_index SET erased = 0 WHERE erased = 1"),
        Breach(
            "a send stored twice", finds: "repeated: d:1:2",
            "UPDATE log_events SET client_id = (SELECT client_id FROM log_events WHERE seq = 1 AND conversation = 1) "
                + "WHERE conversation = 1 AND seq = 2"),
        Breach(
            "an event of no conversation", finds: "orphan event",
            "INSERT INTO log_events VALUES (2000, 99, 1, 1, 1, 0, '', x'7b7d')"),
        Breach(
            "a retry record of another event", finds: "retry: client id",
            "UPDATE log_retries_0 SET ordinal = ordinal + 1 WHERE seq = 1 AND conversation = 1"),
        Breach(
            "a retry record of nothing", finds: "retry: client id",
            "INSERT INTO log_retries_1 VALUES ('x', 1, 1, 77, 77, 0, 0)"),
        Breach(
            "an amendment of nothing", finds: "amendment: d:1:2",
            "UPDATE log_amendments SET target = 99 WHERE conversation = 1"),
        Breach(
            "an amendment without its event", finds: "amendment: d:1:2",
            "UPDATE log_amendments SET seq = 99 WHERE conversation = 1 AND kind = 32"),
        Breach(
            "a recalled content", finds: "recall: d:1:2",
            "UPDATE log_events SET body = x'7b7d' WHERE body IS NULL AND kind = 1"),
        Breach(
            "a recalled edit's content", finds: "recall: d:1:2",
            "UPDATE log_events SET body = x'7b7d' WHERE body IS NULL AND kind = 32"),
        Breach(
            "a read cursor past the end", finds: "cursor: d:1:2 was read by user 1 up to 99",
            "UPDATE participants SET read_seq = 99 WHERE user_id = 1"),
        Breach(
            "a delivered cursor past the end", finds: "cursor: d:1:2 was read by user 2 up to 50",
            "UPDATE participants SET delivered_seq = 50 WHERE user_id = 2"),
        Breach(
            "a cursor in a conversation without events", finds: "cursor: g:5",
            "INSERT INTO participants (user_id, conversation, read_seq, created_at) VALUES (1, 'g:5', 1, 0)"),
        Breach(
            "a dissolved group's member", finds: "orphan member: user 1 is a member of group 1",
            "UPDATE chat_groups SET dissolved_at = 1"),
        Breach("a group without its owner", finds: "owner: group 1", "UPDATE group_members SET role = 'member'"),
        Breach(
            "a group with two owners' rows", finds: "owner: group 1",
            "UPDATE chat_groups SET owner = 2"),
        Breach(
            "a participant who does not exist", finds: "orphan participant: user 2 of d:1:2",
            "DELETE FROM users WHERE id = 2"),
        Breach("a friendship of one side", finds: "friendship: user 1", "DELETE FROM friends WHERE user_id = 2"),
    ]

    @Test func `A good database is clean and counted`() async throws {
        try await LogFixture.runOnFile { fixture, _ throws in
            try await fixture.fill()
            let report = try await Verifier(database: fixture.database).run()
            #expect(report.problems == [])
            #expect(report.isClean)
            let counts = Dictionary(uniqueKeysWithValues: report.counts.map { ($0.name, $0.count) })
            #expect(counts == ["users": 2, "log_conversations": 3, "log_events": 8, "participants": 2])
        }
    }

    @Test func `An empty database is clean`() async throws {
        try await LogFixture.runOnFile { fixture, _ throws in
            let report = try await Verifier(database: fixture.database).run()
            #expect(report.problems == [])
        }
    }

    @Test(arguments: breaches)
    func `A breach is found`(_ breach: Breach) async throws {
        try await LogFixture.runOnFile { fixture, path throws in
            try await fixture.fill()
            try plant(breach.statements, path)
            let report = try await Verifier(database: fixture.database).run()
            #expect(!report.isClean)
            let found = report.problems.filter { $0.hasPrefix(breach.finds) }
            #expect(!found.isEmpty, "\(report.problems)")
        }
    }

    @Test func `A flood of breaches is cut short`() async throws {
        try await LogFixture.runOnFile { fixture, path throws in
            try await fixture.fill()
            for id in Int64(10)..<40 { _ = try await fixture.log.append(message("one", in: group(id))) }
            try plant(["UPDATE log_events SET seq = 7 WHERE conversation > 3"], path)
            let report = try await Verifier(database: fixture.database).run()
            let problems = report.problems.filter { $0.hasPrefix("sequence") }
            #expect(problems.count == 10)
        }
    }

    /// Runs statements on a connection of its own, which does not enforce foreign keys.
    private func plant(_ statements: [String], _ path: String) throws {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        try #require(sqlite3_open(path, &connection) == SQLITE_OK)
        sqlite3_busy_timeout(connection, 5000)
        for statement in statements {
            let code = sqlite3_exec(connection, statement, nil, nil, nil)
            #expect(code == SQLITE_OK, "\(String(cString: sqlite3_errmsg(connection)))")
        }
    }
}
