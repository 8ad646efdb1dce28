import MartletWire
import Testing

@Suite struct RequestPeekTests {
    /// A peek's outcome, comparable.
    private enum Outcome: Equatable {
        case incomplete
        case http
        case upgrade(UpgradeRequest, Int)
        case refused(Int, Int)

        init(_ peek: RequestPeek) {
            switch peek {
            case .incomplete: self = .incomplete
            case .http: self = .http
            case .upgrade(let request, let head): self = .upgrade(request, head)
            case .refused(let refusal, let head): self = .refused(refusal.status, head)
            }
        }
    }

    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    private static func head(
        _ line: String = "GET /ws HTTP/1.1", dropping dropped: String = "", adding added: [String] = []
    ) -> String {
        let headers = [
            "Host: chat.example:8080", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: \(key)",
            "Sec-WebSocket-Version: 13",
        ]
        let kept = headers.filter { dropped.isEmpty || !$0.hasPrefix(dropped) }
        return ([line] + kept + added).joined(separator: "\r\n") + "\r\n\r\n"
    }

    private func peek(_ text: String) -> Outcome { Outcome(RequestPeek.read(utf8(text).span)) }

    private func isUpgrade(_ text: String) -> Bool { if case .upgrade = peek(text) { true } else { false } }

    private func isRefused(_ text: String, _ status: Int) -> Bool { peek(text) == .refused(status, text.utf8.count) }

    // MARK: Accepted

    @Test func readsAHandshake() {
        let text = Self.head(
            "GET /ws?v=1 HTTP/1.1",
            adding: ["Origin: https://chat.example", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: ::1"])
        let request = UpgradeRequest(
            key: Self.key, target: "/ws?v=1", origin: "https://chat.example", host: "chat.example:8080",
            forwardedFor: "10.0.0.1, ::1")
        #expect(peek(text) == .upgrade(request, text.utf8.count))
        #expect(peek(text + "frames") == .upgrade(request, text.utf8.count))
    }

    @Test func readsTheClientsOwn() {
        let key = UpgradeRequest.randomKey()
        let request = UpgradeRequest.client(
            host: "localhost", key: key, headers: [(name: "Origin", value: "http://localhost")])
        let expected = UpgradeRequest(
            key: key, target: "/ws", origin: "http://localhost", host: "localhost", forwardedFor: nil)
        #expect(Outcome(RequestPeek.read(request.span)) == .upgrade(expected, request.count))
    }

    @Test func ignoresCaseAndSpaces() {
        let text =
            "GET /ws HTTP/1.1\r\nHOST:\t h \r\nupgrade: h2c , WebSocket\r\nconnection: keep-alive,\tUPGRADE\r\n"
            + "sec-websocket-KEY:\(Self.key)\t\r\nSEC-WEBSOCKET-VERSION:13\r\n\r\n"
        #expect(
            peek(text)
                == .upgrade(
                    UpgradeRequest(key: Self.key, target: "/ws", origin: nil, host: "h", forwardedFor: nil),
                    text.utf8.count))
    }

    @Test func joinsRepeatedLists() {
        #expect(isUpgrade(Self.head(adding: ["Connection: keep-alive", "Upgrade: h2c"])))
        #expect(
            isUpgrade(Self.head(dropping: "Connection", adding: ["Connection: keep-alive", "Connection: Upgrade"])))
    }

    @Test func takesAnotherPath() {
        let text = Self.head("GET /acc HTTP/1.1")
        #expect(Outcome(RequestPeek.read(utf8(text).span, paths: ["/ws", "/acc"])) != .http)
        #expect(peek(text) == .http)
    }

    // MARK: Splits

    @Test(arguments: [
        head(), head("GET /ws?x=\u{27} HTTP/1.1"), head(dropping: "Sec-WebSocket-Version"), head(dropping: "Upgrade"),
        head(adding: ["broken"]), head() + "more", "POST /ws HTTP/1.1\r\n\r\n", "GET /wsx HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}", "GET /ws\r\n\r\n",
    ])
    func decidesOnceAtEverySplit(_ text: String) throws {
        let bytes = utf8(text)
        let whole = Outcome(RequestPeek.read(bytes.span))
        try #require(whole != .incomplete)
        var isDecided = false
        for count in 0...bytes.count {
            let outcome = Outcome(RequestPeek.read(bytes.span.extracting(..<count)))
            #expect(outcome == whole || (outcome == .incomplete && !isDecided), "after \(count) bytes")
            isDecided = outcome != .incomplete
        }
    }

    @Test(arguments: ["P", "GE ", "GET /x", "GET /wsx", "GET /ws/", "get /ws", "\0", "GET /w "])
    func knowsPlainHTTPEarly(_ text: String) {
        #expect(peek(text) == .http)
    }

