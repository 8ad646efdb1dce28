import MartletBus
import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

/// What the calls of the gowebsocket dialect refuse, in that family's numbers, and for whom they are there at all.
@Suite struct GoWebSocketRefusalTests {
    private func refusal(_ code: GoWebSocketCode) -> String {
        #"{"code":\#(code.rawValue),"msg":"\#(code.text)","data":{}}"#
    }

    private func expect(
        _ answer: HTTPVisitor.Answer, _ code: GoWebSocketCode, _ words: String = "",
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == 200, "\(words)", sourceLocation: location)
        #expect(answer["content-type"] == "application/json; charset=utf-8", sourceLocation: location)
        let expected = refusal(code)
        #expect(answer.text == expected, "\(words)", sourceLocation: location)
    }

    private static let paths = GoWebSocketRoutes.Call.allCases.map(\.rawValue)

    // MARK: Whether it is there

    @Test(arguments: paths)
    func isNotThereWhereItIsOff(path: String) async throws {
        try await APIHouse().open { (visitor) async throws in
            for method in ["GET", "POST", "OPTIONS", "PUT"] {
                let answer = try await visitor.send(method, path)
                #expect(answer.status == 404)
                #expect(answer.reason == "not_found")
                #expect(answer["access-control-allow-origin"] == nil)
            }
        }
    }

    @Test(arguments: paths)
    func knowsNoOtherMethod(path: String) async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            for method in ["PUT", "DELETE", "PATCH"] {
                let answer = try await visitor.send(method, path)
                #expect(answer.status == 404)
                #expect(answer["content-type"] == "text/plain")
                #expect(answer.text == "404 page not found")
            }
            #expect(try await visitor.send("HEAD", path).status == 404)
        }
    }

    @Test(arguments: ["/user/list/", "/user", "/User/List", "/user/sendMessage2", "//user/list", "/user%2Flist"])
    func knowsNoOtherPath(path: String) async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            #expect(try await visitor.get("\(path)?appId=101").status == 404)
        }
        #expect(desk.asked.isEmpty)
    }

    @Test(arguments: paths)
    func letsAnyPageAsk(path: String) async throws {
        var house = GoWebSocketDesk(isOpen: false).house
        house.configuration.corsOrigins = ["https://chat.example.org"]
        try await house.open { (visitor) async throws in
            let headers = ["Origin: https://elsewhere.example", "Access-Control-Request-Method: POST"]
            let answer = try await visitor.send("OPTIONS", path, headers)
            #expect(answer.status == 204)
            #expect(answer["access-control-allow-origin"] == "*")
            #expect(answer["access-control-allow-methods"] == "GET, POST, OPTIONS")
            #expect(answer["access-control-allow-headers"]?.contains("X-Api-Key") == true)
            #expect(answer["access-control-allow-credentials"] == nil)
            #expect(try await visitor.get(path, headers)["access-control-allow-origin"] == "*")
        }
    }

    // MARK: Who may

    @Test(arguments: ["image", "document", "iframe", "empty"])
    func sendsNothingWhereABrowserMeansToLook(destination: String) async throws {
        let desk = GoWebSocketDesk()
        let query = "appId=101&userId=a&message=b"
        try await desk.house.open { (visitor) async throws in
            for path in ["/user/sendMessage", "/user/sendMessageAll"] {
                let answer = try await visitor.send(
                    "GET", "\(path)?\(query)", ["Sec-Fetch-Dest: \(destination)"])
                if destination == "empty" {
                    #expect(answer.text.contains("sendResults"))
                } else {
                    expect(answer, .notAllowed, path)
                }
            }
        }
    }

    @Test(arguments: paths.filter { $0 != "/home/index" })
    func refusesWhoIsNotKnownWhereItIsClosed(path: String) async throws {
        let desk = GoWebSocketDesk(isOpen: false)
        try await desk.house.open { (visitor) async throws in
            expect(try await visitor.form(path, "appId=101&userId=a&message=x"), .notAllowed)
            expect(try await visitor.get("\(path)?appId=101", token: "wrong"), .notAllowed)
        }
        #expect(desk.asked.isEmpty)
    }

    @Test func takesACredentialFromThreePlaces() async throws {
        let desk = GoWebSocketDesk(isOpen: false)
        try await desk.house.open { (visitor) async throws in
            _ = try await visitor.get("/user/list?appId=101", token: "good")
            _ = try await visitor.get("/user/list?appId=101", ["X-Api-Key: key"])
            _ = try await visitor.get("/user/list?appId=101&apiKey=key")
            _ = try await visitor.form("/user/list", "appId=101&apiKey=key-102")
        }
        #expect(desk.given == ["good", "key", "key", "key-102"])
        #expect(desk.asked.count == 4)
    }

    @Test func refusesWhatTheFeaturesRefuse() async throws {
        for (fault, code) in [
            (Fault(.notAllowed, "no"), GoWebSocketCode.notAllowed), (Fault(.muted, "no"), .notAllowed),
            (.invalid("userId", "no"), .invalidUserId), (.invalid("message", "no"), .invalidParameter),
            (Fault(.rateLimited, "no", retryAfter: .seconds(3)), .serverError),
        ] {
            try await GoWebSocketDesk(outcome: .failure(fault)).house.open { (visitor) async throws in
                let answer = try await visitor.form("/user/sendMessageAll", "appId=101&userId=a&message=x")
                expect(answer, code, fault.reason.rawValue)
                #expect(answer["retry-after"] == (fault.retryAfter == nil ? nil : "3"))
            }
        }
    }

    @Test func limitsWhoIsNotKnownByAddress() async throws {
        var house = GoWebSocketDesk().house
        house.isRateLimited = true
        house.configuration.addressRequests = RateRule(perSecond: 1, burst: 2)
        try await house.open { (visitor) async throws in
            expect(try await visitor.get("/user/online?appId=%"), .invalidParameter)
            #expect(try await visitor.get("/user/list").json?["code"]?.integer == 200)
            let refused = try await visitor.get("/user/list")
            expect(refused, .serverError)
            #expect(refused["retry-after"] != nil)
            #expect(try await visitor.get("/user/list", token: "good").json?["code"]?.integer == 200)
        }
    }

    @Test func limitsAccountsAndNotPrograms() async throws {
        var house = GoWebSocketDesk().house
        house.isRateLimited = true
        house.configuration.userRequests = RateRule(perSecond: 1, burst: 1)
        house.configuration.addressRequests = RateRule(perSecond: 1, burst: 1)
        try await house.open { (visitor) async throws in
            #expect(try await visitor.get("/user/list", token: "good").json?["code"]?.integer == 200)
            expect(try await visitor.get("/user/list", token: "good"), .serverError)
            for _ in 0..<5 {
                #expect(try await visitor.get("/user/list", token: "key").json?["code"]?.integer == 200)
            }
        }
    }

    // MARK: What is asked

    @Test(arguments: [
        "appId=101&userId=a", "appId=101&userId=a&message=", "appId=101&userId=a&message=%00",
        "appId=101&userId=a&message=%FF", "appId=101&userId=a&message=%4", "appId=101&userId=a&message=%zz",
        "appId=101&userId=a&message=x&type=nosuch", "appId=101&userId=a&type=img",
        "appId=101&userId=a&type=img&url=javascript:alert(1)", "appId=101&userId=a&type=img&url=%2Fa&width=x",
        "appId=101&userId=a&message=x&msgId=" + String(repeating: "m", count: 257),
        "appId=101&userId=a&message=x&msgId=a%0Ab",
        "appId=101&userId=a&message=" + String(repeating: "x", count: 4097),
        "appId=101&userId=a&message=x" + String(repeating: "&x=y", count: 64),
    ])
    func refusesWrongParameters(parameters: String) async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            for path in ["/user/sendMessage", "/user/sendMessageAll"] {
                expect(try await visitor.form(path, parameters), .invalidParameter, parameters)
                expect(try await visitor.get("\(path)?\(parameters)"), .invalidParameter, parameters)
            }
        }
        #expect(desk.asked.isEmpty)
    }

    @Test(arguments: ["r:1:", "12", "g:0", "x"])
    func refusesATargetThatIsNoConversation(target: String) async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let answer = try await visitor.form(
                "/user/sendMessageAll", "appId=101&userId=a&message=x&target=\(target)")
            expect(answer, .invalidParameter)
        }
    }

    @Test(arguments: ["limit=0", "limit=101", "limit=x", "before=0", "before=-1"])
    func refusesAHistoryOutOfBounds(parameter: String) async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            expect(try await visitor.get("/user/history?appId=101&\(parameter)"), .invalidParameter)
        }
    }

    @Test func refusesARoomThatIsNotThere() async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            for path in ["/user/sendMessage", "/user/sendMessageAll", "/user/history"] {
                for app in ["", "appId=", "appId=999", "appId=x"] {
                    expect(try await visitor.form(path, "\(app)&userId=a&message=x"), .notAllowed, path)
                }
            }
        }
        #expect(desk.asked.isEmpty)
    }

    @Test func refusesNamesThatNobodyCanHave() async throws {
        let (longest, tooLong) = (String(repeating: "n", count: 19), String(repeating: "n", count: 20))
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            for name in ["", tooLong] {
                let answer = try await visitor.form("/user/sendMessageAll", "appId=101&userId=\(name)&message=x")
                expect(answer, .invalidUserId)
            }
            expect(try await visitor.form("/user/sendMessage", "appId=101&message=x"), .invalidUserId)
            let sender = try await visitor.form("/user/sendMessage", "appId=101&userId=a&from=\(tooLong)&message=x")
            expect(sender, .invalidUserId)
            let far = String(repeating: "n", count: 129)
            expect(
                try await visitor.form("/user/sendMessage", "appId=101&userId=\(far)&message=x"), .invalidUserId)
            #expect(desk.asked.isEmpty)
            _ = try await visitor.form("/user/sendMessageAll", "appId=101&userId=\(longest)&message=x")
        }
        #expect(desk.postings.map(\.sender) == [longest])
    }

    /// Accounts may have longer names than guests, and need not say theirs.
    @Test func leavesTheNamesOfAccountsToTheFeatures() async throws {
        let desk = GoWebSocketDesk()
        let long = String(repeating: "n", count: 32)
        try await desk.house.open { (visitor) async throws in
            let headers = ["Authorization: Bearer good"]
            _ = try await visitor.form("/user/sendMessageAll", "appId=101&message=x", headers)
            _ = try await visitor.form("/user/sendMessageAll", "appId=101&userId=\(long)&message=x", headers)
        }
        #expect(desk.postings.map(\.sender) == [nil, long])
    }

    // MARK: Bodies

    @Test func theBodyWins() async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let query = "appId=101&userId=query&message=query"
            _ = try await visitor.form("/user/sendMessageAll?\(query)", "userID=body&message=body")
            // A GET has no body that anyone would read.
            _ = try await visitor.send(
                "GET", "/user/sendMessageAll?\(query)", ["Content-Type: application/x-www-form-urlencoded"],
                body: Array("userId=body".utf8))
        }
        #expect(desk.postings.map(\.sender) == ["body", "query"])
    }

    @Test(arguments: [
        "[]", "{", #"{"message":{}}"#, #"{"message":["x"]}"#, #"{"appId":101.5}"#, #"{"message":"a","message":"b"}"#,
        #"{"message":"\u0000"}"#, #"{"msgId":"\n"}"#, "\"x\"",
    ])
    func refusesJSONThatIsNotFlat(body: String) async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let answer = try await visitor.post("/user/sendMessageAll?appId=101&userId=a&message=x", body)
            expect(answer, .invalidParameter, body)
        }
        #expect(desk.asked.isEmpty)
    }

    @Test(arguments: [
        "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=x; charset=gbk", "application/x-www-form-urlencoded; charset=\"utf-8",
        "application/jsonp",
        "application/x-www-form-urlencoded; charset=gbk",
    ])
    func refusesOtherBodies(type: String) async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let answer = try await visitor.send(
                "POST", "/user/list", ["Content-Type: \(type)"], body: Array("appId=101".utf8))
            expect(answer, .invalidParameter, type)
        }
    }

    @Test func refusesABodyThatIsNotUTF8() async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let body = Array("appId=101&userId=a&message=".utf8) + [0xC3, 0x28]
            let answer = try await visitor.send(
                "POST", "/user/sendMessageAll", ["Content-Type: application/x-www-form-urlencoded"], body: body)
            expect(answer, .invalidParameter)
        }
    }

    @Test func refusesABodyThatIsTooLarge() async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let body = "message=" + String(repeating: "x", count: Limits.requestBytes)
            let answer = try await visitor.form("/user/sendMessageAll", body)
            expect(answer, .invalidParameter)
            #expect(answer["connection"] == "close")
            #expect(answer["access-control-allow-origin"] == "*")
        }
    }
}
