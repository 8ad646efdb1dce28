import GRDBSQLite
import MartletCore
import MartletSQL

/// A prepared statement on SQLite's own interface: what an append needs, without a value in between. Belongs to the
/// writer's thread.
final class SQLiteStatement {
    private let statement: OpaquePointer
    private let connection: OpaquePointer

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    init(_ sql: String, _ connection: OpaquePointer) throws(Fault) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw Self.fault(code, connection) }
        statement = prepared
        self.connection = connection
    }

    deinit { sqlite3_finalize(statement) }

    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(statement, index, value) }

    func bindNull(_ index: Int32) { sqlite3_bind_null(statement, index) }

    /// Runs the statement with `text` and `blob` bound for as long as it takes, without a copy. Returns true where
    /// there is a row.
    func step(text: (Int32, String)? = nil, blob: (Int32, [UInt8])? = nil) throws(Fault) -> Bool {
        let code: Int32
        if var text {
            code = text.1.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { characters in
                    _ = sqlite3_bind_text(statement, text.0, characters.baseAddress, Int32(characters.count), nil)
                }
                return step(blob)
            }
        } else {
            code = step(blob)
        }
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let fault = Self.fault(code, connection)
            reset()
            throw fault
        }
    }

    private func step(_ blob: (Int32, [UInt8])?) -> Int32 {
        guard let blob else { return sqlite3_step(statement) }
        return blob.1.withUnsafeBytes { bytes in
            // No bytes have no address, which would bind NULL: a body that was recalled.
            if bytes.isEmpty {
                sqlite3_bind_zeroblob(statement, blob.0, 0)
            } else {
                sqlite3_bind_blob(statement, blob.0, bytes.baseAddress, Int32(bytes.count), nil)
            }
            return sqlite3_step(statement)
        }
    }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    /// Must follow every run, before the next.
    func reset() { sqlite3_reset(statement) }

    /// Runs a statement that returns no rows.
    func run(text: (Int32, String)? = nil, blob: (Int32, [UInt8])? = nil) throws(Fault) {
        _ = try step(text: text, blob: blob)
        reset()
    }

    /// Rows that the statement changed, which was the last one to run on its connection.
    var changes: Int32 { sqlite3_changes(connection) }

    private static func fault(_ code: Int32, _ connection: OpaquePointer) -> Fault {
        let failure = Failure(description: "SQLite \(code): \(String(cString: sqlite3_errmsg(connection)))")
        switch code & 0xFF {
        case SQLITE_FULL: return Fault(.unavailable, "the disk is full", retryAfter: .seconds(30), cause: failure)
        case SQLITE_IOERR: return Fault(.unavailable, "the disk failed", retryAfter: .seconds(30), cause: failure)
        case SQLITE_READONLY:
            return Fault(.unavailable, "the database file can't be written", retryAfter: .seconds(30), cause: failure)
        case SQLITE_CORRUPT, SQLITE_NOTADB: return Fault(.unavailable, "the database file is damaged", cause: failure)
        default: return .ours(failure)
        }
    }
}
