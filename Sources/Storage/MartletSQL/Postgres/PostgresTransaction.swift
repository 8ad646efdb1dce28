import MartletCore

/// A connection inside one transaction, in the port's clothes. The transaction is opened in the round trip of its first
/// statement, and not at all where there is none.
final class PostgresTransaction: SQLConnection {
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

    func rows(_ sql: SQL) throws(Fault) -> [SQLRow] { try execute(sql).rows }

    @discardableResult
    func run(_ sql: SQL) throws(Fault) -> Int { try execute(sql).changed }

    private func execute(_ sql: SQL) throws(Fault) -> PostgresResult {
        if let failure { throw failure.fault }
        let statement = PostgresStatement(sql, isKept: keepsStatements)
        do throws(PostgresFailure) {
            guard let opening else { return try connection.execute(statement) }
            self.opening = nil
            guard let result = try connection.pipeline(opening + [statement]).last else {
                throw PostgresFailure(.refused, "a statement without a result")
            }
            return result
        } catch {
            failure = error
            throw error.fault
        }
    }
}
