import Foundation
import GRDB
import MartletCore

/// A GRDB connection in the port's clothes.
package struct SQLiteConnection: SQLConnection {
    fileprivate let connection: GRDB.Database

    init(_ connection: GRDB.Database) { self.connection = connection }

    /// SQLite's own handle, for the event log, whose statements live as long as the connection. Nil once the connection
    /// is closed.
    package var handle: OpaquePointer? { connection.sqliteConnection }

    package func rows(_ sql: SQL) throws(Fault) -> [SQLRow] {
        do {
            let (statement, arguments) = try prepare(sql)
            let columns = statement.columnNames
            var result: [SQLRow] = []
            let cursor = try Row.fetchCursor(statement, arguments: arguments)
            while let row = try cursor.next() {
                result.append(SQLRow(columns: columns, values: row.databaseValues.map(\.sqlValue)))
            }
            return result
        } catch {
            throw SQLiteDatabase.fault(error)
        }
    }

    @discardableResult
    package func run(_ sql: SQL) throws(Fault) -> Int {
        do {
            let (statement, arguments) = try prepare(sql)
            try statement.execute(arguments: arguments)
            return connection.changesCount
        } catch {
            throw SQLiteDatabase.fault(error)
        }
    }

    private func prepare(_ sql: SQL) throws -> (Statement, StatementArguments) {
        let (text, values) = sql.render { "?\($0)" }
        return (try connection.cachedStatement(sql: text), StatementArguments(values.map(\.databaseValue)))
    }
}

extension DatabaseValue {
    fileprivate var sqlValue: SQLValue {
        switch storage {
        case .null: .null
        case .int64(let value): .integer(value)
        case .double(let value): .real(value)
        case .string(let value): .text(value)
        case .blob(let data): .blob(Array(data))
        }
    }
}

extension SQLValue {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.databaseValue
        case .blob(let bytes): Data(bytes).databaseValue
        }
    }
}
