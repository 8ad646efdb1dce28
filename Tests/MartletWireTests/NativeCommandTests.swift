import MartletCore
import MartletWire
import Testing

@Suite struct NativeCommandTests {
    private func refusal(_ text: String) -> Refusal? {
        fault { () throws(Fault) in _ = try NativeCommand.scan(utf8(text).span) }
    }

    /// Seq, name and data of a frame, as text.
    private func scan(_ text: String) throws -> [String?] {
        let bytes = utf8(text)
        let command = try NativeCommand.scan(bytes.span)
        let inside = { (range: Range<Int>?) in range.map { String(decoding: bytes[$0], as: UTF8.self) } }
        return [inside(command.seq), "\(command.name.text)", inside(command.data)]
    }

    @Test func readsACommand() throws {
        #expect(try scan(#"{"seq": "1-2", "cmd": "send", "data": {"a" : [1]}}"#) == ["1-2", "send", #"{"a" : [1]}"#])
    }

    @Test func readsKeysInAnyOrderAndSkipsOthers() throws {
        let text = #" { "x":[{"cmd":1}],"data" : { } ,"cmd":"ack" , "y":null, "seq" : "" , "z":"\"" } "#
        #expect(try scan(text) == ["", "ack", "{ }"])
    }

    @Test func takesSeqAndDataAsOptional() throws {
        #expect(try scan(#"{"cmd":"heartbeat"}"#) == [nil, "heartbeat", nil])
        #expect(try scan(#"{"cmd":"heartbeat","seq":null,"data":null}"#) == [nil, "heartbeat", nil])
    }

    @Test func knowsEveryCommand() throws {
        for name in NativeCommandName.allCases {
            #expect(try scan("{\"cmd\":\"\(name.text)\"}")[1] == "\(name.text)")
            let escaped = "\(name.text)".unicodeScalars.map { "\\u00" + String($0.value, radix: 16) }.joined()
            #expect(try scan("{\"cmd\":\"\(escaped)\"}")[1] == "\(name.text)")
        }
    }

    @Test(arguments: ["", "Send", "sends", "sen", "send ", "语"])
    func callsOtherCommandsUnknown(_ name: String) throws {
        #expect(try scan("{\"cmd\":\"\(name)\"}")[1] == "unknown")
    }

    @Test func keepsSeqAsItCame() throws {
        #expect(try scan(#"{"seq":"a\"\u0041\\","cmd":"ack"}"#)[0] == #"a\"\u0041\\"#)
    }

    @Test func seesThroughEscapedKeys() throws {
        #expect(try scan(#"{"\u0063md":"ack","s\u0065q":"1"}"#) == ["1", "ack", nil])
        #expect(refusal(#"{"cmd":"ack","\u0063md":"send"}"#) == Refusal(.repeatedKey, "cmd"))
    }

    // MARK: Faults

    @Test func boundsSeq() throws {
        let longest = String(repeating: "x", count: 64)
        #expect(try scan("{\"seq\":\"\(longest)\",\"cmd\":\"ack\"}")[0] == longest)
        #expect(refusal("{\"seq\":\"\(longest)x\",\"cmd\":\"ack\"}") == Refusal(.invalidField, "seq"))
    }

    @Test(arguments: ["1", "true", "{}", "[\"a\"]"])
    func wantsText(_ value: String) {
        #expect(refusal("{\"seq\":\(value),\"cmd\":\"ack\"}") == Refusal(.invalidField, "seq"))
        #expect(refusal("{\"cmd\":\(value)}") == Refusal(.invalidField, "cmd"))
    }

    @Test(arguments: ["1", "\"{}\"", "[]", "true"])
    func wantsDataToBeAnObject(_ value: String) {
        #expect(refusal("{\"cmd\":\"ack\",\"data\":\(value)}") == Refusal(.invalidField, "data"))
    }

    @Test(arguments: ["{}", "{\"cmd\":null}", "{\"seq\":\"1\",\"data\":{}}"])
    func missesTheCommand(_ text: String) {
        #expect(refusal(text) == Refusal(.missingField, "cmd"))
    }

    @Test(arguments: ["seq", "cmd", "data"])
    func refusesARepeatedKey(_ key: String) {
        let value = key == "data" ? "{}" : "\"ack\""
        #expect(refusal("{\"cmd\":\"ack\",\"\(key)\":\(value),\"\(key)\":\(value)}")?.reason == .repeatedKey)
        #expect(refusal("{\"\(key)\":null,\"\(key)\":\(value)}") == Refusal(.repeatedKey, key))
    }

    @Test(arguments: [
        "", " ", "null", "[]", "\"cmd\"", "{", "{\"cmd\"", "{\"cmd\":\"ack\"", "{\"cmd\":\"ack\"}}",
        "{\"cmd\":\"ack\"} x", "{\"cmd\":\"ack\",}",
        "{\"cmd\":\"ack\",\"data\":{\"a\":}}", "{\"cmd\":\"ack\",\"data\":{1}}", "{cmd:\"ack\"}", "{\"cmd\":\"\\x\"}",
    ])
    func refusesWhatIsNoJSONObject(_ text: String) {
        #expect(refusal(text) == Refusal(.malformedJSON))
    }