    @Test(arguments: ["", "G", "GET /ws", "GET /ws ", "GET /ws HTTP/1.1\r\nHost: x\r\n"])
    func waitsForMore(_ text: String) {
        #expect(peek(text) == .incomplete)
    }

    // MARK: Plain HTTP

    @Test func leavesRequestsThatAreNoUpgradeToHTTP() {
        #expect(peek(Self.head(dropping: "Upgrade")) == .http)
        #expect(peek(Self.head(dropping: "Connection")) == .http)
        #expect(peek(Self.head(dropping: "Upgrade", adding: ["Upgrade: h2c"])) == .http)
        #expect(peek(Self.head(dropping: "Upgrade", adding: ["Upgrade: websockets"])) == .http)
        #expect(peek(Self.head("GET /ws HTTP/1.0")) == .http)
        #expect(peek(Self.head("GET /ws HTTP/1.1 x")) == .http)
        #expect(peek(Self.head("GET /ws  HTTP/1.1")) == .http)
    }

    // MARK: Refusals

    @Test(arguments: ["", "12", "14", "013", "13, 8", "8", "13;"])
    func refusesOtherVersions(_ version: String) throws {
        let header = version.isEmpty ? [] : ["Sec-WebSocket-Version: \(version)"]
        let text = Self.head(dropping: "Sec-WebSocket-Version", adding: header)
        #expect(isRefused(text, 426))
        guard case .refused(let refusal, _) = RequestPeek.read(utf8(text).span) else { return }
        let response = String(decoding: refusal.response, as: UTF8.self)
        #expect(response.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
        #expect(response.contains("\r\nSec-WebSocket-Version: 13\r\n"))
        #expect(response.contains("\r\nConnection: Upgrade, close\r\n"))
    }

    @Test(arguments: [
        "", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25j ZQ=", "dGhlIHNhbXBsZSBub25jZ*==", "dGhlIHNhbXBsZSBub25jZ_==",
    ])
    func refusesKeysThatAreNone(_ key: String) {
        #expect(isRefused(Self.head(dropping: "Sec-WebSocket-Key", adding: ["Sec-WebSocket-Key: \(key)"]), 400))
    }

    @Test(arguments: ["Sec-WebSocket-Key", "Host"])
    func refusesAMissingHeader(_ name: String) {
        #expect(isRefused(Self.head(dropping: name), 400))
    }

    @Test(arguments: ["Sec-WebSocket-Key: \(key)", "Host: other", "Content-Length: 5", "Transfer-Encoding: chunked"])
    func refusesWhatMayStandOnceOrNotAtAll(_ header: String) {
        #expect(isRefused(Self.head(adding: [header]), 400))
        #expect(isUpgrade(Self.head(adding: ["Content-Length: 0"])))
    }

    @Test(arguments: [
        "no colon", ": empty", " folded: x", "a b: c", "name : x", "a: \u{0}", "a: \u{7F}", "a: \rx", "a: \nHost: y",
        "é: x",
    ])
    func refusesMalformedHeaders(_ header: String) {
        #expect(isRefused(Self.head(adding: [header]), 400))
    }

    @Test func boundsTheHead() {
        let filler = { (count: Int) in "X: " + String(repeating: "a", count: count) }
        let overhead = Self.head(adding: [filler(0)]).utf8.count
        #expect(isUpgrade(Self.head(adding: [filler(16_384 - overhead)])))
        let long = utf8(Self.head(adding: [filler(16_385 - overhead)])).span
        #expect(Outcome(RequestPeek.read(long)) == .refused(431, 16_384))
        #expect(Outcome(RequestPeek.read(long.extracting(..<16_384))) == .refused(431, 16_384))
        #expect(Outcome(RequestPeek.read(long.extracting(..<16_383))) == .incomplete)
    }

    @Test func writesARefusalThatEndsTheConnection() {
        let refusal = UpgradeRefusal(status: 503, reason: "full", headers: [("Retry-After", "3")])
        let expected =
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3\r\nConnection: close\r\n"
            + "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nfull\n"
        #expect(String(decoding: refusal.response, as: UTF8.self) == expected)
    }

    // MARK: Fuzz

    @Test func standsMutatedHandshakes() {
        var random = SplitMix64(seed: 9)
        for _ in 0..<2_000 {
            let input = random.mutated(utf8(Self.head(adding: ["Origin: http://x"])))
            let whole = Outcome(RequestPeek.read(input.span))
            let cut = random.below(input.count + 1)
            let part = Outcome(RequestPeek.read(input.span.extracting(..<cut)))
            #expect(part == whole || part == .incomplete)
        }
        for _ in 0..<2_000 { _ = RequestPeek.read((utf8("GET /ws") + random.bytes(random.below(40))).span) }
    }
}
