import EndToEndSupport
import MartletWire
import Testing

/// The commands' fields, for what is not over REST as well.
enum CommandFields {
    struct Field: Sendable {
        let name: String
        let schema: JSONValue
        let isRequired: Bool
        /// A value that is right.
        let sample: String
    }

    private static func field(_ name: String, _ schema: String, required: Bool = true, _ sample: String) -> Field {
        Field(
            name: name, schema: (try? JSONValue(parsing: Array(schema.utf8))) ?? .null, isRequired: required,
            sample: sample)
    }

    private static func integer(_ minimum: Int64 = 1, _ maximum: Int64 = BadValues.beyond - 1) -> String {
        #"{"type":"integer","minimum":\#(minimum),"maximum":\#(maximum)}"#
    }

    private static func text(_ minimum: Int, _ maximum: Int) -> String {
        #"{"type":"string","minLength":\#(minimum),"maxLength":\#(maximum)}"#
    }

    private static func conversation(_ sample: String) -> Field {
        field("conversationId", #"{"type":"string","pattern":"x"}"#, #""\#(sample)""#)
    }

    private static let target = field("target", integer(), "1")
    private static let clientId = field("clientId", text(1, 64), #""x1""#)
    private static let content = field("content", #"{"type":"object"}"#, #"{"text":"hello"}"#)
    private static let seq = field("seq", integer(0), "1")

    /// By command; `conversation` is one that the user may write to.
    static func table(_ conversation: String) -> [String: [Field]] {
        let place = Self.conversation(conversation)
        return [
            "login": [
                field("token", text(1, 4096), required: false, #""x""#),
                field("device", #"{"type":"string","enum":["web","ios"]}"#, required: false, #""web""#),
                field("resume", #"{"type":"boolean"}"#, required: false, "true"),
                field("guest", text(1, 64), required: false, #""x""#),
                field("appId", integer(1, Int64(Int32.max)), required: false, "1"),
            ],
            "heartbeat": [],
            "send": [
                place, field("to", integer(), required: false, "1"), clientId,
                field("type", #"{"type":"string","enum":["text"]}"#, #""text""#), content,
            ],
            "sync": [
                field("cursors", #"{"type":"object"}"#, required: false, #"{"\#(conversation)":1}"#),
                field("limit", integer(1, 200), required: false, "1"),
            ],
            "history": [
                place, field("before", integer(), required: false, "1"),
                field("after", integer(0), required: false, "1"),
                field("limit", integer(1, 100), required: false, "1"),
            ],
            "read": [place, seq], "ack": [place, seq], "typing": [place],
            "edit": [place, target, clientId, content],
            "recall": [place, target, field("clientId", text(1, 64), required: false, #""x1""#)],
            "react": [
                place, target, field("emoji", text(1, 32), #""x""#),
                field("on", #"{"type":"boolean"}"#, required: false, "true"),
                field("clientId", text(1, 64), required: false, #""x1""#),
            ],
            "enter": [Self.conversation("r:1")], "exit": [Self.conversation("r:1")],
        ]
    }
}

@Suite("Bad commands", .server(environment: World.settings), .staysHealthy)
struct BadCommandTests {
    private struct Bad: Sendable {
        let name: String
        let data: [UInt8]
        /// Nil where any answer but a failure will do.
        let reasons: [String]?
        var field: String?
    }

    private static func object(_ members: [(String, [UInt8])]) -> [UInt8] {
        let parts = members.map { Array("\"\($0.0)\":".utf8) + $0.1 }
        return [UInt8(ascii: "{")] + Array(parts.joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "}")]
    }

    private static func bad(_ command: String, _ fields: [CommandFields.Field]) -> [Bad] {
        var all: [Bad] = [
            Bad(name: "a list", data: Array("[]".utf8), reasons: ["invalid_field"], field: "data"),
            Bad(name: "a number", data: Array("1".utf8), reasons: ["invalid_field"], field: "data"),
        ]
        for field in fields {
            let rest = fields.filter {
                $0.isRequired && $0.name != field.name && (field.name != "to" || $0.name != "conversationId")
            }
            .map { ($0.name, Array($0.sample.utf8)) }
            for value in BadValues.of(field.schema) where !isBroken(value) {
                all.append(
                    Bad(
                        name: "\(field.name): \(value.name)", data: object(rest + [(field.name, value.json)]),
                        reasons: value.reason.map { $0 == "invalid_field" ? [$0, "unknown_type"] : [$0] } ?? [],
                        field: value.reason == "invalid_field" ? field.name : nil))
            }
            let isMissing = field.isRequired || command == "login"
            let missing: [String]? = isMissing ? ["missing_field"] : nil
            all.append(Bad(name: "\(field.name): missing", data: object(rest), reasons: missing))
            all.append(
                Bad(
                    name: "\(field.name): null", data: object(rest + [(field.name, Array("null".utf8))]),
                    reasons: missing))
            let sample = (field.name, Array(field.sample.utf8))
            all.append(
                Bad(
                    name: "\(field.name): twice", data: object(rest + [sample, sample]), reasons: ["repeated_key"],
                    field: field.name))
        }
        return all
    }

    /// What breaks the whole frame is tried apart, since no answer can name the frame's seq.
    private static func isBroken(_ value: BadValues.Bad) -> Bool {
        value.reason == "malformed_json" || value.name.contains("UTF-8")
            || value.name.contains("NUL") && value.reason == nil
            || value.name == "an exponent beyond" || value.name == "nested too deeply"
    }

    @Test("Every field of every command refuses what is wrong, with the seq of what was asked")
    func fields() async throws {
        let (user, other) = (try await TestServer.user("owner"), try await TestServer.user("other"))
        let conversation = user.direct(other)
        let table = CommandFields.table(conversation)
        #expect(Set(table.keys) == Set(WireAccessTable.commands))
        let session = try await TestServer.connect(user)
        let stranger = try await WireClient.connect(port: TestServer.current.port)
        var count = 0
        for (command, fields) in table.sorted(by: { $0.key < $1.key }) {
            let client = command == "login" ? stranger : session
            for bad in Self.bad(command, fields) {
                let seq = client.nextSeq()
                let head = Array(#"{"seq":"\#(seq)","cmd":"\#(command)","data":"#.utf8)
                client.sendFrame(.text, head + bad.data + [UInt8(ascii: "}")])
                let answer = try await client.answer(to: seq)
                let name = Comment(rawValue: "\(command): \(bad.name): \(answer)")
                #expect(answer.code < 500 && (answer.cmd == command || bad.field == "data"), name)
                if let reasons = bad.reasons {
                    #expect(answer.code == 400 && (reasons.isEmpty || reasons.contains(answer.reason ?? "")), name)
                    if let field = bad.field { #expect(answer.data["field"]?.string == field, name) }
                }
                count += 1
            }
        }
        #expect(count > 400)
        let seq = try await session.say("after all that", in: conversation)
        let page = try await session.succeed("history", #"{"conversationId":"\#(conversation)"}"#)
        #expect(page["items"]?.array?.last?["seq"]?.integer == seq)
        try await stranger.login(user)
    }

    // MARK: Frames of nonsense

    static let texts: [(text: String, reason: String)] = [
        ("", "malformed_json"), (" ", "malformed_json"), ("hello", "malformed_json"), ("[]", "malformed_json"),
        ("1", "malformed_json"), ("null", "malformed_json"), (#""{}""#, "malformed_json"), ("{", "malformed_json"),
        ("{}", "missing_field"), (#"{"cmd":null}"#, "missing_field"), (#"{"cmd":1}"#, "invalid_field"),
        (#"{"cmd":"nothing"}"#, "unknown_command"), (#"{"cmd":""}"#, "unknown_command"),
        (#"{"cmd":"HEARTBEAT"}"#, "unknown_command"), (#"{"cmd":"heartbeat","cmd":"heartbeat"}"#, "repeated_key"),
        (#"{"cmd":"heartbeat","c\u006dd":"heartbeat"}"#, "repeated_key"),
        (#"{"seq":null,"seq":"2","cmd":"heartbeat"}"#, "repeated_key"),
        (#"{"seq":1,"cmd":"heartbeat"}"#, "invalid_field"),
        (#"{"seq":{},"cmd":"heartbeat"}"#, "invalid_field"),
        (#"{"seq":"\#(String(repeating: "1", count: 65))","cmd":"heartbeat"}"#, "invalid_field"),
        (#"{"cmd":"heartbeat","data":[]}"#, "invalid_field"), (#"{"cmd":"heartbeat"}x"#, "malformed_json"),
        (#"{"cmd":"heartbeat"}{}"#, "malformed_json"), (#"{"cmd":"heartbeat",}"#, "malformed_json"),
        (#"{cmd:"heartbeat"}"#, "malformed_json"), (#"{'cmd':'heartbeat'}"#, "malformed_json"),
        (#"{"cmd":"heartbeat","x":\#(BadValues.deep)}"#, "too_deep"),
        (#"{"cmd":"read","data":{"x":\#(BadValues.deep)}}"#, "too_deep"),
        (String(repeating: "[", count: 60_000), "malformed_json"),
        (String(repeating: #"{"a":"#, count: 10_000), "too_deep"),
        (#"{"cmd":"heartbeat","x":"\ud83d"}"#, "malformed_json"),
        (#"{"cmd":"heartbeat","x":"\x"}"#, "malformed_json"), ("{\"cmd\":\"heart\u{1}beat\"}", "malformed_json"),
        ("{\"cmd\":\"heartbeat\",\"x\":\"\0\"}", "malformed_json"), (#"{"cmd":"heartbeat","x":01}"#, "malformed_json"),
        (#"{"cmd":"heartbeat","x":1.}"#, "malformed_json"), (#"{"cmd":"heartbeat","x":+1}"#, "malformed_json"),
        (#"{"cmd":"heartbeat","x":Infinity}"#, "malformed_json"), (#"{"cmd":"heartbeat" /* */}"#, "malformed_json"),
        ("\u{FEFF}{\"cmd\":\"heartbeat\"}", "malformed_json"),
    ]

    @Test("Frames that are no commands are answered, and the session goes on")
    func nonsense() async throws {
        let user = try await TestServer.user()
        let client = try await TestServer.connect(user)
        for (text, reason) in Self.texts {
            client.sendText(text)
            // What is asked after it is answered after it, where the broken one has no seq.
            let answer = try await client.anonymousAnswer()
            #expect(answer.code == 400, "\(text.prefix(80)): \(answer)")
            #expect(answer.reason == reason, "\(text.prefix(80)): \(answer)")
            try await client.settle()
        }
    }

    static let frames: [(name: String, bytes: [UInt8], code: UInt16)] = [
        ("binary", WireClient.frame(.binary, [1, 2, 3]), 1003),
        ("not UTF-8", WireClient.frame(.text, [0x22, 0xC3, 0x28, 0x22]), 1007),
        ("64 KB and one byte", WireClient.frame(.text, Array(repeating: 0x20, count: 65_537)), 1009),
        ("a length of 2^62", [0x81, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1009),
        ("a length of 2^63", [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1002),
        ("no mask", [0x81, 0x02, 0x7B, 0x7D], 1002),
        ("a reserved bit", [0xC1, 0x80, 0, 0, 0, 0], 1002),
        ("a reserved opcode", [0x83, 0x80, 0, 0, 0, 0], 1002),
        ("a ping in parts", [0x09, 0x80, 0, 0, 0, 0], 1002),
        ("a large ping", [0x89, 0xFE, 0x00, 0x7E, 0, 0, 0, 0] + Array(repeating: 0, count: 126), 1002),
        ("a part without a begin", [0x80, 0x80, 0, 0, 0, 0], 1002),
        (
            "a begin within a message",
            WireClient.frame(.text, [0x7B], isFinal: false) + WireClient.frame(.text, [0x7D]), 1002
        ),
        ("a long way to say a short length", [0x81, 0xFE, 0x00, 0x02, 0, 0, 0, 0, 0x7B, 0x7D], 1002),
        ("a close of one byte", [0x88, 0x81, 0, 0, 0, 0, 0x03], 1002),
        ("a close with a code that is none", WireClient.frame(.close, [0x00, 0x01]), 1002),
        (
            "64 KB in parts",
            WireClient.frame(.text, Array(repeating: 0x20, count: 40_000), isFinal: false)
                + WireClient.frame(.continuation, Array(repeating: 0x20, count: 40_000)), 1009
        ),
    ]

    @Test("Broken frames end the session with their code", arguments: frames)
    func broken(_ frame: (name: String, bytes: [UInt8], code: UInt16)) async throws {
        let client = try await TestServer.connect(try await TestServer.user())
        client.sendRaw(frame.bytes)
        let code = try await client.waitClosed()
        #expect(code == frame.code, "\(frame.name)")
    }

    @Test("Frames that are cut short harm nobody else")
    func cutShort() async throws {
        let user = try await TestServer.user()
        let witness = try await TestServer.connect(user)
        let whole = WireClient.frame(.text, Array(#"{"seq":"1","cmd":"heartbeat","data":{}}"#.utf8))
        for count in 1..<whole.count {
            let client = try await WireClient.connect(port: TestServer.current.port)
            client.sendRaw(Array(whole[..<count]))
            await client.drop()
        }
        try await witness.settle()
    }

    // MARK: Many at once

    @Test("Ten thousand heartbeats at once are all answered, and what is sent behind them is stored")
    func pipeline() async throws {
        let (user, other) = (try await TestServer.user("owner"), try await TestServer.user("other"))
        let client = try await TestServer.connect(user)
        let count = 10_000
        var bytes: [UInt8] = []
        for number in 0..<count {
            bytes += WireClient.frame(.text, Array(WireClient.command("heartbeat", "{}", seq: "h\(number)").utf8))
        }
        bytes += WireClient.frame(
            .text, Array(WireClient.command("send", textMessage("behind", in: user.direct(other)), seq: "last").utf8))
        client.sendRaw(bytes)
        #expect(try await client.answer(to: "last").code == 200)
        for number in 0..<count {
            let answer = try await client.answer(to: "h\(number)")
            if answer.code != 200 { Issue.record("\(number): \(answer)") }
        }
        let page = try await TestServer.rest.succeed(
            "GET", "/api/chat/messages?conversationId=\(user.direct(other))", by: other)
        #expect(page["items"]?.array?.count == 1)
    }
}
