import EndToEndSupport
import MartletWire
import Testing

extension RestClient {
    /// A counter or gauge of the server's metrics, over all its labels or those that `label` names.
    func metric(_ name: String, _ label: String = "") async throws -> Double {
        let text = try await call("GET", "/metrics").text
        return text.split(separator: "\n").filter { $0.hasPrefix(name) && $0.contains(label) }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }
}

/// A group with one who sends, one who reads and one who does not.
private struct Crowd {
    let conversation: String
    let sleeperUser: TestUser
    let sender, reader, sleeper: WireClient
    let first: Int64

    init() async throws {
        let users = try await [TestServer.user("ada"), TestServer.user("ben"), TestServer.user("cleo")]
        conversation = "g:\(try await TestServer.rest.group("crowd", of: users))"
        sender = try await TestServer.connect(users[0])
        reader = try await TestServer.connect(users[1])
        sleeperUser = users[2]
        sleeper = try await WireClient.connect(port: TestServer.current.port, receiveBuffer: 4096)
        try await sleeper.login(users[2])
        first = try await sender.say("first", in: conversation)
        _ = try await sleeper.nextPush("msg")
        _ = try await reader.nextPush("msg")
        try await sleeper.stopReading()
    }

    /// Sends large messages, many at once, until the server has noticed `sign`; returns the last seq.
    func flood(until sign: () async throws -> Bool) async throws -> Int64 {
        let text = String(repeating: "x", count: 4000)
        var last = first
        for _ in 0..<200 {
            let seqs = (0..<50).map { _ in sender.post("send", textMessage(text, in: conversation)) }
            for seq in seqs {
                let answer = try await sender.answer(to: seq)
                guard answer.code == 200 else { throw Refused(answer) }
                last = max(last, answer.data["seq"]?.integer ?? 0)
            }
            if try await sign() { return last }
        }
        throw WaitedTooLong(description: "the server never noticed the slow reader")
    }

    func seqs(_ pushes: [JSONValue]) -> [Int64] {
        pushes.compactMap { $0["data"] }.filter { $0["conversationId"]?.string == conversation }
            .compactMap { $0["seq"]?.integer }
    }
}

@Suite(
    .server(environment: ["MARTLET_GATEWAY_SLOW_READER_BYTES": "65536", "MARTLET_GATEWAY_SLOW_READER_TIMEOUT": "600"]))
struct SlowReaderTests {
    @Test func `Who stops reading holds nobody up, and gets everything in order from the log afterwards`() async throws
    {
        let rest = TestServer.rest
        let crowd = try await Crowd()
        _ = try await crowd.flood { try await rest.metric("martlet_slow_readers_total") >= 1 }
        let last = try await crowd.flood { true }
        try await crowd.reader.waitPushes("all messages") { crowd.seqs($0).last == last }
        #expect(crowd.seqs(crowd.reader.pushes("msg")) == Array(crowd.first...last))

        try await crowd.sleeper.goOnReading()
        try await crowd.sleeper.waitPushes("what was missed") { crowd.seqs($0).last == last }
        let next = try await crowd.sender.say("and live again", in: crowd.conversation)
        try await crowd.sleeper.waitPushes("the next message") { crowd.seqs($0).last == next }
        #expect(crowd.seqs(crowd.sleeper.pushes("msg")) == Array(crowd.first...next))
    }
}

@Suite(
    .server(environment: ["MARTLET_GATEWAY_SLOW_READER_BYTES": "65536", "MARTLET_GATEWAY_SLOW_READER_TIMEOUT": "1"]))
struct SlowReaderTimeoutTests {
    @Test func `Who does not read in time is closed, and comes back with cursors`() async throws {
        let rest = TestServer.rest
        let crowd = try await Crowd()
        let last = try await crowd.flood {
            try await rest.metric("martlet_closes_total", #"code="4002""#) >= 1
        }
        try await crowd.sleeper.goOnReading()
        let code = try await crowd.sleeper.waitClosed()
        // The close frame stands behind what was written before; where the socket was full for too long, it never
        // comes.
        #expect(code == 4002 || code == nil)

        var seen = crowd.seqs(crowd.sleeper.pushes("msg"))
        let back = try await TestServer.connect(crowd.sleeperUser, resume: true)
        var hasMore = true
        while hasMore {
            let answer = try await back.succeed(
                "sync", #"{"cursors":{"\#(crowd.conversation)":\#(seen.last ?? 0)},"limit":200}"#)
            let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == crowd.conversation }
            seen += part?["events"]?.array?.compactMap { $0["seq"]?.integer } ?? []
            hasMore = part?["more"]?.bool == true
        }
        #expect(seen == Array(crowd.first...last))
    }
}
