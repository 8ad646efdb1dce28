import MartletCore
import MartletSQL

/// How far a move has come: the table `moving_state` of the database that is moved into. A batch and its mark are
/// stored in one transaction, so that what the table says is true whatever happens to the mover.
enum MovingState {
    /// How far one table has come.
    struct Mark: Sendable {
        /// The key's values of the last row; nil before the first.
        var key: [SQLValue]?
        var count: Int64 = 0
        var isDone = false
    }

    /// What a database that is to be moved into holds.
    enum Found: Sendable {
        case nothing
        /// A move of the same source that was not finished.
        case unfinished
        case finished
    }

    static let creation: SQL = """
        CREATE TABLE IF NOT EXISTS moving_state (
            step TEXT PRIMARY KEY, key_1 TEXT, key_2 TEXT, key_3 TEXT, count BIGINT NOT NULL DEFAULT 0,
            is_done SMALLINT NOT NULL DEFAULT 0)
        """

    /// The row that says what is moved, and whether all of it is.
    static let whole = "whole"

    // MARK: Looking

    /// Throws what keeps a database from being moved into: anything that is no unfinished move of `source`.
    static func examine(
        _ connection: any SQLConnection, for source: MovingIdentity
    ) throws(OperatorFailure) -> Found {
        do throws(Fault) {
            let tables = try tables(connection)
            guard tables.contains("moving_state"),
                let row = try connection.row("SELECT key_1, key_2, is_done FROM moving_state WHERE step = \(whole)")
            else {
                try requireEmpty(tables, connection)
                return .nothing
            }
            guard try row.text("key_1") == source.origin else {
                throw refusal("the database to move into holds what was moved from another one")
            }
            if try row.flag("is_done") { return .finished }
            guard try row.text("key_2") == source.content else {
                throw refusal(
                    "what is moved has changed since its move began; empty the database to move into, and begin anew"
                )
            }
            return .unfinished
        } catch {
            throw error.reason == .limitReached
                ? OperatorFailure(.cannotCreate, error.message) : OperatorFailure(error)
        }
    }

    private static func refusal(_ message: String) -> Fault { Fault(.limitReached, message) }

    /// Tables where unqualified names are looked up, without partitions.
    private static func tables(_ connection: any SQLConnection) throws(Fault) -> Set<String> {
        let rows = try connection.rows(
            """
            SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            """)
        var tables: Set<String> = []
        for row in rows { tables.insert(try row.text("name")) }
        return tables
    }

    private static func requireEmpty(_ tables: Set<String>, _ connection: any SQLConnection) throws(Fault) {
        let own = Set(MovingPlan.features + MovingPlan.log.map(\.target)).union(MovingPlan.left)
        let foreign = tables.subtracting(own).subtracting(["moving_state"]).sorted()
        guard foreign.isEmpty else {
            throw refusal(
                "the database to move into holds tables of something else: \(foreign.joined(separator: ", "))")
        }
        for table in own.subtracting(MovingPlan.left).intersection(tables).sorted() {
            guard try connection.rows(SQL(stringLiteral: "SELECT 1 AS one FROM \(table) LIMIT 1")).isEmpty else {
                throw refusal("the database to move into is not empty: it has rows in \(table)")
            }
        }
    }

    /// Connections of nodes, which would write in between. They are told by the names that they give themselves.
    static func nodes(_ connection: any SQLConnection) throws(Fault) -> Int64 {
        try connection.integer(
            """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND application_name LIKE 'martlet%' AND application_name <> \(MovingTarget.name)
                AND application_name NOT LIKE \(MovingTarget.name + " %")
            """) ?? 0
    }

    /// Throws `unavailable` where a database holds a move that is not finished. For a node, before it serves from
    /// there.
    static func requireWhole(_ connection: any SQLConnection) throws(Fault) {
        guard try connection.integer("SELECT count(*) FROM pg_class WHERE oid = to_regclass('moving_state')") != 0,
            try connection.integer("SELECT count(*) FROM moving_state WHERE step = \(whole) AND is_done = 0") != 0
        else { return }
        throw Fault(
            .unavailable,
            "the database holds an unfinished move: finish it with martlet migrate --from, or empty the database"
        )
    }

    // MARK: Marks

    static func marks(_ connection: any SQLConnection) throws(Fault) -> [String: SQLRow] {
        var marks: [String: SQLRow] = [:]
        for row in try connection.rows("SELECT step, key_1, key_2, key_3, count, is_done FROM moving_state") {
            marks[try row.text("step")] = row
        }
        return marks
    }

    /// A table's mark as it was stored.
    static func mark(_ row: SQLRow, of table: MovingTable) throws(Fault) -> Mark {
        var key: [SQLValue] = []
        for (place, column) in table.key.enumerated() {
            guard let text = try row.optionalText("key_\(place + 1)") else { break }
            if table.columns[column].kind == .integer {
                guard let number = Int64(text) else { throw Fault(.internalError, "the move's marks are damaged") }
                key.append(.integer(number))
            } else {
                key.append(.text(text))
            }
        }
        return Mark(
            key: key.count == table.key.count ? key : nil, count: try row.integer("count"),
            isDone: try row.flag("is_done"))
    }

    /// Stores a table's mark.
    static func setting(_ mark: Mark, of table: MovingTable) -> PostgresStatement {
        var key: [PostgresParameter] = (mark.key ?? []).map { value in
            switch value {
            case .integer(let number): .text(String(number))
            case .text(let text): .text(text)
            default: .null
            }
        }
        while key.count < 3 { key.append(.null) }
        return PostgresStatement(
            text: """
                INSERT INTO moving_state (step, key_1, key_2, key_3, count, is_done) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (step) DO UPDATE SET key_1 = excluded.key_1, key_2 = excluded.key_2, key_3 = excluded.key_3,
                    count = excluded.count, is_done = excluded.is_done
                """,
            [.text(table.name)] + key + [.integer(mark.count), .integer(mark.isDone ? 1 : 0)])
    }
}
