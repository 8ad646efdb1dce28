import MartletCore

/// The numbers that this dialect answers with, on the WebSocket (`response.code`) and over HTTP (`code`): those of
/// `common/error_code.go` in link1st/gowebsocket, with the texts of 2022.
package enum GoWebSocketCode: Int, Sendable, CaseIterable {
    case success = 200
    case notSignedIn = 1000, invalidParameter, invalidUserId, notAllowed, serverError, noData, addFailed, deleteFailed,
        storeFailed, operationFailed, unknownRoute

    /// The text of `codeMsg` and `msg`; it needs no escapes.
    package var text: StaticString {
        switch self {
        case .success: "Success"
        case .notSignedIn: "未登录"
        case .invalidParameter: "参数不合法"
        case .invalidUserId: "非法的用户Id"
        case .notAllowed: "未授权"
        case .serverError: "系统错误"
        case .noData: "没有数据"
        case .addFailed: "添加错误"
        case .deleteFailed: "删除错误"
        case .storeFailed: "存储错误"
        case .operationFailed: "操作失败"
        case .unknownRoute: "路由不存在"
        }
    }

    /// The text of a number, which may be none of ours.
    package static func text(of number: Int) -> StaticString {
        GoWebSocketCode(rawValue: number)?.text ?? "未定义错误类型!"
    }

    /// The one table from what went wrong to what this dialect's clients are told. A fault of the field `userId` has a
    /// code of its own.
    package init(_ fault: Fault) {
        switch fault.reason {
        case .invalidField where fault.field == "userId", .missingField where fault.field == "userId", .usernameTaken:
            self = .invalidUserId
        case .malformedJSON, .missingField, .invalidField, .unknownType, .repeatedKey, .tooDeep, .notARoom, .tooLarge:
            self = .invalidParameter
        case .notSignedIn: self = .notSignedIn
        case .invalidToken, .wrongCredentials, .tokenReused, .notAllowed, .notAMember, .blocked, .strangersRefused,
            .muted, .banned, .tooLate, .guestsRefused, .groupClosed:
            self = .notAllowed
        case .notFound, .unknownUser, .unknownConversation, .unknownGroup, .unknownRequest, .unknownMessage:
            self = .noData
        case .alreadySignedIn, .clientIdReused, .alreadyFriends, .alreadyMember, .alreadyRecalled, .ownerMustTransfer,
            .limitReached:
            self = .operationFailed
        case .unknownCommand, .methodNotAllowed: self = .unknownRoute
        case .rateLimited, .internalError, .unavailable, .overloaded, .shuttingDown: self = .serverError
        }
    }
}
