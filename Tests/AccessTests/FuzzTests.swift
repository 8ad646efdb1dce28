import EndToEndSupport
import Foundation
import MartletWire
import Testing

/// Bytes that nobody would send, from a fixed seed, beside a session that must notice nothing. Each kind ends after its rounds or its time.
@Suite("Fuzz", .server(environment: World.settings), .staysHealthy, .serialized)
struct FuzzTests {
    private static let seconds: Int64 = 4

    /// Somebody who gets messages while others send nonsense.
    private struct Witness: Sendable {
        let writer: WireClient
        let reader: WireClient
        let conversation: String

        static func make() async throws -> Witness {
            let (one, other) = (try await TestServer.user("writer"), try await TestServer.user("reader"))
            return Witness(
                writer: try await TestServer.connect(one), reader: try await TestServer.connect(other),
                conversation: one.direct(other))
        }

        /// Sends the `number`th message, which must arrive.
        func check(_ number: Int64) async throws {
            let seq = try await writer.say("\(number)", in: conversation)
            #expect(seq == number)
            let push = try await reader.nextPush("msg")
            #expect(push["data"]?["seq"]?.integer == number)
        }
    }

    /// Runs `round` for as long as it may, with a look at the witness and at the memory in between.
    private static func run(
        seed: UInt64, rounds: Int, _ round: (inout SplitMix64) async throws -> Void
    ) async throws {
        var random = SplitMix64(seed: seed)
        let witness = try await Witness.make()
        let server = TestServer.current
        let before = residentKilobytes(server.pid)
        let end = ContinuousClock.now + .seconds(seconds)
        var number: Int64 = 0
        for count in 0..<rounds where ContinuousClock.now < end {
            try await round(&random)
            if count % 16 == 0 {
                number += 1
                try await witness.check(number)
            }
        }
        try await witness.check(number + 1)
        #expect(try await TestServer.rest.call("GET", "/readyz").status == 200)
        #expect(residentKilobytes(server.pid) - before < 200_000, "the server grows")
    }

    private static func residentKilobytes(_ pid: Int32) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    private static let words: [[UInt8]] = [
        "\r\n", "\r\n\r\n", ":", " ", "HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked",
        "Upgrade: websocket", "Expect: 100-continue",
        "Connection: close", "%00", "%", "?", "\0", "GET ", "0\r\n\r\n", "ffffffff\r\n", "Host: a",
        "Sec-WebSocket-Key: ", "HEAD ",
    ].map { Array($0.utf8) }

    private static let jsonWords: [[UInt8]] = [
        "{", "}", "[", "]", "\"", "\\", ":", ",", "null", "true", "-", "1e999", "9007199254740992", "0.1", "\\u0000",
        "\\ud83d", "\\u0063md",
        #""seq":"1","#, #""cmd":"send""#, #""data":{"#, "[[[[[[[[[[[[[[[[[[[[", "\u{1F600}", "\u{1}",
    ].map { Array($0.utf8) }

    private static func head(_ method: String, _ path: String, token: String) -> [UInt8] {
        KeptConnection.request(method, path, token: token, body: method == "GET" ? nil : Array("{}".utf8))
    }

    private static let upgrade = Array(
        """
        GET /ws HTTP/1.1\r
        Host: 127.0.0.1\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        \r

        """.utf8)

    /// Everything at once, then the end: the server has to end the connection too.
    private static func throwAway(_ bytes: [UInt8]) async throws {
        let connection = try await RawConnection.connect(port: TestServer.current.port)
        connection.send(bytes)
        connection.finish()
        try await connection.waitClosed()
        let received = String(decoding: connection.received.prefix(16), as: UTF8.self)
        #expect(!received.hasPrefix("HTTP/1.1 5") || received.hasPrefix("HTTP/1.1 505"), "\(bytes)")
    }

    @Test("Random bytes")
    func noise() async throws {
        try await Self.run(seed: 1, rounds: 400) { random in
            try await Self.throwAway(random.bytes(random.below(2000)))
        }
    }

