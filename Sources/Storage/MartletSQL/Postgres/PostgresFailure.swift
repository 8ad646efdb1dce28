import MartletCore

/// Why a statement or a connection failed: what the pool and the event log decide by, and what a client is told.
package struct PostgresFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// Transactions got into one another's way (SQLSTATE 40001, 40P01): nothing is stored, the same once more may go
        /// well.
        case conflict
        /// The connection is gone: by the server, the network or a deadline. Where the outcome is unknown something had
        /// been sent, and it may have been committed.
        case lost(isOutcomeUnknown: Bool)
        /// The server takes no writes (25006): it is a standby, or the transaction was to read only. Nothing is stored.
        case readOnly
        /// Everything else: nothing is stored.
        case refused
    }

    package let kind: Kind
    /// Five characters (PostgreSQL manual, appendix A); empty where the server said nothing.
    package let sqlState: String
    /// For the operator: what the server or libpq said, in one line, without values.
    package let description: String

    package init(_ kind: Kind, sqlState: String = "", _ description: String) {
        self.kind = kind
        self.sqlState = sqlState
        self.description = description
    }

    /// A failure that the server described by its code.
    init(sqlState: String, isFatal: Bool, _ message: String) {
        let description = sqlState.isEmpty ? message : "\(sqlState) \(message)"
        self.init(Self.kind(sqlState, isFatal: isFatal), sqlState: sqlState, description)
    }

    /// True where something was sent and may have been committed.
    package var isOutcomeUnknown: Bool { kind == .lost(isOutcomeUnknown: true) }

    package var isLost: Bool { if case .lost = kind { true } else { false } }

    /// SQLSTATE `lock_not_available`.
    static let lockTimeout = "55P03"

    private static func kind(_ sqlState: String, isFatal: Bool) -> Kind {
        if isFatal { return .lost(isOutcomeUnknown: true) }
        return switch sqlState {
        case "40001", "40P01": .conflict
        case "25006": .readOnly
        // A prepared statement whose table was altered meanwhile. A new connection prepares it anew.
        case "0A000": .lost(isOutcomeUnknown: false)
        default: .refused
        }
    }

    /// The one table from PostgreSQL's errors to ours. The message may be shown to any client.
    package var fault: Fault {
        switch sqlState {
        case "53100": Fault(.unavailable, "the database's disk is full", retryAfter: .seconds(30), cause: self)
        case "53300":
            Fault(.unavailable, "the database has too many connections", retryAfter: .seconds(2), cause: self)
        case "53000", "53200":
            Fault(.unavailable, "the database has too little memory", retryAfter: .seconds(5), cause: self)
        case "57014", Self.lockTimeout, "25P03":
            Fault(.unavailable, "the database is too slow", retryAfter: .seconds(1), cause: self)
        case "57P01", "57P02": Fault(.unavailable, "the database is stopping", retryAfter: .seconds(2), cause: self)
        case "57P03": Fault(.unavailable, "the database is starting", retryAfter: .seconds(1), cause: self)
        case "28000", "28P01": Fault(.unavailable, "the database refuses this server", cause: self)
        case "3D000": Fault(.unavailable, "there is no such database", cause: self)
        case "XX001", "XX002": Fault(.unavailable, "the database is damaged", cause: self)
        case "58030": Fault(.unavailable, "the disk failed", retryAfter: .seconds(30), cause: self)
        default: faultOfKind
        }
    }

    private var faultOfKind: Fault {
        switch kind {
        case .conflict:
            Fault(.unavailable, "too much happens there at once", retryAfter: .seconds(1), cause: self)
        case .lost: Fault(.unavailable, "the database can't be reached", retryAfter: .seconds(1), cause: self)
        case .readOnly, .refused: .ours(self)
        }
    }
}
