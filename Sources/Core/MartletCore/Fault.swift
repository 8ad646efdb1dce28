/// The one error that features and ports throw: what went wrong, said so that a client may see it. Each edge has one table from codes to
/// its own replies.
package struct Fault: Error, Sendable {
    /// Stable numbers: the HTTP status and the WebSocket `response.code`.
    package enum Code: Int, Sendable, CaseIterable {
        case badRequest = 400, unauthenticated = 401, forbidden = 403, notFound = 404, methodNotAllowed = 405,
            conflict = 409,
            tooLarge = 413, tooMany = 429, internalError = 500, unavailable = 503
    }

    /// Stable names, listed with their codes in `docs/protocol.md`.
    package enum Reason: String, Sendable, CaseIterable {
        case malformedJSON = "malformed_json", missingField = "missing_field", invalidField = "invalid_field",
            unknownType = "unknown_type", unknownCommand = "unknown_command", repeatedKey = "repeated_key",
            tooDeep = "too_deep", notARoom = "not_a_room", alreadySignedIn = "already_signed_in"
        case notSignedIn = "not_signed_in", invalidToken = "invalid_token", wrongCredentials = "wrong_credentials",
            tokenReused = "token_reused"
        case notAllowed = "not_allowed", notAMember = "not_a_member", blocked, strangersRefused = "strangers_refused",
            muted, banned, tooLate = "too_late", guestsRefused = "guests_refused", groupClosed = "group_closed"
        case notFound = "not_found", unknownUser = "unknown_user", unknownConversation = "unknown_conversation",
            unknownGroup = "unknown_group", unknownRequest = "unknown_request", unknownMessage = "unknown_message"
        case methodNotAllowed = "method_not_allowed"
        case clientIdReused = "client_id_reused", usernameTaken = "username_taken", alreadyFriends = "already_friends",
            alreadyMember = "already_member", alreadyRecalled = "already_recalled", ownerMustTransfer =
            "owner_must_transfer",
            limitReached = "limit_reached"
        case tooLarge = "too_large"
        case rateLimited = "rate_limited"
        case internalError = "internal"
        case unavailable, overloaded, shuttingDown = "shutting_down"

        package var code: Code {
            switch self {
            case .malformedJSON, .missingField, .invalidField, .unknownType, .unknownCommand, .repeatedKey, .tooDeep,
                .notARoom,
                .alreadySignedIn:
                .badRequest
            case .notSignedIn, .invalidToken, .wrongCredentials, .tokenReused: .unauthenticated
            case .notAllowed, .notAMember, .blocked, .strangersRefused, .muted, .banned, .tooLate, .guestsRefused,
                .groupClosed:
                .forbidden
            case .notFound, .unknownUser, .unknownConversation, .unknownGroup, .unknownRequest, .unknownMessage:
                .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .clientIdReused, .usernameTaken, .alreadyFriends, .alreadyMember, .alreadyRecalled, .ownerMustTransfer,
                .limitReached:
                .conflict
            case .tooLarge: .tooLarge
            case .rateLimited: .tooMany
            case .internalError: .internalError
            case .unavailable, .overloaded, .shuttingDown: .unavailable
            }
        }
    }

    package let reason: Reason
    /// Safe to show to any client.
    package let message: String
    /// The offending field of the request, where there is one.
    package let field: String?
    /// When trying again makes sense; set for rate limits and overload.
    package let retryAfter: Duration?
    /// For the log of the operator, never for a client.
    package let cause: String?

    package var code: Code { reason.code }

    /// True where the server or its database failed, false where the request was at fault.
    package var isOurs: Bool { code == .internalError || code == .unavailable }

    package init(
        _ reason: Reason, _ message: String, field: String? = nil, retryAfter: Duration? = nil,
        cause: (any Error)? = nil
    ) {
        self.reason = reason
        self.message = message
        self.field = field
        self.retryAfter = retryAfter
        self.cause = cause.map { String(describing: $0) }
    }

    package static func invalid(_ field: String, _ message: String) -> Fault {
        Fault(.invalidField, "\(field): \(message)", field: field)
    }

    package static func missing(_ field: String) -> Fault {
        Fault(.missingField, "\(field) is missing", field: field)
    }

    /// A failure of our own; the message says nothing about its inside.
    package static func ours(_ cause: any Error) -> Fault { Fault(.internalError, "internal error", cause: cause) }
}
