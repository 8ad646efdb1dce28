import MartletCore
import MartletWire
import Testing

@Suite struct GoWebSocketMessageTests {
    private func message(_ parameters: [String: String], msgId: String = "m1") throws(Fault) -> GoWebSocketMessage {
        try GoWebSocketMessage(msgId: msgId) { parameters[$0] }
    }

    private func refusal(_ parameters: [String: String], msgId: String = "m1") -> Refusal? {
        fault { () throws(Fault) in _ = try message(parameters, msgId: msgId) }
    }

    private func content(_ parameters: [String: String], msgId: String = "m1") throws -> JSONValue {
        try JSONValue(parsing: message(parameters, msgId: msgId).content)
    }

    @Test func makesATextOfAMessage() throws {
        for type in [nil, "", "text"] {
            let message = try message(["message": "a \"语\"\n", "type": type ?? ""])
            #expect(message.kind == .text)
            #expect(String(decoding: message.content, as: UTF8.self) == #"{"text":"a \"语\"\n"}"#)
        }
        #expect(try message(["message": "{\"url\":\"/a\"}"]).kind == .text)
    }

    @Test func boundsTheMsgId() throws {
        for msgId in ["", "1640995200-7", "第一号", String(repeating: "x", count: 256)] {
            #expect(refusal(["message": "a"], msgId: msgId) == nil)
        }
        #expect(
            refusal(["message": "a"], msgId: String(repeating: "x", count: 257)) == Refusal(.invalidField, "msgId"))
    }

    @Test func makesMediaOfParameters() throws {
        for (type, kind) in [("img", EventKind.image), ("image", .image), ("voice", .voice), ("video", .video)] {
            let parameters = ["type": type, "url": "http://x/a", "secret": "s", "width": "480", "height": "720"]
            #expect(try message(parameters).kind == kind)
            let content = try content(parameters)
            #expect(content["url"]?.string == "http://x/a")
            #expect(content["secret"]?.string == "s")
            #expect(content["width"]?.integer == 480)
            #expect(content["height"]?.integer == 720)
        }
    }

    @Test func makesMediaOfAnObject() throws {
        let object = #"{"url":"http://x/a","secret":"消息鉴权","size":{"width":480,"height":720}}"#
        let content = try content(["type": "img", "message": object])
        #expect(content["url"]?.string == "http://x/a")
        #expect(content["secret"]?.string == "消息鉴权")
        #expect(content["width"]?.integer == 480)
        #expect(content["height"]?.integer == 720)
    }

    @Test func makesMediaOfALink() throws {
        let content = try content(["type": "video", "message": "https://x/a", "url": "", "width": ""])
        #expect(content["url"]?.string == "https://x/a")
        #expect(content["secret"] == nil)
        #expect(content["width"] == nil)
    }

    @Test func namesAFileByItsLink() throws {
        func fileId(_ url: String) throws -> String? { try content(["type": "img", "url": url])["fileId"]?.string }
        #expect(try fileId("/a") == "url-2256c6ac80d3eb2693897a53c615c4840981e5aa")
        #expect(try fileId("/a") != fileId("/b"))
    }

    @Test func refusesWhatIsNoMessage() {
        #expect(refusal([:]) == Refusal(.missingField, "message"))
        #expect(refusal(["message": ""]) == Refusal(.missingField, "message"))
        #expect(refusal(["message": "a", "type": "file"]) == Refusal(.unknownType, "type"))
        #expect(
            refusal(["message": String(repeating: "x", count: 4097)]) == Refusal(.invalidField, "content.text"))
        for type in ["img", "image", "voice", "video"] {
            #expect(refusal(["type": type]) == Refusal(.missingField, "url"))
            #expect(refusal(["type": type, "message": "{}"]) == Refusal(.missingField, "url"))
            #expect(refusal(["type": type, "message": "{"]) == Refusal(.malformedJSON))
            #expect(refusal(["type": type, "url": "javascript:x"]) == Refusal(.invalidField, "content.url"))
            #expect(refusal(["type": type, "message": "hello"]) == Refusal(.invalidField, "content.url"))
        }
    }

    @Test func boundsSizesAndSecrets() {
        let secret = { (count: Int) in
            ["type": "img", "url": "/a", "secret": String(repeating: "语", count: count)]
        }
        #expect(refusal(secret(1024)) == nil)
        #expect(refusal(secret(1025)) == Refusal(.invalidField, "secret"))
        for width in ["-1", "1.5", "x", "9007199254740992", "99999999999999999999"] {
            #expect(refusal(["type": "img", "url": "/a", "width": width]) == Refusal(.invalidField, "width"))
        }
        for height in ["-1", "1.5", "\"7\"", "{}"] {
            #expect(
                refusal(["type": "img", "message": "{\"url\":\"/a\",\"size\":{\"height\":\(height)}}"])
                    == Refusal(.invalidField, "height"))
        }
    }

    @Test func knowsUsers() {
        #expect(GoWebSocketMessage.isUserId("黄帝"))
        #expect(GoWebSocketMessage.isUserId(String(repeating: "x", count: 19)))
        #expect(!GoWebSocketMessage.isUserId(String(repeating: "x", count: 20)))
        #expect(!GoWebSocketMessage.isUserId(""))
        #expect(!GoWebSocketMessage.isUserId("a\u{0}"))
    }

    @Test func writesTheEnvelopeOfTheCalls() {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        #expect(text(GoWebSocketMessage.envelope()) == #"{"code":200,"msg":"Success","data":{}}"#)
        #expect(
            text(GoWebSocketMessage.envelope(data: utf8("{\"sendResults\":true}")))
                == #"{"code":200,"msg":"Success","data":{"sendResults":true}}"#)
        #expect(text(GoWebSocketMessage.envelope(.notAllowed)) == #"{"code":1003,"msg":"未授权","data":{}}"#)
    }

    @Test func standsAnyParameters() throws {
        var random = SplitMix64(seed: 8)
        for _ in 0..<5_000 {
            let parameters = [
                "type": ["", "text", "img", "voice", "x"][random.below(5)],
                "message": random.chance(2) ? random.json(3) : random.text(20),
                "url": random.chance(3) ? "/" + random.text(5) : "", "secret": random.text(5),
                "width": random.chance(3) ? "\(random.integer())" : "",
            ]
            if let message = try? message(parameters, msgId: random.text(5)) {
                _ = try JSONValue(parsing: message.content)
            }
        }
    }
}
