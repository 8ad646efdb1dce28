import MartletCore
import MartletWire
import Testing

@Suite struct NativeSendTests {
    private static func scan(_ frame: [UInt8]) throws(Fault) -> (NativeSend, [UInt8]) {
        let command = try NativeCommand.scan(frame.span)
        guard let data = command.data else { throw .missing("data") }
        let send = try NativeSend.scan(frame.span, data: data)
        return (send, Array(frame[send.content]))
    }

    /// The data of a send, each field's value as JSON; nil leaves it out.
    private static func data(
        conversation: String? = "\"d:5:9\"", to: String? = nil, clientId: String? = "\"c-1\"",
        type: String? = "\"text\"",
        content: String? = "{\"text\":\"hi\"}", and more: String = ""
    ) -> String {
        let fields = [
            ("conversationId", conversation), ("to", to), ("clientId", clientId), ("type", type), ("content", content),
        ]
        let given = fields.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }
        return "{" + given.joined(separator: ",") + more + "}"
    }

    private static func scan(data: String) throws(Fault) -> (NativeSend, [UInt8]) {
        try scan(utf8("{\"cmd\":\"send\",\"data\":\(data)}"))
    }

    private func refusal(_ data: String) -> Refusal? { fault { () throws(Fault) in _ = try Self.scan(data: data) } }

    @Test func readsASend() throws {
        let (send, content) = try Self.scan(data: Self.data(content: "{ \"text\" : \"h}i\" }"))
        #expect(send.target == .conversation(try #require(ConversationID("d:5:9"))))
        #expect(send.clientId == "c-1")
        #expect(send.kind == .text)
        #expect(content == utf8("{ \"text\" : \"h}i\" }"))
    }

    @Test func readsASendToAUser() throws {
        let (send, _) = try Self.scan(data: Self.data(conversation: nil, to: "9007199254740991", type: "\"redpacket\""))
        #expect(send.target == .user(UserID(unchecked: maximumIdentifier)))
        #expect(send.kind == .redpacket)
    }

    @Test func knowsEveryMessageType() throws {
        for kind in EventKind.allCases {
            let data = Self.data(type: "\"\(kind.name)\"")
            guard kind.isMessage else {
                #expect(refusal(data) == Refusal(.unknownType, "type"))
                continue
            }
            #expect(try Self.scan(data: data).0.kind == kind)
        }
    }

    @Test func readsEscapes() throws {
        let data = Self.data(
            conversation: #""\u0064:5:9""#, clientId: #""\u0063\/1""#, type: #""t\u0065xt""#, and: #","\u0078":1"#)
        let (send, _) = try Self.scan(data: data)
        #expect(send.target == .conversation(try #require(ConversationID("d:5:9"))))
        #expect(send.clientId == "c/1")
        #expect(send.kind == .text)
    }

    @Test func skipsUnknownKeysAndTakesAnyOrder() throws {
        let text =
            #"{"x":{"to":1}, "content" : {} ,"type":"custom", "clientId":"~ ~","to":null, "conversationId":"g:7" }"#
        let (send, content) = try Self.scan(data: text)
        #expect(send.target == .conversation(try #require(ConversationID("g:7"))))
        #expect(send.clientId == "~ ~")
        #expect(content == utf8("{}"))
    }

    @Test func readsWhatClientsWrite() throws {
        let content = utf8("{\"text\":\"x\"}")
        let direct = NativeRequest.send(seq: "1", to: UserID(unchecked: 9), clientId: "id\"\\", content: content)
        #expect(try Self.scan(direct).0.target == .user(UserID(unchecked: 9)))
        #expect(try Self.scan(direct).0.clientId == "id\"\\")
        let room = ConversationID.room(AppID(unchecked: 1), "lobby")
        let custom = NativeRequest.send(seq: nil, conversation: room, clientId: "c", kind: .custom, content: content)
        #expect(try Self.scan(custom).0.target == .conversation(room))
        #expect(try Self.scan(custom).0.kind == .custom)
        #expect(try Self.scan(custom).1 == content)
    }

    // MARK: Faults

    @Test func missesFields() {
        #expect(refusal("{}") == Refusal(.missingField, "conversationId"))
        #expect(refusal(Self.data(conversation: nil)) == Refusal(.missingField, "conversationId"))
        #expect(refusal(Self.data(clientId: nil)) == Refusal(.missingField, "clientId"))
        #expect(refusal(Self.data(type: nil)) == Refusal(.missingField, "type"))
        #expect(refusal(Self.data(content: nil)) == Refusal(.missingField, "content"))
        #expect(refusal(Self.data(conversation: "null")) == Refusal(.missingField, "conversationId"))
        #expect(refusal(Self.data(clientId: "null")) == Refusal(.missingField, "clientId"))
        #expect(refusal(Self.data(type: "null")) == Refusal(.missingField, "type"))
        #expect(refusal(Self.data(content: "null")) == Refusal(.missingField, "content"))
    }

    @Test func wantsOneDestination() {
        #expect(refusal(Self.data(to: "9")) == Refusal(.invalidField, "to"))
    }

    @Test(arguments: ["\"d:9:5\"", "\"\"", "7", "[]", "{}", "true", "\"\\u0064\"", "\"g:01\""])
    func refusesConversationsThatAreNone(_ value: String) {
        #expect(refusal(Self.data(conversation: value)) == Refusal(.invalidField, "conversationId"))
    }

    @Test(arguments: ["0", "-1", "1.0", "1e3", "9007199254740992", "\"9\"", "[9]", "true", "{}"])
    func refusesUsersThatAreNone(_ value: String) {
        #expect(refusal(Self.data(conversation: nil, to: value)) == Refusal(.invalidField, "to"))
    }

    @Test func boundsClientIds() throws {
        let longest = String(repeating: "x", count: 64)
        #expect(try Self.scan(data: Self.data(clientId: "\"\(longest)\"")).0.clientId == longest)
        let escaped = String(repeating: "\\u0078", count: 64)
        #expect(try Self.scan(data: Self.data(clientId: "\"\(escaped)\"")).0.clientId == longest)
        let invalid = Refusal(.invalidField, "clientId")
        for value in [
            "\"\(longest)x\"", "\"\(escaped)x\"", "\"\"", "7", "\"é\"", "\"\\u0000\"", "\"\u{7F}\"", "\"a\\n\"", "{}",
        ] {
            #expect(refusal(Self.data(clientId: value)) == invalid)
        }
    }

    @Test func refusesTypes() {
        #expect(refusal(Self.data(type: "7")) == Refusal(.invalidField, "type"))
        for name in ["", "Text", "texts", "edit", String(repeating: "x", count: 1_000)] {
            #expect(refusal(Self.data(type: "\"\(name)\"")) == Refusal(.unknownType, "type"))
        }
    }

    @Test(arguments: ["7", "\"{}\"", "[]", "true"])
    func wantsTheContentToBeAnObject(_ value: String) {
        #expect(refusal(Self.data(content: value)) == Refusal(.invalidField, "content"))
    }

    @Test(arguments: ["conversationId", "to", "clientId", "type", "content"])
    func refusesARepeatedKey(_ key: String) {
        #expect(refusal(Self.data(and: ",\"\(key)\":null,\"\(key)\":1")) == Refusal(.repeatedKey, key))
        let escaped = "\\u00" + String(key.utf8.first ?? 0, radix: 16) + key.dropFirst()
        #expect(refusal(Self.data(and: ",\"\(key)\":null,\"\(escaped)\":1")) == Refusal(.repeatedKey, key))
    }

    // MARK: Against JSONFields

    /// The same fields, read on the cold path.
    private static func fields(_ data: [UInt8]) throws(Fault) {
        let fields = try JSONFields(parsing: data, path: [])
        let conversation = try fields.optionalConversation("conversationId")
        let to = try fields.optionalUser("to")
        if conversation == nil, to == nil { throw .missing("conversationId") }
        if conversation != nil, to != nil { throw .invalid("to", "either conversationId or to is expected") }
        _ = try fields.clientId()
        let type = try fields.text("type", 1...1_000)
        guard EventKind.message(named: type) != nil else { throw Fault(.unknownType, "", field: "type") }
        _ = try fields.object("content")
    }

    /// One wrong thing at a time is refused with the same reason for the same field as on the cold path.
    @Test func refusesAsTheColdPathDoes() {
        let values = ["null", "7", "-1", "1.5", "\"\"", "\"x\"", "\"d:5:9\"", "[]", "{}", "true", "\"\\u0064:5:9\""]
        for value in values + [""] {
            let given: String? = value.isEmpty ? nil : value
            let variants = [
                Self.data(conversation: given), Self.data(conversation: nil, to: given), Self.data(clientId: given),
                Self.data(type: given == "\"\"" ? nil : given), Self.data(content: given),
            ]
            for data in variants {
                let cold = fault { () throws(Fault) in try Self.fields(utf8(data)) }
                #expect(refusal(data) == cold, "\(data)")
            }
        }
    }

    @Test func standsMutatedFrames() {
        var random = SplitMix64(seed: 11)
        let frame = utf8("{\"seq\":\"1\",\"cmd\":\"send\",\"data\":\(Self.data(to: "null", and: ",\"x\":[1,{}]"))}")
        for _ in 0..<5_000 {
            let input = random.mutated(frame)
            guard UTF8Validator.isValid(input.span) else { continue }
            guard let (_, content) = try? Self.scan(input) else { continue }
            #expect(content.first == UInt8(ascii: "{") && content.last == UInt8(ascii: "}"))
        }
    }

    /// Ranges that `NativeCommand` would not give are refused, not followed.
    @Test func standsRangesThatAreNotData() {
        let frame = utf8("{\"cmd\":\"send\",\"data\":\(Self.data())}")
        for lower in frame.indices {
            for upper in lower...frame.count { _ = try? NativeSend.scan(frame.span, data: lower..<upper) }
        }
    }
}
