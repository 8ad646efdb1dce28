import MartletCore

/// A value that a statement binds. All but nulls travel in PostgreSQL's binary format with their type; of a null the
/// server infers the type.
package enum PostgresParameter: Sendable, Hashable {
    case null
    /// `int8`; assigned to a `SMALLINT` column, or compared with one, it is converted by the server.
    case integer(Int64)
    /// `float8`
    case real(Double)
    /// `text`, without U+0000, which the server refuses.
    case text(String)
    /// `bytea`
    case blob([UInt8])
    /// `int8[]`
    case integers([Int64])
    /// `int8[]` with nulls
    case optionalIntegers([Int64?])
    /// `int4[]`
    case mediumIntegers([Int32])
    /// `int2[]`
    case smallIntegers([Int16])
    /// `text[]`
    case texts([String?])
    /// `bytea[]`
    case blobs([[UInt8]?])

    package init(_ value: SQLValue) {
        self =
            switch value {
            case .null: .null
            case .integer(let integer): .integer(integer)
            case .real(let real): .real(real)
            case .text(let text): .text(text)
            case .blob(let bytes): .blob(bytes)
            }
    }
}

/// One statement with `$1` … in its text, and its values. A literal is one without values.
package struct PostgresStatement: Sendable, ExpressibleByStringLiteral {
    package let text: String
    package let parameters: [PostgresParameter]
    /// Whether it is prepared at its first use on a connection, and kept. False for what is said once.
    package let isKept: Bool

    package init(text: String, _ parameters: [PostgresParameter] = [], isKept: Bool = true) {
        self.text = text
        self.parameters = parameters
        self.isKept = isKept
    }

    package init(_ sql: SQL, isKept: Bool = true) {
        let (text, values) = sql.render { "$\($0)" }
        self.init(text: text, values.map(PostgresParameter.init), isKept: isKept)
    }

    package init(stringLiteral value: String) { self.init(text: value) }
}

/// What a statement gave back.
package struct PostgresResult: Sendable {
    package let rows: [SQLRow]
    /// Rows inserted, updated, deleted, or selected.
    package let changed: Int

    package init(rows: [SQLRow], changed: Int) {
        self.rows = rows
        self.changed = changed
    }
}
