import MartletCore
import MartletLog
import MartletSQL

/// One table on its way: what is read of it in SQLite, in which order, and where it goes in PostgreSQL.
struct MovingTable: Sendable {
    struct Column: Sendable {
        enum Kind: Sendable { case integer, text, bytes }

        /// Its name in PostgreSQL.
        let name: String
        let kind: Kind
        /// What is read for it in SQLite.
        let expression: String

        init(_ name: String, _ kind: Kind, _ expression: String? = nil) {
            self.name = name
            self.kind = kind
            self.expression = expression ?? name
        }
    }

    /// Which of the log's partitions a row belongs to.
    enum Partition: Sendable { case none, events, retries }

    /// Its name in SQLite, by which the move's progress is noted.
    let name: String
    /// Its name in PostgreSQL.
    let target: String
    /// What stands behind FROM in SQLite.
    let source: String
    let columns: [Column]
    /// Indexes in `columns` of a unique key, in whose order rows are read.
    let key: [Int]
    let partition: Partition

    init(
        _ name: String, target: String? = nil, from source: String? = nil, _ columns: [Column], key: [Int],
        partition: Partition = .none
    ) {
        self.name = name
        self.target = target ?? name
        self.source = source ?? name
        self.columns = columns
        self.key = key
        self.partition = partition
    }

    // MARK: Statements

    /// Reads the next rows in SQLite: those behind `mark`, the key's values of the last one that was read.
    func page(after mark: [SQLValue]?, limit: Int) -> SQL {
        let order = key.map { columns[$0].expression }.joined(separator: ", ")
        let end: SQL = "\(SQL(stringLiteral: "ORDER BY \(order)")) LIMIT \(limit)"
        guard let mark else { return "\(SQL(stringLiteral: selection)) \(end)" }
        return "\(SQL(stringLiteral: "\(selection) WHERE (\(order)) >")) (\(list: mark)) \(end)"
    }

    /// The key's values of a row.
    func mark(of row: SQLRow) throws(Fault) -> [SQLValue] {
        var mark: [SQLValue] = []
        for index in key { mark.append(try row.value(columns[index].name)) }
        return mark
    }

    private var selection: String {
        "SELECT \(columns.map { "\($0.expression) AS \($0.name)" }.joined(separator: ", ")) FROM \(source)"
    }

    /// Reads all of its rows in PostgreSQL.
    var stored: String { "SELECT \(columns.map(\.name).joined(separator: ", ")) FROM \(target)" }

    /// Stores rows in PostgreSQL, given column by column.
    ///
    /// - Parameter period: of the log's partitions.
    func insertion(period: Int64) -> String {
        let names = columns.map(\.name).joined(separator: ", ")
        let arrays = columns.enumerated().map { "$\($0.offset + 1)::\($0.element.kind.arrayType)" }
        let rows = "FROM unnest(\(arrays.joined(separator: ", "))) AS r (\(names))"
        // The log's keys stay as they are.
        let opening = "INSERT INTO \(target)"
        switch partition {
        case .none where target == "log_conversations":
            return "\(opening) (\(names)) OVERRIDING SYSTEM VALUE SELECT \(names) \(rows)"
        case .none: return "\(opening) (\(names)) SELECT \(names) \(rows)"
        case .events: return "\(opening) (part, \(names)) SELECT 1 + greatest(time, 0) / \(period), \(names) \(rows)"
        case .retries:
            let day = PostgresLogParts.retryPeriod
            return "\(opening) (part, \(names)) SELECT 1 + greatest(time, 0) / \(day), \(names) \(rows)"
        }
    }
}

extension MovingTable.Column.Kind {
    fileprivate var arrayType: String {
        switch self {
        case .integer: "bigint[]"
        case .text: "text[]"
        case .bytes: "bytea[]"
        }
    }

    /// By the type that a table was declared with.
    init?(declared type: String) {
        switch type {
        case "BIGINT", "INTEGER", "SMALLINT": self = .integer
        case "TEXT": self = .text
        case "BLOB": self = .bytes
        default: return nil
        }
    }
}
