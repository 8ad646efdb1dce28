import MartletCore
import MartletWire
import NIOCore
import Testing

@Suite struct NativeEncoderTests {
    private let allocator = ByteBufferAllocator()

    /// The JSON of a frame, which must be one complete text frame of a server.
    private func read(_ frame: ByteBuffer) throws -> JSONValue {
        let items = decode(Array(frame.readableBytesView), role: .client, maximum: 1 << 20)
        guard items.count == 1, case .text(let text) = items[0] else {
            Issue.record("\(items)")
            return .null
        }
        return try JSONValue(parsing: utf8(text))
    }

    private func event(
        _ conversation: ConversationID = .group(GroupID(unchecked: 3)), kind: EventKind = .text, name: String = "alice",
        clientId: String = "c", body: [UInt8]? = utf8("{\"text\":\"hi\"}"), number: Int64 = 7
    ) -> Event {
        Event(
            conversation: conversation, seq: number, ordinal: number &+ 1, sender: UserID(unchecked: 5),
            senderName: name,
            kind: kind, clientId: clientId, time: Instant(milliseconds: number), body: body)
    }

    // MARK: Pushes

    @Test func pushesAMessage() throws {
        let frame = NativeEncoder.push(event(.direct(UserID(unchecked: 5), UserID(unchecked: 9))), allocator: allocator)
        let expected =
            #"{"cmd":"msg","data":{"conversationId":"d:5:9","seq":7,"messageId":8,"from":5,"fromName":"alice","#
            + #""type":"text","content":{"text":"hi"},"clientId":"c","time":7}}"#
        #expect(Array(frame.readableBytesView) == [0x81, 126, 0, UInt8(expected.utf8.count)] + utf8(expected))
    }

    @Test func namesThePushByTheKind() throws {
        let commands: [EventKind: String] = [
            .custom: "msg", .edit: "event", .recall: "event", .react: "event", .membership: "event", .group: "event",
            .friendRequest: "notify", .profileChanged: "notify",
        ]
        for (kind, command) in commands {
            let push = try read(NativeEncoder.push(event(kind: kind), allocator: allocator))
            #expect(push["cmd"]?.string == command)
            #expect(push["data"]?["type"]?.string == kind.name)
        }
        for kind in EventKind.allCases { #expect(("\(kind.pushCommand)" == "msg") == kind.isMessage) }
    }

    @Test(arguments: ["d:5:9007199254740991", "g:12", "r:1", "r:2147483647:a-b_c", "u:5"])
    func namesEveryConversation(_ name: String) throws {
        let id = try #require(ConversationID(name))
        #expect(
            try read(NativeEncoder.push(event(id), allocator: allocator))["data"]?["conversationId"]?.string == name)
        let receipt = Receipt(seq: 1, ordinal: 2, time: Instant(milliseconds: 3), isRepeat: false)
        let answer = NativeEncoder.sendAnswer(seq: nil, conversation: id, receipt: receipt, allocator: allocator)
        #expect(try read(answer)["response"]?["data"]?["conversationId"]?.string == name)
    }

    @Test(arguments: [0, 1, 9, 10, 99, 100, 999_999_999, 1_640_995_200_123, 9_007_199_254_740_990, -1, -10] as [Int64])
    func writesIntegers(_ number: Int64) throws {
        let push = try read(NativeEncoder.push(event(number: number), allocator: allocator))
        #expect(push["data"]?["seq"]?.integer == number)
        #expect(push["data"]?["messageId"]?.integer == number + 1)
        #expect(push["data"]?["time"]?.integer == number)
    }

    /// Every length of header, and payloads at their edges.
    @Test func writesFramesOfEverySize() throws {
        for count in Array(0...140) + Array(65_380...65_540) + [200_000] {
            let body = utf8("{\"x\":\"" + String(repeating: "x", count: count) + "\"}")
            let push = try read(NativeEncoder.push(cmd: "typing", data: body, allocator: allocator))
            #expect(push["cmd"]?.string == "typing")
            #expect(push["data"]?["x"]?.string?.utf8.count == count)
        }
    }

