import MartletWire
import Testing

@Suite struct UpgradeAnswerTests {
    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    private func read(_ text: String, key: String? = nil) -> UpgradeAnswer {
        UpgradeAnswer.read(utf8(text).span, key: key)
    }

    /// RFC 6455, section 1.3.
    @Test func acceptsWithTheDigestOfTheStandard() {
        let response = String(decoding: UpgradeResponse.accept(key: Self.key), as: UTF8.self)
        #expect(response.hasPrefix("HTTP/1.1 101 "))
        #expect(response.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        #expect(response.contains("\r\nUpgrade: websocket\r\n"))
        #expect(response.contains("\r\nConnection: Upgrade\r\n"))
        #expect(response.hasSuffix("\r\n\r\n"))
    }

    @Test func readsTheServersOwnAtEverySplit() {
        let response = UpgradeResponse.accept(key: Self.key)
        let input = response + [0x81, 0x00]
        for count in 0...input.count {
            let answer = UpgradeAnswer.read(input.span.extracting(..<count), key: Self.key)
            #expect(answer == (count < response.count ? .incomplete : .accepted(headBytes: response.count)))
        }
    }

    @Test func readsRefusals() {
        #expect(
            UpgradeAnswer.read(UpgradeRefusal.unsupportedVersion.response.span, key: Self.key) == .refused(status: 426))
        #expect(read("HTTP/1.1 404 Not Found\r\n\r\n") == .refused(status: 404))
        #expect(read("HTTP/1.1 404\r\n\r\n") == .refused(status: 404))
    }

    @Test func distrustsAnAnswerToAnotherKey() {
        let response = String(decoding: UpgradeResponse.accept(key: Self.key), as: UTF8.self)
        #expect(read(response, key: "AAAAAAAAAAAAAAAAAAAAAA==") == .refused(status: 0))
        #expect(read(response) == .accepted(headBytes: response.utf8.count))
    }

    @Test(arguments: [
        "SSH-2.0-x", "HTTP/1.0 101 x\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 1x1 x\r\n\r\n", "HTTP/1.1 -10 x\r\n\r\n",
        "HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", "HTTP/1.1 101 x\r\nbroken\r\n\r\n",
    ])
    func refusesWhatIsNoAnswer(_ text: String) {
        #expect(read(text) == .refused(status: 0))
    }

    @Test func boundsTheHead() {
        #expect(read("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 20_000)) == .refused(status: 0))
    }

    @Test func makesKeysThatAServerTakes() {
        let keys = Set((0..<50).map { _ in UpgradeRequest.randomKey() })
        #expect(keys.count == 50)
        #expect(keys.allSatisfy { $0.utf8.count == 24 && $0.hasSuffix("==") })
    }
}
