import MartletCore
import MartletLog
import MartletSQL
import Testing

/// The breaches that only PostgreSQL's tables can have, or that look otherwise in them.
@Suite struct PostgresVerifierTests {
    private static let breaches = [
        Breach("a gap", finds: "sequence: d:1:2", "DELETE FROM log_events WHERE conversation = 1 AND seq = 2"),
        Breach(
            "a lost beginning", finds: "sequence: d:1:2", "DELETE FROM log_events WHERE conversation = 1 AND seq = 1"),
        Breach("a lost end", finds: "sequence: d:1:2", "DELETE FROM log_events WHERE conversation = 1 AND seq = 5"),
        Breach(
            "a beginning that was trimmed and is there", finds: "sequence: d:1:2",
            "UPDATE log_conversations SET first_seq = 2 WHERE id = 1"),
        Breach(
            "a trimmed conversation without events", finds: "sequence: g:2",
            "INSERT INTO log_conversations (name, first_seq) VALUES ('g:2', 5)"),
        Breach(
            "a counter behind its events", finds: "sequence: d:1:2",
            "UPDATE log_conversations SET last_seq = 4 WHERE id = 1"),
        Breach(
            "a counter without events", finds: "sequence: g:2",
            "INSERT INTO log_conversations (name, last_seq) VALUES ('g:2', 1)"),
        Breach(
            "a time that is not the newest event's", finds: "sequence: d:1:2",
            "UPDATE log_conversations SET last_time = last_time + 1 WHERE id = 1"),
        Breach(
            "a number used twice", finds: "sequence: d:1:2",
            """
            INSERT INTO log_events SELECT 0, conversation, seq, 1000, time, sender, kind, '', body
            FROM log_events WHERE conversation = 1 AND seq = 2
            """),
        Breach(
            "ordinals against the order", finds: "ordinal: d:1:2",
            "UPDATE log_events SET ordinal = 1000 WHERE conversation = 1 AND seq = 2"),
        Breach(
            "an event in another period", finds: "partition: event",
            "UPDATE log_events SET time = time + 86400000 WHERE conversation = 1 AND seq = 1"),
        Breach(
            "a kept event that is not the first", finds: "partition: event",
            "UPDATE log_events SET part = 0 WHERE conversation = 1 AND seq = 2"),
        Breach(
            "a retry record in another day", finds: "partition: client id",
            "UPDATE log_retries SET time = time + 864000000 WHERE conversation = 1 AND seq = 1"),
        Breach(
            "a send stored twice", finds: "repeated: d:1:2",
            "UPDATE log_events SET client_id = (SELECT client_id FROM log_events WHERE seq = 1 AND conversation = 1) "
                + "WHERE conversation = 1 AND seq = 2"),
        Breach(
            "an event of no conversation", finds: "orphan event",
            #"INSERT INTO log_events VALUES (0, 99, 1, 2000, 1, 1, 1, '', '\x7b7d')"#),
        Breach(
            "a retry record of another event", finds: "retry: client id",
            "UPDATE log_retries SET ordinal = ordinal + 1 WHERE seq = 1 AND conversation = 1"),
        Breach(
            "a retry record of nothing", finds: "retry: client id",
            "INSERT INTO log_retries SELECT max(part), 'x', 1, 1, 77, 77, max(time), 0 FROM log_retries"),
        Breach(
            "an amendment of nothing", finds: "amendment: d:1:2",
            "UPDATE log_amendments SET target = 99 WHERE conversation = 1"),
        Breach(
            "an amendment without its event", finds: "amendment: d:1:2",
            "UPDATE log_amendments SET seq = 99 WHERE conversation = 1 AND kind = 32"),
        Breach(
            "an amendment with another content", finds: "amendment: d:1:2",
            #"UPDATE log_amendments SET body = '\x7b' WHERE conversation = 1 AND kind = 33"#),
        Breach(
            "a recalled content", finds: "recall: d:1:2",
            #"UPDATE log_events SET body = '\x7b7d' WHERE body IS NULL AND kind = 1"#),
        Breach(
            "a recalled edit's content", finds: "recall: d:1:2",
            #"UPDATE log_events SET body = '\x7b7d' WHERE body IS NULL AND kind = 32"#),
        Breach(
            "a delivered cursor past the end", finds: "cursor: d:1:2 was read by user 2 up to 50",
            "UPDATE participants SET delivered_seq = 50 WHERE user_id = 2"),
        Breach(
            "a cursor in a conversation without events", finds: "cursor: g:5",
            "INSERT INTO participants (user_id, conversation, read_seq, created_at) VALUES (1, 'g:5', 1, 0)"),
        Breach("a group without its owner", finds: "owner: group 1", "UPDATE group_members SET role = 'member'"),
        Breach(
            "a participant who does not exist", finds: "orphan participant: user 2 of d:1:2",
            "DELETE FROM users WHERE id = 2"),
        Breach("a friendship of one side", finds: "friendship: user 1", "DELETE FROM friends WHERE user_id = 2"),
    ]

    @Test func `A good database is clean and counted`() async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            try await fixture.fill()
            let report = try await Verifier(database: fixture.database, log: .postgres).run()
            #expect(report.problems == [])
            let counts = Dictionary(uniqueKeysWithValues: report.counts.map { ($0.name, $0.count) })
            #expect(counts == ["users": 2, "log_conversations": 3, "log_events": 8, "participants": 2])
        }
    }

    @Test(arguments: breaches)
    func `A breach is found`(_ breach: Breach) async throws {
        try await LogFixture.run(.postgres) { fixture throws in
            try await fixture.fill()
            try await fixture.database.write { connection throws(Fault) in
                // Foreign keys are not looked at.
                try connection.run("SET LOCAL session_replication_role = 'replica'")
                for statement in breach.statements { try connection.run(SQL(stringLiteral: statement)) }
            }
            let report = try await Verifier(database: fixture.database, log: .postgres).run()
            let found = report.problems.filter { $0.hasPrefix(breach.finds) }
            #expect(!found.isEmpty, "\(report.problems)")
        }
    }
}
