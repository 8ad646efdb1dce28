import MartletCore
import MartletSQL

/// Which tables are moved, and in which order.
enum MovingPlan {
    /// The same on both engines. What others refer to comes first.
    static let features = [
        "counters", "users", "token_families", "refresh_tokens", "revocations", "friend_requests", "friends", "blocks",
        "chat_groups", "group_members", "group_requests", "group_invitations", "participants",
        "api_keys", "device_cursors", "posted_messages",
    ]

    /// The log's, which PostgreSQL keeps in another way.
    static let log = [conversations, events, amendments, retries("log_retries_0"), retries("log_retries_1")]

    /// What PostgreSQL has of its own, or makes of the rest.
    static let left: Set<String> = ["schema_migrations", "schema_floor", "log_index", "log_state"]

    /// All tables of SQLite that the move knows what to do with.
    static let known = Set(features + log.map(\.name)).union(left)

    /// Tables in the order in which they are moved. Throws where the source has a table that the move does not know,
    /// since it would stay behind.
    static func tables(of source: any SQLConnection) throws(Fault) -> [MovingTable] {
        let unknown = try names(source).subtracting(known).sorted()
        guard unknown.isEmpty else {
            throw Fault(
                .unavailable,
                "the database has tables that this program does not know: \(unknown.joined(separator: ", "))")
        }
        var tables: [MovingTable] = []
        for name in features { tables.append(try feature(name, source)) }
        return tables + log
    }

    /// All tables of an SQLite database but its own.
    static func names(_ source: any SQLConnection) throws(Fault) -> Set<String> {
        let rows = try source.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'")
        var names: Set<String> = []
        for row in rows { names.insert(try row.text("name")) }
        return names
    }

    /// How many rows there are to move, nearly: of events as many as there are numbers.
    static func count(_ table: MovingTable, _ source: any SQLConnection) throws(Fault) -> Int64 {
        let count =
            table.partition == .events
            ? "coalesce(max(ordinal) - min(ordinal) + 1, 0)" : "count(*)"
        return try source.integer(SQL(stringLiteral: "SELECT \(count) FROM \(table.name)")) ?? 0
    }

    /// A table as SQLite has it: its columns and its key come from there, so that none is forgotten.
    private static func feature(_ name: String, _ source: any SQLConnection) throws(Fault) -> MovingTable {
        var columns: [MovingTable.Column] = []
        var key: [(place: Int64, index: Int)] = []
        for row in try source.rows("SELECT name, type, pk FROM pragma_table_info(\(name)) ORDER BY cid") {
            guard let kind = MovingTable.Column.Kind(declared: try row.text("type")) else {
                throw Fault(.internalError, "\(name).\(try row.text("name")) can't be moved")
            }
            let place = try row.integer("pk")
            if place > 0 { key.append((place, columns.count)) }
            columns.append(MovingTable.Column(try row.text("name"), kind))
        }
        guard !key.isEmpty else { throw Fault(.internalError, "\(name) can't be moved: it has no key") }
        return MovingTable(name, columns, key: key.sorted { $0.place < $1.place }.map(\.index))
    }

    // MARK: The log

    private static let indexed = "(SELECT value FROM log_state WHERE name = 'indexed_through')"

    /// The newest event of each is found by the index, or behind it.
    private static let conversations = MovingTable(
        "log_conversations",
        from: """
            log_conversations c LEFT JOIN (
                SELECT conversation, max(ordinal) AS ordinal FROM log_events WHERE ordinal > \(indexed)
                GROUP BY conversation
            ) t ON t.conversation = c.id
            LEFT JOIN log_events e ON e.ordinal = coalesce(t.ordinal, (
                SELECT i.ordinal FROM log_index i WHERE i.conversation = c.id ORDER BY i.seq DESC LIMIT 1))
            """,
        [
            .init("id", .integer, "c.id"), .init("name", .text, "c.name"), .init("first_seq", .integer, "c.first_seq"),
            .init("last_seq", .integer, "coalesce(e.seq, 0)"), .init("last_time", .integer, "coalesce(e.time, 0)"),
        ], key: [0])

    private static let events = MovingTable(
        "log_events",
        [
            .init("ordinal", .integer), .init("conversation", .integer), .init("seq", .integer),
            .init("sender", .integer), .init("kind", .integer), .init("time", .integer), .init("client_id", .text),
            .init("body", .bytes),
        ], key: [0], partition: .events)

    /// In PostgreSQL an amendment carries its content along.
    private static let amendments = MovingTable(
        "log_amendments", from: "log_amendments a LEFT JOIN log_events e ON e.ordinal = a.ordinal",
        [
            .init("conversation", .integer, "a.conversation"), .init("target", .integer, "a.target"),
            .init("seq", .integer, "a.seq"), .init("ordinal", .integer, "a.ordinal"),
            .init("kind", .integer, "a.kind"), .init("sender", .integer, "a.sender"), .init("time", .integer, "e.time"),
            .init("body", .bytes, "e.body"),
        ], key: [0, 1, 2])

    private static func retries(_ name: String) -> MovingTable {
        MovingTable(
            name, target: "log_retries",
            [
                .init("client_id", .text), .init("sender", .integer), .init("conversation", .integer),
                .init("seq", .integer), .init("ordinal", .integer), .init("time", .integer), .init("digest", .integer),
            ], key: [0, 1, 2], partition: .retries)
    }
}
