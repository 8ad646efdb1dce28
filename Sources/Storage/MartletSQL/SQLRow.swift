import MartletCore

/// One row of a result, read by column name or position. A missing column or another type is our own mistake or a
/// damaged database: it throws `internal`, naming the column for the operator.
package struct SQLRow: Sendable {
    /// Shared by all rows of one result.
    private let columns: [String]
    private let values: [SQLValue]

    package init(columns: [String], values: [SQLValue]) {
        self.columns = columns
        self.values = values
    }

    private struct Mismatch: Error, CustomStringConvertible {
        let description: String
    }

    private func mismatch(_ column: String, _ expected: String) -> Fault {
        Fault(.internalError, "internal error", cause: Mismatch(description: "column \(column) is not \(expected)"))
    }

    package func value(_ name: String) throws(Fault) -> SQLValue {
        guard let index = columns.firstIndex(of: name) else { throw mismatch(name, "in the result") }
        return values[index]
    }

    package func optionalInteger(_ index: Int) throws(Fault) -> Int64? {
        guard values.indices.contains(index) else { throw mismatch(String(index), "in the result") }
        return try integer(values[index], String(index))
    }

    package func optionalInteger(_ name: String) throws(Fault) -> Int64? { try integer(try value(name), name) }

    package func integer(_ name: String) throws(Fault) -> Int64 {
        guard let result = try optionalInteger(name) else { throw mismatch(name, "an integer") }
        return result
    }

    private func integer(_ value: SQLValue, _ name: String) throws(Fault) -> Int64? {
        switch value {
        case .null: return nil
        case .integer(let integer): return integer
        default: throw mismatch(name, "an integer")
        }
    }

    package func optionalText(_ name: String) throws(Fault) -> String? {
        switch try value(name) {
        case .null: return nil
        case .text(let text): return text
        default: throw mismatch(name, "text")
        }
    }

    package func text(_ name: String) throws(Fault) -> String {
        guard let result = try optionalText(name) else { throw mismatch(name, "text") }
        return result
    }

    package func optionalBlob(_ name: String) throws(Fault) -> [UInt8]? {
        switch try value(name) {
        case .null: return nil
        case .blob(let bytes): return bytes
        default: throw mismatch(name, "bytes")
        }
    }

    package func flag(_ name: String) throws(Fault) -> Bool { try integer(name) != 0 }
    package func user(_ name: String) throws(Fault) -> UserID { UserID(unchecked: try integer(name)) }
    package func group(_ name: String) throws(Fault) -> GroupID { GroupID(unchecked: try integer(name)) }
    package func instant(_ name: String) throws(Fault) -> Instant { Instant(milliseconds: try integer(name)) }
    package func conversation(_ name: String) throws(Fault) -> ConversationID {
        guard let id = ConversationID(try text(name)) else { throw mismatch(name, "a conversation's name") }
        return id
    }

    /// A stored name of an enumeration.
    package func choice<Value: RawRepresentable>(_ name: String, of type: Value.Type) throws(Fault) -> Value
    where Value.RawValue == String {
        guard let result = Value(rawValue: try text(name)) else { throw mismatch(name, "a \(Value.self)") }
        return result
    }
}
