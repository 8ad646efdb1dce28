import MartletCore
import MartletWire
import Testing

@Suite struct GoWebSocketCodeTests {
    @Test func hasTheTextsOfTheOldServer() {
        let texts: [Int: String] = [
            200: "Success", 1000: "未登录", 1001: "参数不合法", 1002: "非法的用户Id", 1003: "未授权", 1004: "系统错误",
            1005: "没有数据", 1006: "添加错误", 1007: "删除错误", 1008: "存储错误", 1009: "操作失败", 1010: "路由不存在",
        ]
        #expect(texts.count == GoWebSocketCode.allCases.count)
        for (number, text) in texts {
            #expect("\(GoWebSocketCode.text(of: number))" == text)
            #expect(GoWebSocketCode(rawValue: number) != nil)
        }
        for number in [0, 199, 201, 999, 1011, -1] {
            #expect("\(GoWebSocketCode.text(of: number))" == "未定义错误类型!")
        }
    }

    @Test func hasANumberForEveryFault() {
        let numbers: [Fault.Reason: Int] = [
            .notSignedIn: 1000, .malformedJSON: 1001, .missingField: 1001, .invalidField: 1001, .tooLarge: 1001,
            .usernameTaken: 1002, .notAllowed: 1003, .guestsRefused: 1003, .invalidToken: 1003, .banned: 1003,
            .internalError: 1004, .rateLimited: 1004, .overloaded: 1004, .unavailable: 1004, .shuttingDown: 1004,
            .unknownUser: 1005, .alreadySignedIn: 1009, .clientIdReused: 1009, .unknownCommand: 1010,
            .methodNotAllowed: 1010,
        ]
        for reason in Fault.Reason.allCases {
            let code = GoWebSocketCode(Fault(reason, "x"))
            #expect(code != .success)
            if let number = numbers[reason] { #expect(code.rawValue == number) }
        }
    }

    @Test func tellsAWrongUserFromOtherParameters() {
        #expect(GoWebSocketCode(.invalid("userId", "x")) == .invalidUserId)
        #expect(GoWebSocketCode(.missing("userId")) == .invalidUserId)
        #expect(GoWebSocketCode(.invalid("appId", "x")) == .invalidParameter)
        #expect(GoWebSocketCode(.missing("message")) == .invalidParameter)
    }
}
