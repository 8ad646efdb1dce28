import MartletCore

/// Runs statements inside one transaction. Valid only within the closure that received it.
package protocol SQLConnection {
    /// Runs a statement and returns all its rows.
    func rows(_ sql: SQL) throws(Fault) -> [SQLRow]
    /// Runs a statement and returns how many rows it changed.
    @discardableResult
    func run(_ sql: SQL) throws(Fault) -> Int
}

extension SQLConnection {
    /// The first row, if there is one.
    package func row(_ sql: SQL) throws(Fault) -> SQLRow? { try rows(sql).first }

    /// The first column of the first row as an integer.
    package func integer(_ sql: SQL) throws(Fault) -> Int64? { try row(sql)?.optionalInteger(0) }

    /// Takes the next number of a named counter. Numbers grow; a transaction that fails gives its number back or leaves
    /// a gap.
    package func next(_ counter: NumberedThing) throws(Fault) -> Int64 {
        let value = try integer(
            """
            INSERT INTO counters (name, value) VALUES (\(counter.rawValue), 1)
            ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value
            """)
        guard let value else { throw Fault(.internalError, "internal error") }
        return value
    }

    /// Moves a counter to `value` unless it is beyond it: the next number is behind both. Who takes a number of this counter
    /// meanwhile waits for the end of this transaction, so that 0 just holds the counter.
    package func raise(_ counter: NumberedThing, to value: Int64) throws(Fault) {
        try run(
            """
            INSERT INTO counters (name, value) VALUES (\(counter.rawValue), \(value))
            ON CONFLICT (name) DO UPDATE
            SET value = CASE WHEN counters.value < excluded.value THEN excluded.value ELSE counters.value END
            """)
    }
}

/// What is numbered by `SQLConnection.next`.
package enum NumberedThing: String, Sendable {
    case user, group, family, revocation, friendRequest = "friend_request", groupRequest = "group_request",
        apiKey = "api_key"
}

/// The port to the relational store. `write` acknowledges after the commit is durable. Both throw `unavailable` where
/// the database can't be reached, is full or is overloaded, and whatever the body throws; a body that throws leaves
/// nothing behind. A write that throws `unavailable` because the connection broke at its commit may be stored.
package protocol Database: Sendable {
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value

    /// One transaction, as if bodies ran one after another; they are short and do not wait for anything. A body may be
    /// run more than once, of which all but the last left nothing behind: it has no effect outside of its transaction. A
    /// statement that failed fails the transaction, whether or not the body goes on.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value

    /// A write that changes the schema: one at a time among all programs on the database. A statement, and the wait for
    /// another program's change, may take as long as in any write. With a `limit` of its own it is a migration, which may
    /// change tables in use: it lets their users go first, tries again for some minutes, and then throws `unavailable` in
    /// words for the operator.
    func alter<Value: Sendable>(
        within limit: Duration?, _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value
}

extension Database {
    package func alter<Value: Sendable>(
        within limit: Duration?, _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await write(body)
    }

    package func alter<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws(Fault) -> Value
    ) async throws(Fault) -> Value {
        try await alter(within: nil, body)
    }
}
