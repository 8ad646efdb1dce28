import EndToEndSupport
import MartletWire
import Testing

/// RFC 6455 on the real port.
@Suite(.server())
struct FramingTests {
    /// A session that has not signed in: its commands are answered all the same.
    private func connect() async throws -> WireClient { try await WireClient.connect(port: TestServer.current.port) }

    private let heartbeat = Array(WireClient.command("heartbeat", "{}", seq: "h").utf8)

    @Test func `A text in fragments with a ping between them`() async throws {
        let client = try await connect()
        client.sendRaw(WireClient.frame(.text, Array(heartbeat.prefix(10)), isFinal: false))
        client.sendFrame(.ping, Array("between".utf8))
        client.sendRaw(WireClient.frame(.continuation, [], isFinal: false))
        client.sendRaw(WireClient.frame(.continuation, Array(heartbeat.dropFirst(10))))
        #expect(try await client.nextPong() == Array("between".utf8))
        #expect(try await client.answer(to: "h").reason == "not_signed_in")
    }

    @Test(
        arguments: [
            (WireClient.frame(.text, [0x22, 0xC3, 0x28, 0x22]), 1007),
            (WireClient.frame(.binary, [1, 2, 3]), 1003),
            (WireClient.frame(.text, [UInt8](repeating: 0x20, count: 64 * 1024 + 1)), 1009),
            // Not masked; reserved bits; a reserved opcode; a fragmented ping; a continuation of nothing.
            ([0x81, 0x02, 0x7B, 0x7D], 1002),
            ([0xC1, 0x80, 0, 0, 0, 0], 1002),
            ([0x83, 0x80, 0, 0, 0, 0], 1002),
            ([0x09, 0x80, 0, 0, 0, 0], 1002),
            ([0x80, 0x80, 0, 0, 0, 0], 1002),
            // A length of 2^63 or more, and one that is not in its shortest form.
            ([0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002),
            ([0x81, 0xFE, 0, 5, 0, 0, 0, 0], 1002),
            // Close frames with half a code and with one that must not be sent.
            (WireClient.frame(.close, [3]), 1002),
            (WireClient.frame(.close, [0x03, 0xED]), 1002),
        ] as [([UInt8], UInt16)])
    func `What breaks the rules is closed with its code`(_ bytes: [UInt8], _ code: UInt16) async throws {
        let client = try await connect()
        client.sendRaw(bytes)
        #expect(try await client.waitClosed() == code)
        #expect(client.closeReason?.isEmpty == false)
    }

    @Test func `A message whose fragments grow too large`() async throws {
        let client = try await connect()
        let half = [UInt8](repeating: 0x20, count: 40 * 1024)
        client.sendRaw(WireClient.frame(.text, half, isFinal: false))
        client.sendRaw(WireClient.frame(.continuation, half))
        #expect(try await client.waitClosed() == 1009)
    }

    @Test func `The largest message is taken`() async throws {
        let client = try await connect()
        let padding = [UInt8](repeating: 0x20, count: 64 * 1024 - heartbeat.count)
        client.sendFrame(.text, heartbeat + padding)
        #expect(try await client.answer(to: "h").reason == "not_signed_in")
    }

    @Test(arguments: [1000, 1001, 3000, 4999] as [UInt16])
    func `A close frame is answered with its own code`(_ code: UInt16) async throws {
        let client = try await connect()
        client.sendFrame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array("bye".utf8))
        #expect(try await client.waitClosed() == code)
    }

    @Test func `A close frame without a code is answered with 1000`() async throws {
        let client = try await connect()
        client.sendFrame(.close, [])
        #expect(try await client.waitClosed() == 1000)
    }

    @Test func `Frames in one segment are all answered`() async throws {
        let client = try await connect()
        var bytes: [UInt8] = []
        for number in 0..<50 {
            bytes += WireClient.frame(.text, Array(WireClient.command("heartbeat", "{}", seq: "p\(number)").utf8))
        }
        client.sendRaw(bytes)
        for number in 0..<50 { #expect(try await client.answer(to: "p\(number)").code == 401) }
    }

    @Test func `The handshake and frames behind it in one segment`() async throws {
        let key = UpgradeRequest.randomKey()
        let client = try await WireClient.connectRaw(port: TestServer.current.port, key: key)
        client.sendRaw(UpgradeRequest.client(host: "localhost", key: key) + WireClient.frame(.text, heartbeat))
        try await client.waitUpgraded()
        #expect(try await client.answer(to: "h").code == 401)
    }

    @Test func `Bytes that come one by one`() async throws {
        let key = UpgradeRequest.randomKey()
        let client = try await WireClient.connectRaw(port: TestServer.current.port, key: key)
        for byte in UpgradeRequest.client(host: "localhost", key: key) { client.sendRaw([byte]) }
        try await client.waitUpgraded()
        for byte in WireClient.frame(.text, heartbeat) { client.sendRaw([byte]) }
        #expect(try await client.answer(to: "h").code == 401)
    }

    @Test func `What is not a good handshake is refused in HTTP`() async throws {
        let version = try await WireClient.connectRaw(port: TestServer.current.port)
        version.sendRaw(
            Array(
                ("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Key: \(UpgradeRequest.randomKey())\r\nSec-WebSocket-Version: 8\r\n\r\n").utf8))
        await #expect { try await version.waitUpgraded() } throws: { ($0 as? UpgradeRefused)?.status == 426 }
        let key = try await WireClient.connectRaw(port: TestServer.current.port)
        key.sendRaw(UpgradeRequest.client(host: "localhost", key: "short"))
        await #expect { try await key.waitUpgraded() } throws: { ($0 as? UpgradeRefused)?.status == 400 }
        let plain = try await TestServer.rest.call("GET", "/ws")
        #expect((400..<500).contains(plain.status))
    }

    @Test func `Answers to what is not a command`() async throws {
        let client = try await connect()
        for (text, reason) in [
            ("{", "malformed_json"), ("[]", "malformed_json"), (#"{"cmd":1}"#, "invalid_field"),
        ] {
            client.sendText(text)
            let answer = try await client.anonymousAnswer()
            #expect(answer.code == 400, "\(text)")
            #expect(answer.reason == reason, "\(text)")
        }
        #expect(try await client.request("dance", "{}").reason == "unknown_command")
        #expect(try await client.request("login", #"{"token":"nonsense"}"#).reason == "invalid_token")
        #expect(try await client.request("login", "{}").reason == "missing_field")
    }

    @Test func `A login that is refused too often ends the connection`() async throws {
        let client = try await connect()
        for _ in 0..<5 { client.post("login", #"{"token":"nonsense"}"#) }
        #expect(try await client.waitClosed() == 4104)
    }
}
