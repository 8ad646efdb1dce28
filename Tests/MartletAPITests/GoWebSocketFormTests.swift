import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

/// What the calls take as their parameters: whatever callers of the old server wrote them in.
@Suite struct GoWebSocketFormTests {
    private static let sent = #"{"code":200,"msg":"Success","data":{"sendResults":true}}"#
    private static let invalid = #"{"code":1001,"msg":"参数不合法","data":{}}"#

    private func multipart(_ fields: [(String, String)]) -> [UInt8] {
        let parts = fields.map { "--b\r\nContent-Disposition: form-data; name=\"\($0.0)\"\r\n\r\n\($0.1)\r\n" }
        return Array((parts.joined() + "--b--\r\n").utf8)
    }

    private func posted(
        _ target: String, type: String? = nil, _ body: [UInt8], answer expected: String = sent
    ) async throws -> GoWebSocketPosting? {
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            let answer = try await visitor.send("POST", target, type.map { ["Content-Type: \($0)"] } ?? [], body: body)
            #expect(answer.status == 200)
            #expect(answer.text == expected)
        }
        return desk.postings.first
    }

    @Test(arguments: ["/user/sendMessage", "/user/sendMessageAll"])
    func takesAFormOfParts(path: String) async throws {
        let body = multipart([("appId", "101"), ("userID", "马远"), ("msgId", "m-1"), ("message", "a\nb"), ("x", "y")])
        let posting = try await posted(path, type: "multipart/form-data; boundary=b", body)
        let message = try GoWebSocketMessage(msgId: "m-1") { $0 == "message" ? "a\nb" : nil }
        #expect(posting?.app == AppID(unchecked: 101))
        #expect(posting?.target == (path == "/user/sendMessage" ? .person("马远") : .room))
        #expect(posting?.msgId == "m-1")
        #expect(posting?.message == message)
    }

    @Test(arguments: [
        [("msgId", "a\nb"), ("message", "x")], [("message", "")], [("msgId", "1")],
        [("message", String(repeating: "x", count: 4097))],
    ])
    func refusesInPartsWhatItRefusesElsewhere(fields: [(String, String)]) async throws {
        let body = multipart([("appId", "101"), ("userId", "a")] + fields)
        let posting = try await posted(
            "/user/sendMessageAll", type: "multipart/form-data; boundary=b", body, answer: Self.invalid)
        #expect(posting == nil)
    }

    @Test func takesACredentialFromAPart() async throws {
        let desk = GoWebSocketDesk(isOpen: false)
        try await desk.house.open { (visitor) async throws in
            _ = try await visitor.send(
                "POST", "/user/list", ["Content-Type: multipart/form-data; boundary=b"],
                body: multipart([("appId", "101"), ("apiKey", "key-102")]))
        }
        #expect(desk.given == ["key-102"])
    }

    @Test(arguments: ["/user/sendMessage", "/user/sendMessageAll"])
    func takesABodyWithoutATypeAsAForm(path: String) async throws {
        let body = Array("appId=101&userId=a&msgId=1&message=x+y".utf8)
        for type in [nil, ""] {
            let posting = try await posted(path, type: type, body)
            let message = try GoWebSocketMessage(msgId: "1") { $0 == "message" ? "x y" : nil }
            #expect(posting?.message == message)
        }
    }

    @Test func takesTheFirstOfTwo() async throws {
        let query = "appId=101&userId=a&userId=b&msgId=1&msgId=2&message=x&message=y"
        let desk = GoWebSocketDesk()
        try await desk.house.open { (visitor) async throws in
            #expect(try await visitor.form("/user/sendMessageAll", query).text == Self.sent)
            #expect(try await visitor.get("/user/sendMessageAll?\(query)").text == Self.sent)
            let parts = multipart([
                ("appId", "101"), ("userId", "a"), ("userId", "b"), ("msgId", "1"), ("message", "x"),
            ])
            let more = ["Content-Type: multipart/form-data; boundary=b"]
            #expect(try await visitor.send("POST", "/user/sendMessageAll", more, body: parts).text == Self.sent)
        }
        #expect(desk.postings.count == 3)
        let message = try GoWebSocketMessage(msgId: "1") { $0 == "message" ? "x" : nil }
        for posting in desk.postings {
            #expect(posting.sender == "a" && posting.msgId == "1" && posting.message == message)
        }
    }

    /// An empty one is a value too.
    @Test func takesTheFirstOfTwoAlsoWhereItIsEmpty() async throws {
        let body = Array("appId=101&userId=a&message=&message=x".utf8)
        let posting = try await posted("/user/sendMessageAll", type: nil, body, answer: Self.invalid)
        #expect(posting == nil)
    }

    @Test(arguments: [
        "appId=101&appID=102&userId=a&userID=b&msgId=1&msgID=2",
        "appID=102&appId=101&userID=b&userId=a&msgID=2&msgId=1",
        "appID=102&appID=103&appId=101&appId=104&userId=a&msgId=1",
    ])
    func takesTheOlderOfTwoSpellings(parameters: String) async throws {
        let posting = try await posted("/user/sendMessageAll", Array("\(parameters)&message=x".utf8))
        #expect(posting?.app == AppID(unchecked: 101))
        #expect(posting?.sender == "a")
        #expect(posting?.msgId == "1")
    }

    @Test(arguments: [
        ("appId=101&userId=query&message=query", "userId=body&userId=more&message=x", "body"),
        ("appId=101&userId=query&message=query", "userID=body&message=x", "body"),
        ("appId=101&userId=query&userId=more", "message=x", "query"),
    ])
    func theBodyWinsAsAWhole(query: String, body: String, sender: String) async throws {
        let posting = try await posted("/user/sendMessageAll?\(query)", Array(body.utf8))
        #expect(posting?.sender == sender)
    }

    /// The old server read no JSON: there is nobody to please by a guess.
    @Test func refusesAMemberThatStandsTwice() async throws {
        let body = #"{"appId":101,"userId":"a","message":"x","message":"y"}"#
        let posting = try await posted(
            "/user/sendMessageAll", type: "application/json", Array(body.utf8), answer: Self.invalid)
        #expect(posting == nil)
    }
}