    @Test("Heads of HTTP, mutated")
    func heads() async throws {
        let user = try await TestServer.user()
        let seeds = [
            Self.head("GET", "/api/user/profile", token: user.token),
            Self.head("PUT", "/api/user/profile", token: user.token),
            Self.head("GET", "/api/friend/list?limit=5", token: user.token), Self.upgrade,
            Self.head("GET", "/", token: user.token),
        ]
        try await Self.run(seed: 2, rounds: 600) { random in
            try await Self.throwAway(random.mutated(seeds[random.below(seeds.count)], with: Self.words))
        }
    }

    @Test("Frames behind an upgrade, mutated")
    func frames() async throws {
        let user = try await TestServer.user()
        let login = WireClient.frame(
            .text, Array(WireClient.command("login", WireClient.loginData(user.token), seq: "1").utf8))
        let seeds = [
            WireClient.frame(.text, Array(#"{"seq":"1","cmd":"heartbeat","data":{}}"#.utf8)),
            WireClient.frame(.ping, [1, 2]),
            WireClient.frame(.text, [0x7B], isFinal: false) + WireClient.frame(.continuation, [0x7D]),
            WireClient.frame(.close, [0x03, 0xE8]),
        ]
        try await Self.run(seed: 3, rounds: 600) { random in
            var bytes = random.below(2) == 0 ? Self.upgrade + login : Self.upgrade
            for _ in 0...random.below(3) {
                let seed = seeds[random.below(seeds.count)]
                bytes += random.below(4) == 0 ? random.bytes(random.below(64)) : random.mutated(seed)
            }
            try await Self.throwAway(bytes)
        }
    }

    @Test("Commands, mutated")
    func commands() async throws {
        let (user, other) = (try await TestServer.user(), try await TestServer.user("other"))
        let table = CommandFields.table(user.direct(other)).sorted { $0.key < $1.key }
        let seeds = table.map { command, fields in
            let members = fields.map { "\"\($0.name)\":\($0.sample)" }.joined(separator: ",")
            return Array(WireClient.command(command, "{\(members)}", seq: "s").utf8)
        }
        var client = try await TestServer.connect(user)
        try await Self.run(seed: 4, rounds: 20_000) { random in
            client.sendFrame(.text, random.mutated(seeds[random.below(seeds.count)], with: Self.jsonWords))
            guard random.below(20) == 0 else { return }
            let answer = try? await client.request("heartbeat", "{}")
            if answer == nil {
                // What is not UTF-8 ends the session; nothing else may.
                #expect(client.closeCode == 1007)
                client = try await TestServer.connect(user)
            }
        }
    }

    @Test("Bodies, mutated")
    func bodies() async throws {
        let contract = try await Contract.current()
        let (user, other) = (try await TestServer.user(), try await TestServer.user("other"))
        let group = try await TestServer.rest.group("Swifts", of: [user, other])
        let samples = Samples(group: group, other: other.id)
        let seeds = contract.surface.operations.filter { $0.takesBody && !samples.endsSignIn($0) }.map { operation in
            let fields = operation.fields.filter { $0.place == .body }
            let members = fields.map { "\"\($0.name)\":\(samples.json($0, in: operation))" }
            return (operation, Array("{\(members.joined(separator: ","))}".utf8))
        }
        var connection = KeptConnection(port: TestServer.current.port)
        try await Self.run(seed: 5, rounds: 5000) { random in
            let (operation, seed) = seeds[random.below(seeds.count)]
            let body = random.mutated(seed, with: Self.jsonWords)
            let path = operation.path.replacing("{id}", with: "\(group)")
            let request = KeptConnection.request(operation.method, path, token: user.token, body: body)
            let answer = try await connection.exchange(request)
            #expect(
                (answer?.status ?? 0) > 0 && (answer?.status ?? 500) < 500,
                "\(operation.name): \(String(decoding: body, as: UTF8.self))")
            if let answer { contract.check(operation.name, status: answer.status, body: answer.body) }
        }
    }
}
