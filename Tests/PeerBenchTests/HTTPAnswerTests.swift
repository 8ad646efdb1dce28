import MartletBench
import NIOCore
import Testing

@testable import PeerBench

@Suite struct HTTPAnswerTests {
    private func read(_ text: String) throws(BenchFailure) -> HTTPAnswer? {
        let bytes = Array(text.utf8)
        return try HTTPAnswer.read(bytes.span)
    }

    @Test func readsTheFirstOfSeveralAnswers() throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-LENGTH:  5\r\n\r\n"
        let answer = try read(head + "helloHTTP/1.1 404 Not Found\r\n")
        let start = head.utf8.count
        #expect(answer == HTTPAnswer(status: 200, body: start..<(start + 5)))
    }

    @Test func waitsForItsWholeBody() throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        for length in 0..<text.count {
            let answer = try read(String(text.prefix(length)))
            #expect(answer == nil, "\(length)")
        }
    }

    @Test(arguments: [
        "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        String(repeating: "x", count: 20_000),
    ])
    func refusesWhatItCannotFollow(_ text: String) {
        let failed = fails { _ = try read(text) }
        #expect(failed)
    }
}
