import MartletCore
import MartletSQL

/// The SQL of `device_cursors`.
struct DeviceCursorStore {
    /// Rows of one statement.
    private static let batch = 200

    let connection: any SQLConnection

    /// Moves cursors forward, never back. Each cursor is named once.
    func advance(_ rows: [ReceivedCursor]) throws(Fault) {
        for start in stride(from: 0, to: rows.count, by: Self.batch) {
            let values = Self.values(rows[start..<min(start + Self.batch, rows.count)])
            try connection.run(
                """
                INSERT INTO device_cursors (user_id, device, conversation, seq) VALUES \(values)
                ON CONFLICT (user_id, device, conversation) DO UPDATE SET seq = excluded.seq
                WHERE device_cursors.seq < excluded.seq
                """)
        }
    }

    private static func values(_ rows: ArraySlice<ReceivedCursor>) -> SQL {
        var values = SQL.StringInterpolation(literalCapacity: 0, interpolationCount: rows.count)
        for row in rows {
            if row != rows.first { values.appendLiteral(", ") }
            values.appendInterpolation("(\(row.user), \(row.device), \(row.conversation), \(row.seq))" as SQL)
        }
        return SQL(stringInterpolation: values)
    }

    /// What was written to a user's device, by conversation.
    func all(of user: UserID, device: String) throws(Fault) -> [ConversationID: Int64] {
        let rows = try connection.rows(
            "SELECT conversation, seq FROM device_cursors WHERE user_id = \(user) AND device = \(device)")
        var cursors: [ConversationID: Int64] = [:]
        for row in rows { cursors[try row.conversation("conversation")] = try row.integer("seq") }
        return cursors
    }
}
