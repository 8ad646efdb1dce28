import MartletCore
import MartletWire
import NIOCore
import Testing

@testable import MartletBench

@Suite struct RestMessagesTests {
    private static let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-LENGTH: 7\r\nDate: today\r\n\r\n{\"a\":1}"

    @Test func `An answer is taken apart wherever it is cut`() throws {
        let bytes = Array((Self.answer + Self.answer).utf8)
        for cut in 0...bytes.count {
            var buffer = ByteBuffer()
            var bodies: [String] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                buffer.writeBytes(part)
                while let answer = try RestAnswer.next(&buffer) {
                    #expect(answer.status == 200)
                    bodies.append(String(buffer: answer.body))
                }
            }
            #expect(bodies == [#"{"a":1}"#, #"{"a":1}"#])
            #expect(buffer.readableBytes == 0)
        }
    }

    @Test func `A refusal keeps its status, and an empty body is one`() throws {
        var buffer = ByteBuffer(string: "HTTP/1.1 429 Too Many Requests\r\nContent-Length:0\r\n\r\n")
        let answer = try RestAnswer.next(&buffer)
        #expect(answer?.status == 429)
        #expect(answer?.body.readableBytes == 0)
    }

    @Test(arguments: [
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 xyz\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        String(repeating: "x", count: 17_000), "x\r\n\r\n",
    ])
    func `What is no answer of this server is refused`(_ text: String) {
        var buffer = ByteBuffer(string: text)
        #expect(throws: BenchFailure.self) { try RestAnswer.next(&buffer) }
    }

    @Test func `A send's template is a whole request with its mark and client id filled in`() throws {
        var template = SendTemplate(
            run: 0xABCD, sender: 0x1234, to: UserID(unchecked: 9), size: 100, host: "127.0.0.1:80", token: "secret")
        var clientIds: Set<String> = []
        for counter in [0, 7] as [UInt32] {
            template.fill(counter: counter, time: 0x1122, milliseconds: 1_700_000_000_000)
            let text = String(decoding: template.bytes, as: UTF8.self)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
            try #require(parts.count == 2)
            #expect(parts[0].hasPrefix("POST /api/chat/send HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"))
            #expect(parts[0].contains("\r\nAuthorization: Bearer secret\r\n"))
            #expect(parts[0].hasSuffix("\r\nContent-Length: \(parts[1].utf8.count)"))
            let body = try JSONValue(parsing: Array(parts[1].utf8))
            #expect(body["to"]?.integer == 9)
            let content = Array((body["content"]?["text"]?.string ?? "").utf8)
            let mark = Mark(content.span, at: 0)
            #expect(mark == Mark(run: 0xABCD, sender: 0x1234, counter: counter, time: 0x1122))
            clientIds.insert(body["clientId"]?.string ?? "")
        }
        #expect(clientIds.count == 2)
    }
}
