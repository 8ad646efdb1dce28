import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

/// What the calls of the gowebsocket dialect answer: byte for byte as the old server where that was recorded.
@Suite struct GoWebSocketCallTests {
    private let app = AppID(unchecked: 101)

    private func success(_ data: String) -> String { #"{"code":200,"msg":"Success","data":\#(data)}"# }

    @Test func answersAsTheOldServer() async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let answer = try await visitor.get("/user/list?appId=101")
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "application/json; charset=utf-8")
            #expect(answer["access-control-allow-origin"] == "*")
            #expect(answer.text == success(#"{"userCount":2,"userList":["黄帝","马\"远"]}"#))
        }
    }

    @Test(arguments: ["", "?appId=", "?appId=999", "?appId=x", "?appId=-101", "?appId=101.0", "?appid=101"])
    func listsNobodyWhereThereIsNoRoom(query: String) async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let answer = try await visitor.get("/user/list\(query)")
            #expect(answer.text == success(#"{"userCount":0,"userList":[]}"#))
        }
        #expect(desk.asked.isEmpty)
    }

    @Test(arguments: [
        ("appId=101&userId=%E9%A9%AC%E8%BF%9C", #"{"online":true,"userId":"马远"}"#),
        ("appID=101&userID=%E9%A9%AC%E8%BF%9C", #"{"online":true,"userId":"马远"}"#),
        ("appId=101&userId=nobody", #"{"online":false,"userId":"nobody"}"#),
        ("appId=999&userId=nobody", #"{"online":false,"userId":"nobody"}"#),
        ("appId=101", #"{"online":false,"userId":""}"#),
    ])
    func saysWhoIsThere(query: String, data: String) async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            #expect(try await visitor.get("/user/online?\(query)").text == success(data))
            let form = try await visitor.form("/user/online", query)
            #expect(form.text == success(data))
        }
    }

    @Test(arguments: [
        "appId=101&userId=%E9%A9%AC%E8%BF%9C&msgId=m-1&message=a%0D%0Ab+c",
        "appID=101&userID=%E9%A9%AC%E8%BF%9C&msgID=m-1&message=a%0d%0ab%20c",
    ])
    func sendsToOne(parameters: String) async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let sent = success(#"{"sendResults":true}"#)
            #expect(try await visitor.form("/user/sendMessage", parameters).text == sent)
            #expect(try await visitor.get("/user/sendMessage?\(parameters)").text == sent)
            #expect(try await visitor.send("POST", "/user/sendMessage?\(parameters)").text == sent)
            let json = #"{"appId":101,"userId":"马远","msgId":"m-1","message":"a\r\nb c","from":null}"#
            #expect(try await visitor.post("/user/sendMessage", json).text == sent)
        }
        let message = try GoWebSocketMessage(msgId: "m-1") { $0 == "message" ? "a\r\nb c" : nil }
        let posting = GoWebSocketPosting(
            app: app, target: .person("马远"), sender: nil, msgId: "m-1", message: message)
        #expect(desk.postings == [posting, posting, posting, posting])
    }

    @Test func namesTheSenderToOne() async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            _ = try await visitor.form("/user/sendMessage", "appId=101&userId=b&from=a&message=x")
        }
        #expect(desk.postings.first?.sender == "a")
        #expect(desk.postings.first?.msgId == "")
    }

    @Test func sendsToARoom() async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let answer = try await visitor.form(
                "/user/sendMessageAll", "appId=102&userId=a&msgId=1&type=img&url=%2Fa.png&width=3&height=4&secret=s")
            #expect(answer.text == success(#"{"sendResults":true}"#))
        }
        let parameters = ["type": "img", "url": "/a.png", "width": "3", "height": "4", "secret": "s"]
        let message = try GoWebSocketMessage(msgId: "1") { parameters[$0] }
        let posting = GoWebSocketPosting(
            app: AppID(unchecked: 102), target: .room, sender: "a", msgId: "1", message: message)
        #expect(desk.postings == [posting])
    }

    @Test(arguments: [
        ("g:12", GoWebSocketPosting.Target.conversation(.group(GroupID(unchecked: 12)))), ("r:101", .room),
        ("", .room),
    ])
    func sendsElsewhere(target: String, expected: GoWebSocketPosting.Target) async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            _ = try await visitor.form("/user/sendMessageAll", "appId=101&userId=a&message=x&target=\(target)")
        }
        #expect(desk.postings.first?.target == expected)
    }

    @Test(arguments: ["/user/sendMessage", "/user/sendMessageAll"])
    func saysThatNobodyWasThere(path: String) async throws {
        try await GoWebSocketDesk(outcome: .success(.offline)).house.open { (visitor) async throws in
            let answer = try await visitor.form(path, "appId=101&userId=a&msgId=1&message=x")
            #expect(answer.text == success(#"{"sendResults":false}"#))
        }
    }

    @Test(arguments: ["/user/sendMessage", "/user/sendMessageAll"])
    func answersARepeatWithNothing(path: String) async throws {
        try await GoWebSocketDesk(outcome: .success(.repeated)).house.open { (visitor) async throws in
            let answer = try await visitor.form(path, "appId=101&userId=a&msgId=1&message=x")
            #expect(answer.text == success("{}"))
        }
    }

    @Test(arguments: ["/user/sendMessage", "/user/sendMessageAll"])
    func tellsWhatWentWrongBesideTheResult(path: String) async throws {
        let fault = Fault(.unavailable, "the database is away")
        try await GoWebSocketDesk(outcome: .failure(fault)).house.open { (visitor) async throws in
            let answer = try await visitor.form(path, "appId=101&userId=a&msgId=1&message=x")
            let data = #"{"sendResults":false,"sendResultsErr":"the database is away"}"#
            #expect(answer.text == success(data))
        }
    }

    @Test func tellsAPageOfHistory() async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let answer = try await visitor.get("/user/history?appId=101&before=20&limit=5")
            let messages = [
                #"{"seq":11,"msgId":"m-1","type":"text","msg":"你好","from":"马远","time":1700000000000}"#,
                #"{"seq":12,"msgId":"消息","type":"text","msg":"b","from":"马远","time":1700000000000}"#,
                #"{"seq":13,"msgId":"1013","type":"img","msg":"/a.png","from":"马远","time":1700000000000}"#,
            ]
            #expect(answer.text == success(#"{"messages":[\#(messages.joined(separator: ","))],"next":11}"#))
            _ = try await visitor.post("/user/history", #"{"appId":"101"}"#)
        }
        #expect(
            desk.asked == [
                .history(app, before: 20, limit: 5), .history(app, before: nil, limit: Limits.defaultPageSize),
            ])
    }

    // MARK: The server's state

    private let counts =
        #""chanBroadcastLen":0,"chanLoginLen":0,"chanRegisterLen":0,"chanUnregisterLen":0"#

    @Test func tellsItsState() async throws {
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let data = #"{"managerInfo":{\#(counts),"clientsLen":3,"usersLen":2},"numCPU":2,"numGoroutine":13}"#
            #expect(try await visitor.get("/system/state").text == success(data))
            #expect(try await visitor.get("/system/state?isDebug=false").text == success(data))
        }
    }

    @Test func listsWhoIsConnectedForThisMachineAndForPrograms() async throws {
        let lists = #""clients":["127.0.0.1:5"],"clientsLen":3,"users":["101_马远"],"usersLen":2"#
        try await GoWebSocketDesk().house.open { (visitor) async throws in
            let data = #"{"managerInfo":{\#(counts),\#(lists)},"numCPU":2,"numGoroutine":13}"#
            #expect(try await visitor.get("/system/state?isDebug=true").text == success(data))
        }
        for (credential, isForwarded, expected) in [
            (nil, true, false), ("key", true, true), ("key-102", false, false), ("good", false, false),
        ] {
            let desk = GoWebSocketDesk()
            try await desk.house.open { (visitor) async throws in
                let headers = isForwarded ? ["X-Forwarded-For: 192.0.2.1"] : []
                _ = try await visitor.get("/system/state?isDebug=true", headers, token: credential)
            }
            #expect(desk.asked == [.state(lists: expected)], "\(credential ?? "none")")
        }
    }

    @Test func listsNobodyForAPageOfOthers() async throws {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            _ = try await visitor.get("/system/state?isDebug=true", ["Origin: https://elsewhere.example"])
        }
        #expect(desk.asked == [.state(lists: false)])
    }

    // MARK: The page

    @Test(arguments: [
        ("", 101), ("?appId=102", 102), ("?appID=102", 102), ("?appId=999", 101), ("?appId=%3Cb%3E", 101), ("?%", 101),
    ])
    func fillsThePage(query: String, room: Int) async throws {
        try await GoWebSocketDesk(isOpen: false).house.open { (visitor) async throws in
            let answer = try await visitor.get("/home/index\(query)")
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "text/html; charset=utf-8")
            #expect(answer["content-security-policy"] == "default-src 'self'")
            let page = "<title>聊天首页--房间Id(\(room))</title><body data-rooms=\"101 102\"> {{other}} { }"
            #expect(answer.text == page)
        }
    }
}

extension HTTPVisitor {
    /// As a page's form, or `curl -d`.
    func form(_ path: String, _ parameters: String, _ headers: [String] = []) async throws -> Answer {
        try await send(
            "POST", path, ["Content-Type: application/x-www-form-urlencoded; charset=UTF-8"] + headers,
            body: Array(parameters.utf8))
    }
}
