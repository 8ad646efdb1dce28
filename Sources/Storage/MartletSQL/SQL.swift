import MartletCore

/// A value that a statement binds or a column holds.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    /// Without U+0000, which neither engine keeps.
    case text(String)
    case blob([UInt8])
}

/// What can be bound.
package protocol SQLBindable {
    var sqlValue: SQLValue { get }
}

/// A statement with its values. Interpolated values are bound, never pasted: `"SELECT … WHERE id = \(id)"`. Each engine
/// writes the placeholders in its own way.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    package enum Piece: Sendable, Hashable {
        case text(String)
        case value(SQLValue)
    }

    package private(set) var pieces: [Piece]

    package init(stringLiteral value: String) { pieces = [.text(value)] }

    package init(stringInterpolation: StringInterpolation) { pieces = stringInterpolation.pieces }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var pieces: [Piece] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            pieces.reserveCapacity(interpolationCount * 2 + 1)
        }

        package mutating func appendLiteral(_ literal: String) { if !literal.isEmpty { pieces.append(.text(literal)) } }

        package mutating func appendInterpolation(_ value: some SQLBindable) { pieces.append(.value(value.sqlValue)) }

        package mutating func appendInterpolation<Value: SQLBindable>(_ value: Value?) {
            pieces.append(.value(value?.sqlValue ?? .null))
        }

        /// A list of values, for `IN (…)`. An empty list is written as `NULL`, which matches nothing.
        package mutating func appendInterpolation(list values: [some SQLBindable]) {
            if values.isEmpty { pieces.append(.text("NULL")) }
            for (index, value) in values.enumerated() {
                if index > 0 { pieces.append(.text(", ")) }
                pieces.append(.value(value.sqlValue))
            }
        }

        /// A part of a statement, with its own values.
        package mutating func appendInterpolation(_ part: SQL) { pieces.append(contentsOf: part.pieces) }
    }

    /// The text with `placeholder(1)`, `placeholder(2)` … in it, and the values in that order.
    package func render(placeholder: (Int) -> String) -> (text: String, values: [SQLValue]) {
        var text = ""
        var values: [SQLValue] = []
        for piece in pieces {
            switch piece {
            case .text(let part): text += part
            case .value(let value):
                values.append(value)
                text += placeholder(values.count)
            }
        }
        return (text, values)
    }
}

extension SQLValue: SQLBindable { package var sqlValue: SQLValue { self } }
extension Int64: SQLBindable { package var sqlValue: SQLValue { .integer(self) } }
extension Int: SQLBindable { package var sqlValue: SQLValue { .integer(Int64(self)) } }
extension Int16: SQLBindable { package var sqlValue: SQLValue { .integer(Int64(self)) } }
/// Flags are stored as 0 and 1.
extension Bool: SQLBindable { package var sqlValue: SQLValue { .integer(self ? 1 : 0) } }
extension String: SQLBindable { package var sqlValue: SQLValue { .text(self) } }
extension Array: SQLBindable where Element == UInt8 { package var sqlValue: SQLValue { .blob(self) } }
extension UserID: SQLBindable { package var sqlValue: SQLValue { .integer(value) } }
extension AppID: SQLBindable { package var sqlValue: SQLValue { .integer(value) } }
extension GroupID: SQLBindable { package var sqlValue: SQLValue { .integer(value) } }
extension Instant: SQLBindable { package var sqlValue: SQLValue { .integer(milliseconds) } }
extension ConversationID: SQLBindable { package var sqlValue: SQLValue { .text(text) } }