    @Test func pushesAnErasedEventWithoutContent() throws {
        let push = try read(NativeEncoder.push(event(body: nil), allocator: allocator))
        #expect(push["data"]?["content"] == .object([]))
    }

    @Test func escapesNamesAndIds() throws {
        var random = SplitMix64(seed: 14)
        for _ in 0..<500 {
            let (name, id) = (random.text(20), random.text(20))
            let push = try read(NativeEncoder.push(event(name: name, clientId: id), allocator: allocator))
            #expect(push["data"]?["fromName"]?.string == name)
            #expect(push["data"]?["clientId"]?.string == id)
        }
    }

    // MARK: Answers

    @Test func answersASend() {
        let receipt = Receipt(seq: 42, ordinal: 123_456, time: Instant(milliseconds: 1_640_995_200_123), isRepeat: true)
        let frame = NativeEncoder.sendAnswer(
            seq: "a-1", conversation: .room(AppID(unchecked: 1), "lobby"), receipt: receipt, allocator: allocator)
        let expected =
            #"{"seq":"a-1","cmd":"send","response":{"code":200,"codeMsg":"Success","data":{"#
            + #""conversationId":"r:1:lobby","seq":42,"messageId":123456,"time":1640995200123}}}"#
        #expect(Array(frame.readableBytesView.dropFirst(4)) == utf8(expected))
    }

    @Test func answersWithAndWithoutSeqAndData() {
        let payload = { (frame: ByteBuffer) in String(decoding: frame.readableBytesView.dropFirst(2), as: UTF8.self) }
        #expect(
            payload(NativeEncoder.answer(seq: nil, cmd: .heartbeat, data: nil, allocator: allocator))
                == #"{"cmd":"heartbeat","response":{"code":200,"codeMsg":"Success","data":{}}}"#)
        #expect(
            payload(NativeEncoder.answer(seq: "", cmd: .read, data: utf8("{\"a\":1}"), allocator: allocator))
                == #"{"seq":"","cmd":"read","response":{"code":200,"codeMsg":"Success","data":{"a":1}}}"#)
    }

    @Test func echoesSeqAsItCame() throws {
        let raw = #"\u0041\"\\语"#
        let answer = try read(NativeEncoder.answer(seq: raw, cmd: .ack, data: nil, allocator: allocator))
        #expect(answer["seq"]?.string == "A\"\\语")
    }

    @Test func answersEveryCommandByItsName() throws {
        for name in NativeCommandName.allCases {
            let answer = try read(NativeEncoder.answer(seq: nil, cmd: name, data: nil, allocator: allocator))
            #expect(answer["cmd"]?.string == "\(name.text)")
        }
    }

    @Test func answersAFault() throws {
        struct Hidden: Error {}
        let fault = Fault(
            .rateLimited, "too \"fast\"", field: "content.text", retryAfter: .milliseconds(1_500), cause: Hidden())
        let answer = try read(NativeEncoder.fault(seq: "9", cmd: .send, fault, allocator: allocator))
        #expect(answer["seq"]?.string == "9")
        let response = try #require(answer["response"])
        #expect(response["code"]?.integer == 429)
        #expect(response["codeMsg"]?.string == "too \"fast\"")
        #expect(response["data"]?["reason"]?.string == "rate_limited")
        #expect(response["data"]?["field"]?.string == "content.text")
        #expect(response["data"]?["retryAfterMs"]?.integer == 1_500)
    }

    @Test func answersEveryReasonWithItsCode() throws {
        for reason in Fault.Reason.allCases {
            let frame = NativeEncoder.fault(seq: nil, cmd: .unknown, Fault(reason, "m"), allocator: allocator)
            let response = try #require(try read(frame)["response"])
            #expect(response["code"]?.integer == Int64(reason.code.rawValue))
            guard case .object(let members) = response["data"] else {
                Issue.record("no data")
                return
            }
            #expect(members.map(\.key) == ["reason"])
            #expect(members.first?.value.string == reason.rawValue)
        }
    }
}
