import EndToEndSupport
import MartletWire
import Testing

/// Edits, recalls, reactions, mentions and replies, over two people's clients.
@Suite(.server())
struct AmendmentTests {
    /// Two people with a message between them.
    private struct Scene {
        let ada, ben: TestUser
        let one, other: WireClient
        let target: Int64
        var direct: String { ada.direct(ben) }

        init() async throws {
            (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
            one = try await TestServer.connect(ada)
            other = try await TestServer.connect(ben)
            target = try await one.say("helo", in: ada.direct(ben))
            _ = try await other.nextPush("msg")
        }

        func data(_ more: String) -> String { #"{"conversationId":"\#(direct)","target":\#(target)\#(more)}"# }

        /// The message as everybody reads it now.
        func message() async throws -> JSONValue {
            let page = try await other.succeed("history", #"{"conversationId":"\#(direct)","after":0}"#)
            guard let first = page["items"]?[0] else { throw ConnectionLost() }
            return first
        }
    }

    @Test func `An edit reaches everybody, and late readers see the edited text`() async throws {
        let scene = try await Scene()
        let phone = try await TestServer.connect(scene.ada, device: "ios")
        let seq = try await scene.one.succeed("edit", scene.data(#","clientId":"e1","content":{"text":"hello"}"#))[
            "seq"]
        for session in [scene.other, phone] {
            let event = try await session.nextPush("event")["data"]
            #expect(event?["type"]?.string == "edit")
            #expect(event?["seq"] == seq)
            #expect(event?["content"]?["target"]?.integer == scene.target)
            #expect(event?["content"]?["content"]?["text"]?.string == "hello")
        }
        let message = try await scene.message()
        #expect(message["content"]?["text"]?.string == "hello")
        #expect(message["edited"]?.integer != nil)
        // The same edit again is the same event.
        #expect(
            try await scene.one.succeed("edit", scene.data(#","clientId":"e1","content":{"text":"hello"}"#))["seq"]
                == seq)
        let foreign = try await scene.other.request("edit", scene.data(#","clientId":"e2","content":{"text":"ha"}"#))
        #expect(foreign.code == 403)
    }

    @Test func `A recall takes the content away for good`() async throws {
        let scene = try await Scene()
        try await scene.one.succeed("recall", scene.data(""))
        let event = try await scene.other.nextPush("event")["data"]
        #expect(event?["type"]?.string == "recall")
        #expect(event?["content"]?["target"]?.integer == scene.target)
        let message = try await scene.message()
        #expect(message["recalled"]?.bool == true)
        #expect(message["content"] == .object([]))
        #expect(try await scene.one.request("recall", scene.data("")).reason == "already_recalled")
        #expect(
            try await scene.one.request("edit", scene.data(#","clientId":"e","content":{"text":"x"}"#)).code != 200)
    }

    @Test func `Reactions are set and taken back`() async throws {
        let scene = try await Scene()
        try await scene.other.succeed("react", scene.data(#","emoji":"👍""#))
        let event = try await scene.one.nextPush("event")["data"]
        #expect(event?["type"]?.string == "react")
        #expect(event?["content"]?["emoji"]?.string == "👍")
        #expect(event?["content"]?["on"]?.bool == true)
        try await scene.one.succeed("react", scene.data(#","emoji":"👍""#))
        var reactions = try await scene.message()["reactions"]
        #expect(reactions?[0]?["emoji"]?.string == "👍")
        #expect(reactions?[0]?["userIds"]?.array?.compactMap(\.integer) == [scene.ben.id, scene.ada.id])
        try await scene.other.succeed("react", scene.data(#","emoji":"👍","on":false"#))
        reactions = try await scene.message()["reactions"]
        #expect(reactions?[0]?["userIds"]?.array?.compactMap(\.integer) == [scene.ada.id])
    }

    @Test func `Mentions and replies go with the message, and unknown fields are kept`() async throws {
        let scene = try await Scene()
        let content = #"{"text":"@ben look","mentions":[\#(scene.ben.id)],"replyTo":\#(scene.target),"colour":"red"}"#
        try await scene.one.succeed(
            "send", #"{"to":\#(scene.ben.id),"clientId":"m1","type":"text","content":\#(content)}"#)
        let pushed = try await scene.other.nextPush("msg")["data"]?["content"]
        let page = try await scene.other.succeed("history", #"{"conversationId":"\#(scene.direct)"}"#)
        for read in [pushed, page["items"]?[1]?["content"]] {
            #expect(read?["mentions"]?.array?.compactMap(\.integer) == [scene.ben.id])
            #expect(read?["replyTo"]?.integer == scene.target)
            #expect(read?["colour"]?.string == "red")
        }
    }

    @Test func `Amendments of before and after a resume converge`() async throws {
        let scene = try await Scene()
        await scene.other.drop()
        try await scene.one.succeed("edit", scene.data(#","clientId":"e1","content":{"text":"hello"}"#))
        try await scene.one.succeed("react", scene.data(#","emoji":"🐦""#))
        let back = try await TestServer.connect(scene.ben, resume: true)
        let answer = try await back.succeed("sync", #"{"cursors":{"\#(scene.direct)":\#(scene.target)}}"#)
        let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == scene.direct }
        #expect(part?["events"]?.array?.compactMap { $0["type"]?.string } == ["edit", "react"])
        #expect(part?["events"]?[0]?["content"]?["content"]?["text"]?.string == "hello")
    }

    @Test func `Everything that a person may send arrives as it was sent`() async throws {
        let scene = try await Scene()
        let contents = [
            ("image", #"{"fileId":"f1","url":"/files/f1","name":"a.png","size":3,"width":1,"height":2}"#),
            ("voice", #"{"fileId":"f2","url":"https://example.org/f2","durationMs":900}"#),
            ("video", #"{"fileId":"f3","url":"/files/f3"}"#), ("file", #"{"fileId":"f4","url":"/files/f4"}"#),
            ("location", #"{"lat":52.5,"lon":-13.25,"name":"here"}"#), ("card", #"{"userId":\#(scene.ada.id)}"#),
            ("sticker", #"{"packId":"p","stickerId":"s"}"#), ("custom", #"{"any":{"thing":[1,2.5,null,true]}}"#),
            (
                "forward",
                #"{"items":[{"from":1,"fromName":"x","type":"text","content":{"text":"y"},"time":5}],"title":"t"}"#
            ),
        ]
        for (type, content) in contents {
            let data =
                #"{"conversationId":"\#(scene.direct)","clientId":"\#(type)","type":"\#(type)","content":\#(content)}"#
            try await scene.one.succeed("send", data)
            let event = try await scene.other.nextPush("msg")["data"]
            #expect(event?["type"]?.string == type)
            #expect(event?["content"].map(Plain.init) == Plain(try JSONValue(parsing: Array(content.utf8))), "\(type)")
        }
        let unknown = try await scene.one.request(
            "send", #"{"conversationId":"\#(scene.direct)","clientId":"u","type":"smell","content":{}}"#)
        #expect(unknown.code == 400)
        #expect(unknown.reason == "unknown_type")
    }
}

/// A JSON value without the places where it stood.
private indirect enum Plain: Equatable {
    case leaf(JSONValue)
    case list([Plain])
    case members([String: Plain])

    init(_ value: JSONValue) {
        switch value {
        case .array(let items): self = .list(items.map(Plain.init))
        case .object(let members):
            self = .members(Dictionary(members.map { ($0.key, Plain($0.value)) }, uniquingKeysWith: { $1 }))
        default: self = .leaf(value)
        }
    }
}
