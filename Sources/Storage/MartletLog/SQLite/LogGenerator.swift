import GRDBSQLite
import MartletCore
import MartletSQL

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Fills an empty log with events, to measure how a server does with a long one: messages between two people each, of
/// random conversations in turn, without retry records, the newest of them a little older than the retry window.
///
/// It writes as fast as the disk takes it and without a way back: a database on which it was interrupted is of no use.
/// Nobody else may have the database open.
package struct LogGenerator: Sendable {
    /// Rows in one transaction, and in one part of the index: a conversation's rows go to the index together, as the
    /// log itself has them go.
    private static let part: Int64 = 2_000_000
    /// The time between the first event and the last.
    private static let span = Duration.seconds(365 * 24 * 3600)

    private let path: String
    /// Direct ones; where each event goes is drawn from them by lot.
    private let conversations: [ConversationID]
    private let size: Int
    private let newest: Instant

    /// - Parameters:
    ///   - path: a database with this program's schema and an empty log.
    ///   - size: bytes of a message's text.
    ///   - newest: the time of the last event.
    package init(path: String, conversations: [ConversationID], size: Int, newest: Instant) {
        self.path = path
        self.conversations = conversations
        self.size = size
        self.newest = newest
    }

    /// Writes `count` events. Returns the newest number of each conversation, in their order. `progress` gets how many
    /// events are written, now and then.
    package func run(count: Int64, progress: (Int64) -> Void) throws(Fault) -> [Int64] {
        guard count > 0, !conversations.isEmpty else { return conversations.map { _ in 0 } }
        let connection = try open()
        defer { sqlite3_close_v2(connection) }
        try execute(
            """
            PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            PRAGMA cache_size = -524288; PRAGMA threads = 2
            """, connection)
        try requireEmpty(connection)
        let last = try fill(count, connection, progress)
        try execute("PRAGMA journal_mode = WAL", connection)
        return last
    }

    /// What the system still holds goes to the disk, so that it does not do so while something is measured.
    package func settle() {
        let descriptor = systemOpen(path)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func fill(_ count: Int64, _ connection: OpaquePointer, _ progress: (Int64) -> Void) throws(Fault) -> [Int64]
    {
        let insert = try SQLiteStatement(
            """
            INSERT INTO log_events (ordinal, conversation, seq, sender, kind, time, client_id, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """, connection)
        let index = try SQLiteStatement(
            """
            INSERT INTO log_index (conversation, seq, ordinal, sender, kind)
            SELECT conversation, seq, ordinal, sender, kind FROM log_events WHERE ordinal BETWEEN ?1 AND ?2
            ORDER BY conversation, seq
            """, connection)
        try nameConversations(connection)
        var draws = Draws()
        var text = GeneratedText(size: size)
        var last = conversations.map { _ in Int64(0) }
        let sides = conversations.map(Self.sides)
        let first = newest - Self.span
        let pace = Double(Self.span.milliseconds) / Double(count)
        var ordinal: Int64 = 0
        insert.bind(5, Int64(EventKind.text.rawValue))
        while ordinal < count {
            let start = ordinal + 1
            let end = min(ordinal + Self.part, count)
            try execute("BEGIN", connection)
            while ordinal < end {
                ordinal += 1
                let draw = draws.next()
                let place = Int((draw >> 1) % UInt64(conversations.count))
                last[place] += 1
                let time = first + .milliseconds(Int64(Double(ordinal) * pace))
                insert.bind(1, ordinal)
                insert.bind(2, Int64(place) + 1)
                insert.bind(3, last[place])
                insert.bind(4, draw & 1 == 0 ? sides[place].low : sides[place].high)
                insert.bind(6, time.milliseconds)
                text.fill(ordinal, time)
                try insert.run(text: (7, text.clientId), blob: (8, text.body))
            }
            index.bind(1, start)
            index.bind(2, end)
            try index.run()
            try execute(
                "UPDATE log_state SET value = \(end) WHERE name = 'indexed_through'; COMMIT", connection)
            progress(end)
        }
        return last
    }

    private static func sides(of conversation: ConversationID) -> (low: Int64, high: Int64) {
        guard case .direct(let low, let high) = conversation else { return (0, 0) }
        return (low.value, high.value)
    }

    private func nameConversations(_ connection: OpaquePointer) throws(Fault) {
        let insert = try SQLiteStatement("INSERT INTO log_conversations (id, name) VALUES (?1, ?2)", connection)
        try execute("BEGIN", connection)
        for (place, conversation) in conversations.enumerated() {
            insert.bind(1, Int64(place) + 1)
            try insert.run(text: (2, conversation.text))
        }
        try execute("COMMIT", connection)
    }

    // MARK: The database

    private func open() throws(Fault) -> OpaquePointer {
        var connection: OpaquePointer?
        let code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, nil)
        guard code == SQLITE_OK, let connection else {
            sqlite3_close_v2(connection)
            throw Fault(.unavailable, "the database file can't be opened")
        }
        return connection
    }

    private func requireEmpty(_ connection: OpaquePointer) throws(Fault) {
        for table in ["log_events", "log_conversations"] {
            let any = try SQLiteStatement("SELECT 1 FROM \(table) LIMIT 1", connection)
            defer { any.reset() }
            guard try !any.step() else { throw Fault(.limitReached, "the log is not empty") }
        }
    }

    private func execute(_ sql: String, _ connection: OpaquePointer) throws(Fault) {
        guard sqlite3_exec(connection, sql, nil, nil, nil) == SQLITE_OK else {
            throw Fault(.unavailable, "the database can't be filled: \(String(cString: sqlite3_errmsg(connection)))")
        }
    }
}

/// Numbers that look drawn by lot and are the same each time (xorshift64*).
private struct Draws {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return (state &* 0x2545_F491_4F6C_DD1D) >> 16
    }
}

/// A message's client id and content, rewritten in place for each.
private struct GeneratedText {
    private static let opening = Array(#"{"text":"event "#.utf8)
    private static let digits = 12

    private(set) var body: [UInt8]
    private var id = Array("00000000-0000-7000-8000-000000000000".utf8)

    init(size: Int) {
        let rest = max(0, size - 6 - Self.digits)
        body = Self.opening + Array(repeating: UInt8(ascii: "0"), count: Self.digits)
        body += Array(repeating: UInt8(ascii: "x"), count: rest) + Array(#""}"#.utf8)
    }

    /// A UUIDv7's shape: the time first.
    var clientId: String { String(decoding: id, as: UTF8.self) }

    mutating func fill(_ ordinal: Int64, _ time: Instant) {
        Self.write(UInt64(ordinal), digits: Self.digits, to: &body, at: Self.opening.count)
        Self.write(UInt64(time.milliseconds) >> 16, digits: 8, to: &id, at: 0)
        Self.write(UInt64(time.milliseconds) & 0xFFFF, digits: 4, to: &id, at: 9)
        Self.write(UInt64(ordinal), digits: 12, to: &id, at: 24)
    }

    private static func write(_ value: UInt64, digits: Int, to bytes: inout [UInt8], at offset: Int) {
        var rest = value
        for index in stride(from: offset + digits - 1, through: offset, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            bytes[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest >>= 4
        }
    }
}

private func systemOpen(_ path: String) -> Int32 { open(path, O_RDWR | O_CLOEXEC) }
