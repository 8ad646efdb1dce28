import MartletCore
import MartletWire
import Testing

@testable import MartletBench

@Suite struct ServerReplyTests {
    private func reply(_ text: String) throws -> (reply: ServerReply, bytes: [UInt8]) {
        let bytes = Array(text.utf8)
        return (try ServerReply(bytes.span), bytes)
    }

    @Test func `An answer's number, code and data are found in any order`() throws {
        let texts = [
            #"{"seq":"abc","cmd":"send","response":{"code":200,"codeMsg":"Success","data":{"seq":7,"time":1}}}"#,
            #"{ "response" : { "data" : {"time":1, "seq" : 7}, "code" : 200 } , "cmd" : "send" , "seq" : "abc" }"#,
        ]
        for text in texts {
            let (reply, bytes) = try reply(text)
            #expect(reply.command == .send)
            #expect(reply.code == 200)
            let number = try #require(reply.number)
            #expect(String(decoding: bytes[number], as: UTF8.self) == "abc")
            let seq = reply.integer("seq", bytes.span)
            #expect(seq == 7)
            let none = reply.integer("missing", bytes.span)
            #expect(none == nil)
        }
    }

    @Test func `A push has no number and no code`() throws {
        let (reply, bytes) = try reply(#"{"cmd":"msg","data":{"conversationId":"d:1:2","seq":42}}"#)
        #expect(reply.command == .message)
        #expect(reply.number == nil)
        #expect(reply.code == 0)
        let seq = reply.integer("seq", bytes.span)
        #expect(seq == 42)
        let isPlain = ServerReply.isPlainMessage(bytes.span)
        #expect(isPlain)
    }

    @Test(arguments: ["", "{", "[]", "{\"cmd\":}", "nonsense"])
    func `What is no object is refused`(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(throws: Fault.self) { try ServerReply(bytes.span) }
        let isPlain = ServerReply.isPlainMessage(bytes.span)
        #expect(!isPlain)
    }

    @Test func `A template is a valid send with its mark, number and client id filled in`() throws {
        for target in [
            SendTemplate.Target.user(UserID(unchecked: 9)), .conversation(.room(AppID(unchecked: 1), "bench")),
        ] {
            var template = SendTemplate(run: 0xABCD, sender: 0x1234, to: target, size: 100)
            var clientIds: Set<String> = []
            for counter in [0, 1, UInt32.max] {
                template.fill(counter: counter, time: 0x1122, milliseconds: 1_700_000_000_000)
                let frame = try JSONValue(parsing: template.bytes)
                #expect(frame["cmd"]?.string == "send")
                let text = try #require(frame["data"]?["content"]?["text"]?.string)
                #expect(text.utf8.count == 100)
                let marked = Array(text.utf8)
                let mark = Mark(marked.span, at: 0)
                #expect(mark == Mark(run: 0xABCD, sender: 0x1234, counter: counter, time: 0x1122))
                let number = Array((frame["seq"]?.string ?? "").utf8)
                let read = SendTemplate.number(number.span, 0..<number.count)
                #expect(read?.counter == counter)
                #expect(read?.time == 0x1122)
                let clientId = try #require(frame["data"]?["clientId"]?.string)
                #expect(clientId.hasPrefix("018bcfe5-6800-7000-8"))
                #expect(clientId.utf8.count == 36)
                clientIds.insert(clientId)
            }
            #expect(clientIds.count == 3)
        }
    }

    @Test func `Another answer's number is none of ours`() {
        let bytes = Array("login".utf8)
        let number = SendTemplate.number(bytes.span, 0..<bytes.count)
        #expect(number == nil)
    }
}
