import EndToEndSupport
import Foundation
import MartletWire
import Testing

@Suite("Bad input", .server(environment: World.settings), .staysHealthy)
struct BadInputTests {
    /// Somebody with a group and another member.
    private struct Scene: Sendable {
        let user: TestUser
        let samples: Samples
    }

    private static func scene() async throws -> Scene {
        let (user, other) = (try await TestServer.user("owner"), try await TestServer.user("other"))
        let group = try await TestServer.rest.group("Swifts", of: [user, other])
        return Scene(user: user, samples: Samples(group: group, other: other.id))
    }

    @Test("Every field of every operation refuses what is wrong, and the connection goes on")
    func rest() async throws {
        let contract = try await Contract.current()
        let scene = try await Self.scene()
        let port = TestServer.current.port
        let operations = contract.surface.operations
        #expect(operations.count > 40)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for operation in operations {
                group.addTask { try await Self.tryAll(operation, scene, contract, port: port) }
            }
            var count = 0
            for try await tried in group { count += tried }
            #expect(count > 1500)
        }
        let profile = try await TestServer.rest.call("GET", "/api/user/profile", token: scene.user.token)
        #expect(profile.status == 200)
    }

    /// Returns how many were tried.
    private static func tryAll(
        _ operation: APISurface.Operation, _ scene: Scene, _ contract: Contract, port: Int
    ) async throws -> Int {
        let requests = BadRequests(
            operation: operation, token: operation.needsLogin ? scene.user.token : nil, samples: scene.samples
        ).all
        var connection = KeptConnection(port: port)
        var mayEnd = 0
        for request in requests {
            let answer = try await connection.exchange(request.bytes)
            guard let answer else {
                Issue.record("\(operation.name): \(request.name): the connection ended without an answer")
                continue
            }
            judge(answer, request, operation.name)
            contract.check(operation.name, status: answer.status, body: answer.body)
            if case .tooLarge = request.expected { mayEnd += 1 }
        }
        #expect(connection.endings <= mayEnd, "\(operation.name): connections ended for what HTTP can bear")
        return requests.count
    }

    private static func judge(_ answer: HTTPAnswer, _ request: BadRequest, _ operation: String) {
        let name = Comment(rawValue: "\(operation): \(request.name): \(answer.status) \(answer.text.prefix(300))")
        #expect(answer.status < 500, name)
        #expect(answer.status == 200 || answer.reason != nil, name)
        switch request.expected {
        case .notOurs: break
        case .tooLarge: #expect(answer.status == 413 && answer.reason == "too_large", name)
        case .bad(let reason):
            // Paths of nonsense lead nowhere.
            #expect(answer.status == 400 || reason == nil && answer.status == 404, name)
            if let reason { #expect(answer.reason == reason, name) }
        case .field(let field, let reason):
            #expect(answer.status == 400 && answer.field == field, name)
            let reasons = reason.map { [$0] } ?? ["invalid_field", "unknown_type"]
            #expect(reasons.contains(answer.reason ?? ""), name)
        }
    }

    // MARK: HTTP itself

    static let heads: [(name: String, bytes: String)] = [
        ("no HTTP", "hello\r\n\r\n"), ("an empty line", "\r\n\r\n"), ("no version", "GET /healthz\r\n\r\n"),
        ("another version", "GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n"), ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("no method", " /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a field without a colon", "GET / HTTP/1.1\r\nHost a\r\n\r\n"),
        ("a field's name with a space", "GET / HTTP/1.1\r\nHo st: a\r\n\r\n"),
        ("NUL in a field", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        ("two lengths", "POST /api/user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        ("a length below zero", "POST /api/user/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ("a length beyond", "POST /api/user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        (
            "a length and chunks",
            "POST /api/user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        (
            "chunks of nonsense",
            "POST /api/user/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
        ),
        (
            "a chunk without an end",
            "POST /api/user/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
        ),
        ("a head without an end", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: "),
        ("a folded field", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        ("a target of another place", "GET http://example.org/healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a star", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a tunnel", "CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("dots", "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("escaped dots", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "a body cut short",
            "POST /api/user/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        ),
        (
            "a large field",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 100_000) + "\r\n\r\n"
        ),
        ("many fields", "GET /healthz HTTP/1.1\r\nHost: a\r\n" + (0..<5000).map { "X\($0): a\r\n" }.joined() + "\r\n"),
        ("a long target", "GET /" + String(repeating: "a", count: 100_000) + " HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "an upgrade without a key",
            "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ),
        (
            "an upgrade of another version",
            "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        (
            "an upgrade with a short key",
            "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n\r\n"
        ),
        (
            "an upgrade elsewhere",
            "GET /api/route HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        (
            "an upgrade by POST",
            "POST /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        ("/ws without an upgrade", "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n"),
    ]

    @Test("Broken HTTP is answered with an error or the connection ends", arguments: heads)
    func http(_ head: (name: String, bytes: String)) async throws {
        let connection = try await RawConnection.connect(port: TestServer.current.port)
        connection.send(Array(head.bytes.utf8))
        connection.finish()
        try await connection.waitClosed()
        if let (answer, _) = HTTPAnswer.read(connection.received) {
            #expect(answer.status < 500 || answer.status == 505, "\(head.name): \(answer.text)")
            #expect(!answer.text.contains("root:"), "\(head.name)")
        } else {
            #expect(!connection.received.starts(with: Array("HTTP/1.1 5".utf8)), "\(head.name)")
        }
    }

    @Test("Methods that a path does not take are refused with what it takes")
    func methods() async throws {
        let contract = try await Contract.current()
        for operation in contract.surface.operations {
            for method in ["PATCH", "TRACE", "PROPFIND"] {
                let path = operation.path.replacing("{id}", with: "1")
                let answer = try await TestServer.rest.call(method, path)
                #expect(answer.status == 405 && answer.reason == "method_not_allowed", "\(method) \(path)")
                #expect(answer.header("Allow")?.contains(operation.method) == true, "\(method) \(path)")
            }
        }
    }
}
