import MartletCore
import MartletLog
import MartletSQL
import Testing

/// A breach of the contract, planted behind the log's back.
struct Breach: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let statements: [String]
    /// How the problem begins that it must find.
    let finds: String

    init(_ testDescription: String, finds: String, _ statements: String...) {
        self.testDescription = testDescription
        self.statements = statements
        self.finds = finds
    }
}

extension LogFixture {
    /// Fills a log with a bit of everything.
    func fill() async throws {
        try await database.write { connection throws(Fault) in
            for user in [alice, bob] {
                try connection.run(
                    """
                    INSERT INTO users (id, app, username, username_key, role, created_at)
                    VALUES (\(user), 1, \(String(user.value)), \(String(user.value)), 'user', 0)
                    """)
            }
            try connection.run("INSERT INTO friends (user_id, friend_id, created_at) VALUES (1, 2, 0), (2, 1, 0)")
            try connection.run(
                "INSERT INTO chat_groups (id, app, name, join_mode, owner, created_at) VALUES (1, 1, 'g', 'open', 1, 0)"
            )
            try connection.run(
                "INSERT INTO group_members (group_id, user_id, role, joined_at, from_seq) VALUES (1, 1, 'owner', 0, 1)")
        }
        for index in 1...3 { _ = try await log.append(message("\(index)")) }
        _ = try await log.append(amendment(.edit, of: 3))
        _ = try await log.append(amendment(.recall, of: 3))
        _ = try await log.append(message("in the group", in: group(1)))
        for _ in 1...4 { _ = try await log.append(message("trimmed", in: group(3))) }
        _ = try await log.trim(group(3), before: 3)
        _ = try await database.write { connection throws(Fault) in
            try connection.run(
                """
                INSERT INTO participants (user_id, conversation, read_seq, delivered_seq, created_at)
                VALUES (1, \(direct), 5, 5, 0), (2, \(direct), 2, 3, 0)
                """)
        }
    }
}