    @Test func boundsTheDepth() {
        let nested = { (levels: Int) in
            "{\"cmd\":\"ack\",\"data\":" + String(repeating: "{\"a\":", count: levels) + "1"
                + String(repeating: "}", count: levels) + "}"
        }
        #expect(refusal(nested(Limits.jsonDepth - 1)) == nil)
        #expect(refusal(nested(Limits.jsonDepth)) == Refusal(.tooDeep))
        #expect(refusal(nested(10_000)) == Refusal(.tooDeep))
    }

    @Test(arguments: [
        (#"{"seq":"7"}"#, "7"), (#"{"seq":"7","cmd":"ack","data":[]}"#, "7"), (#"{"cmd":1,"s\u0065q":"7"}"#, "7"),
        (#"{"cmd":"ack","cmd":"ack","seq":"7"}"#, "7"), (#"{"seq":"7","seq":"8"}"#, "7"), (#"{"seq":"7","cmd":"#, "7"),
        (#"{"cmd":,"seq":"7"}"#, nil), (#"{"seq":7}"#, nil), (#"{"seq":null}"#, nil), (#"["seq","7"]"#, nil), ("", nil),
        (#"{"seq":"7"#, nil), (#"{"seq":"\x"}"#, nil),
    ])
    func tellsTheSeqOfWhatItRefuses(_ text: String, _ seq: String?) {
        let bytes = utf8(text)
        #expect(NativeCommand.seq(bytes.span).map { String(decoding: bytes[$0], as: UTF8.self) } == seq)
    }

    // MARK: Fuzz

    /// A scan and the parser agree on what is a frame.
    @Test func agreesWithTheParser() throws {
        var random = SplitMix64(seed: 10)
        for _ in 0..<3_000 {
            let seq = random.chance(3) ? "" : "\"seq\":\(string(random.text(4))),"
            let frame = "{\(seq)\"cmd\":\"send\",\"x\":\(random.json(2)),\"data\":{\"d\":\(random.json(3))}}"
            let input = random.chance(3) ? utf8(frame) : random.mutated(utf8(frame))
            guard UTF8Validator.isValid(input.span) else { continue }
            let scanned = try? NativeCommand.scan(input.span)
            guard let scanned, let parsed = try? JSONValue(parsing: input) else {
                #expect(scanned == nil || (try? JSONValue(parsing: input)) != nil || hasParsersOwnFault(input))
                continue
            }
            #expect(scanned.data.map { try? JSONValue(parsing: Array(input[$0])) } != .some(nil))
            #expect((scanned.data == nil) == (parsed["data"] == nil || parsed["data"] == .null))
            #expect((scanned.seq == nil) == (parsed["seq"] == nil || parsed["seq"] == .null))
            if let seq = scanned.seq {
                let quoted = [UInt8(ascii: "\"")] + input[seq] + [UInt8(ascii: "\"")]
                #expect(try JSONValue(parsing: Array(quoted)) == parsed["seq"])
            }
        }
    }

    /// The parser alone refuses keys repeated anywhere, and numbers beyond a Double.
    private func hasParsersOwnFault(_ input: [UInt8]) -> Bool {
        let refusal = fault { () throws(Fault) in _ = try JSONValue(parsing: input) }
        return refusal?.reason == .repeatedKey || input.contains(UInt8(ascii: "e"))
    }

    @Test func readsWhatClientsWrite() throws {
        let frames: [([UInt8], NativeCommandName)] = [
            (NativeRequest.login(seq: "1", token: "t.o.k", device: .ios, resume: true), .login),
            (NativeRequest.guest(seq: "1", name: "语\"", app: AppID(unchecked: 1)), .login),
            (NativeRequest.heartbeat(seq: "1"), .heartbeat),
            (NativeRequest.sync(seq: "1", cursors: [(.group(GroupID(unchecked: 4)), 7)], limit: 9), .sync),
            (NativeRequest.command("1", .react) { $0.field("on", true) }, .react),
        ]
        for (frame, name) in frames {
            let command = try NativeCommand.scan(frame.span)
            #expect(command.name == name)
            #expect(command.seq.map { Array(frame[$0]) } == utf8("1"))
            #expect(command.data != nil)
        }
    }

    @Test func writesASignInAsDocumented() throws {
        let login = try JSONValue(parsing: NativeRequest.login(seq: nil, token: "t", resume: true))
        #expect(login["seq"] == nil)
        #expect(login["data"]?["token"]?.string == "t")
        #expect(login["data"]?["device"]?.string == "web")
        #expect(login["data"]?["resume"]?.bool == true)
        let cursors: [(ConversationID, Int64)] = [
            (.inbox(UserID(unchecked: 5)), 3), (.room(AppID(unchecked: 1), "a"), 0),
        ]
        let sync = try JSONValue(parsing: NativeRequest.sync(seq: "s", cursors: cursors))
        #expect(sync["data"]?["cursors"]?["u:5"]?.integer == 3)
        #expect(sync["data"]?["cursors"]?["r:1:a"]?.integer == 0)
        #expect(sync["data"]?["limit"] == nil)
    }
}
