import MartletCore

/// What runs PostgreSQL's statements: a connection, or a transaction on it.
package protocol PostgresPipeline {
    /// Runs one statement in one round trip.
    func execute(_ statement: PostgresStatement) throws(PostgresFailure) -> PostgresResult
    /// Runs all in one round trip. Returns a result for each, or throws the first failure.
    func pipeline(_ statements: [PostgresStatement]) throws(PostgresFailure) -> [PostgresResult]
}

extension PostgresConnection: PostgresPipeline {}

/// A connection inside one transaction, in the port's clothes: what the bodies of `PostgresDatabase`'s jobs get. The
/// transaction is opened in the round trip of its first statement, and not at all where there is none.
package final class PostgresTransaction: SQLConnection, PostgresPipeline {
    private let connection: PostgresConnection
    /// What opens the transaction; nil once it is open.
    private var opening: [PostgresStatement]?
    private let keepsStatements: Bool
    /// The first failure: PostgreSQL then takes nothing more in this transaction, whatever the body makes of it.
    private(set) var failure: PostgresFailure?

    init(_ connection: PostgresConnection, opening: [PostgresStatement], keepsStatements: Bool) {
        self.connection = connection
        self.opening = opening
        self.keepsStatements = keepsStatements
    }

    var isOpen: Bool { opening == nil }

    package func rows(_ sql: SQL) throws(Fault) -> [SQLRow] { try execute(sql).rows }

    @discardableResult
    package func run(_ sql: SQL) throws(Fault) -> Int { try execute(sql).changed }

    private func execute(_ sql: SQL) throws(Fault) -> PostgresResult {
        do throws(PostgresFailure) {
            return try execute(PostgresStatement(sql, isKept: keepsStatements))
        } catch {
            throw error.fault
        }
    }

    package func execute(_ statement: PostgresStatement) throws(PostgresFailure) -> PostgresResult {
        guard let result = try pipeline([statement]).first else {
            throw PostgresFailure(.refused, "a statement without a result")
        }
        return result
    }

    package func pipeline(_ statements: [PostgresStatement]) throws(PostgresFailure) -> [PostgresResult] {
        if let failure { throw failure }
        do throws(PostgresFailure) {
            guard let opening else { return try connection.pipeline(statements) }
            self.opening = nil
            return Array(try connection.pipeline(opening + statements).dropFirst(opening.count))
        } catch {
            failure = error
            throw error
        }
    }
}
