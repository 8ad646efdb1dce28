import MartletCore
import MartletWire
import NIOCore
import Testing

@Suite struct GoWebSocketPushTests {
    private let trial = GoWebSocketTrial()
    private static let room = ConversationID.room(AppID(unchecked: 101), nil)

    private func event(
        _ kind: EventKind = .text, _ body: String? = #"{"text":"hello"}"#, clientId: String = "1640995200-7",
        name: String = "马远", in conversation: ConversationID = room
    ) -> Event {
        Event(
            conversation: conversation, seq: 7, ordinal: 123_456, sender: UserID(unchecked: 5), senderName: name,
            kind: kind, clientId: clientId, time: Instant(milliseconds: 1), body: body.map { utf8($0) })
    }

    private func push(_ event: Event) -> String? { trial.text(trial.dialect.push(event, trial.allocator)) }

    /// The `data` of a push.
    private func data(_ event: Event) throws -> JSONValue {
        let text = try #require(push(event))
        return try #require(try parse(text)["response"]?["data"])
    }

    private func message(_ kind: EventKind, _ body: String) throws -> String? {
        let data = try data(event(kind, body))
        #expect(data["type"]?.string == "text")
        return data["msg"]?.string
    }

    @Test func pushesATextAsRecorded() {
        #expect(
            push(event())
                == #"{"seq":"1640995200-7","cmd":"msg","response":{"code":200,"codeMsg":"Ok","data":{"target":"","type":"text","msg":"hello","from":"马远"}}}"#
        )
    }

    @Test(arguments: [#"\"\\\/\b\n\u00e9"#, "语👍", "<b>&", "", #"a\ud83d\ude00"#])
    func keepsATextAsItCame(_ text: String) {
        let push = push(event(.text, "{ \"mentions\" : [5], \"text\" : \"\(text)\" } "))
        #expect(push?.contains("\"msg\":\"\(text)\",\"from\"") == true)
    }

    @Test func takesItsSeqFromTheCallerOrTheEvent() throws {
        func seq(_ event: Event) throws -> String? { try parse(try #require(push(event)))["seq"]?.string }
        #expect(try seq(event(clientId: "a\"b\\c")) == "a\"b\\c")
        #expect(try seq(event(clientId: "")) == "123456")
        #expect(try seq(event(.text, #"{"text":"x","msgId":"第\u4e00号"}"#)) == "第一号")
        #expect(try seq(event(.image, #"{"url":"/a","msgId":"第一号"}"#, clientId: "")) == "第一号")
        #expect(try seq(event(.text, #"{"text":"x","msgId":7}"#)) == "1640995200-7")
    }

    @Test func namesTheConversationsThatTheOldServerHadNot() throws {
        let targets: [String: String] = [
            "r:101": "", "r:101:lobby": "", "u:5": "", "g:12": "g:12", "d:5:9007199254740991": "d:5:9007199254740991",
        ]
        for (name, target) in targets {
            let conversation = try #require(ConversationID(name))
            #expect(try data(event(in: conversation))["target"]?.string == target)
        }
    }

    @Test func escapesTheSendersName() throws {
        for name in ["", "a\"b", "\\\n\u{1}", "語👍"] {
            #expect(try data(event(name: name))["from"]?.string == name)
        }
    }

    @Test func pushesMediaWithTheirLinks() throws {
        let body = #"{"fileId":"f","url":"http:\/\/x\/语","width":480,"secret":"s\"1","height":720}"#
        for (kind, type) in [(EventKind.image, "img"), (.voice, "voice"), (.video, "video")] {
            let media = #""url":"http:\/\/x\/语","secret":"s\"1","size":{"width":480,"height":720}"#
            let expected =
                #"{"seq":"1640995200-7","cmd":"msg","response":{"code":200,"codeMsg":"Ok","data":{"target":"","#
                + #""type":"\#(type)","msg":"http:\/\/x\/语","from":"马远",\#(media),"data":{\#(media)}}}}"#
            #expect(push(event(kind, body)) == expected)
        }
    }

    @Test func pushesMediaWithoutASize() throws {
        let data = try data(event(.voice, #"{"fileId":"f","url":"/a","secret":1,"width":"x"}"#))
        #expect(data["secret"]?.string == "")
        #expect(data["size"]?["width"]?.integer == 0)
        #expect(data["size"]?["height"]?.integer == 0)
    }

    @Test func saysTheRestAsText() throws {
        #expect(
            try message(.file, #"{"fileId":"f","url":"/files/1","name":"a \"b\".txt"}"#)
                == "[file] a \"b\".txt /files/1")
        #expect(try message(.file, #"{"fileId":"f","url":"/files/1","name":""}"#) == "[file] /files/1")
        #expect(
            try message(.location, #"{"lat":39.9,"lon":-116.4e0,"name":"北京"}"#) == "[location] 北京 39.9,-116.4e0")
        #expect(try message(.location, #"{"lat":1,"lon":2}"#) == "[location] 1,2")
        #expect(try message(.card, #"{"userId":9}"#) == "[card] 9")
        #expect(try message(.sticker, #"{"packId":"p","stickerId":"s"}"#) == "[sticker]")
        #expect(try message(.redpacket, #"{"packetId":"1","greeting":"恭喜发财"}"#) == "[redpacket] 恭喜发财")
        #expect(try message(.forward, #"{"items":[{"text":"no"}],"title":"t"}"#) == "[forward] t")
        #expect(try message(.forward, #"{"items":[]}"#) == "[forward]")
        #expect(try message(.custom, #"{"text":{"a":[1]}}"#) == "[custom]")
    }

    @Test func pushesMessagesOnly() {
        for kind in EventKind.allCases {
            #expect((push(event(kind)) != nil) == kind.isMessage)
            #expect(push(event(kind, nil)) == nil)
        }
    }

    /// The greatest contents there are, so that no frame's bound is too low.
    @Test func pushesLargeMessages() throws {
        for count in Array(0...200) + [16_000, 65_536, 200_000] {
            let long = String(repeating: "x", count: count)
            let text = try data(event(.text, "{\"text\":\"\(long)\"}"))
            #expect(text["msg"]?.string?.utf8.count == count)
            let image = try data(event(.image, "{\"url\":\"\(long)\",\"width\":\(maximumIdentifier)}"))
            #expect(image["data"]?["url"]?.string?.utf8.count == count)
        }
        let quotes = String(repeating: "\u{1}", count: 64)
        #expect(try data(event(clientId: String(repeating: "\"", count: 64), name: quotes))["from"]?.string == quotes)
    }

    @Test func standsContentsThatAreBroken() throws {
        var random = SplitMix64(seed: 31)
        let bodies = [
            #"{"text":"hello","mentions":[1,2],"msgId":"x"}"#,
            #"{"fileId":"f","url":"/a","secret":"s","width":1,"height":2,"name":"n"}"#,
            #"{"lat":1.5,"lon":2,"name":"\u00e9","greeting":"g","title":"t","userId":5}"#,
        ]
        let messages = EventKind.allCases.filter(\.isMessage)
        for round in 0..<10_000 {
            let body = random.mutated(utf8(bodies[round % bodies.count]))
            guard UTF8Validator.isValid(body.span) else { continue }
            let event = event(messages[round % messages.count], String(decoding: body, as: UTF8.self))
            if let text = push(event) { _ = try parse(text) }
        }
    }
}
