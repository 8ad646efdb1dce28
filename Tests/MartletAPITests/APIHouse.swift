import HummingbirdCore
import Logging
import MartletAPI
import MartletBus
import MartletCore
import MartletTestSupport
import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// A clock that a test owns.
final class HandClock: TimeSource {
    private let time = Mutex(Instant(milliseconds: 1_700_000_000_000))

    var now: Instant { time.withLock { $0 } }

    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// Knows the tokens `good` (user 7), `other` (user 8) and `banned`.
struct FakeTokens: TokenAuthenticator {
    func caller(from token: String, trace: String) async throws(Fault) -> Caller {
        switch token {
        case "good": caller(7, trace)
        case "other": caller(8, trace)
        case "banned": throw Fault(.banned, "banned")
        default: throw Fault(.invalidToken, "the access token is not valid")
        }
    }

    private func caller(_ id: Int64, _ trace: String) -> Caller {
        Caller(
            user: UserID(unchecked: id), app: AppID(unchecked: 1), role: .user, device: .web, name: "user \(id)",
            trace: trace)
    }
}

/// What the test endpoints take.
struct NoteInput: JSONInput {
    let text: String
    let count: Int64?

    init(_ fields: borrowing JSONFields) throws(Fault) {
        text = try fields.text("text", 1...32, lines: true)
        count = try fields.optionalInteger("count", 1...9)
    }
}

struct ThingInput: JSONInput {
    let id: Int64
    let name: String?

    init(_ fields: borrowing JSONFields) throws(Fault) {
        id = try fields.integer("id", 1...1000)
        name = try fields.optionalText("name", 1...32)
    }
}

/// What they answer.
struct NoteOutput: JSONOutput {
    static let example = NoteOutput(text: "hello", user: 7, trace: "0123456789abcdef")

    let text: String
    let user: Int64
    let trace: String

    func write(to object: inout JSONObject) {
        object.field("text", text)
        object.field("user", user)
        object.field("trace", trace)
    }
}

enum TestEndpoints {
    private struct Broken: Error {}

    static let all = [
        Endpoint(.post, "/api/note", tag: "Notes", "Keep a note", command: .react) {
            (caller: Caller, input: NoteInput) async throws(Fault) -> NoteOutput in
            NoteOutput(text: input.text, user: caller.user.value, trace: caller.trace)
        },
        Endpoint(.get, "/api/note", tag: "Notes", "Find a note") {
            (caller: Caller, input: NoteInput) async throws(Fault) -> NoteOutput in
            NoteOutput(text: input.text, user: caller.user.value, trace: caller.trace)
        },
        Endpoint(anyone: .get, "/api/open", tag: "Open", "Say who asks") {
            (visitor: Visitor, _: EmptyInput) async throws(Fault) -> NoteOutput in
            NoteOutput(text: visitor.address, user: 0, trace: visitor.trace)
        },
        Endpoint(.get, "/api/thing/list", tag: "Things", "List") {
            (caller: Caller, _: EmptyInput) async throws(Fault) -> NoteOutput in
            NoteOutput(text: "list", user: caller.user.value, trace: caller.trace)
        },
        Endpoint(.put, "/api/thing/{id}", tag: "Things", "Change a thing", thing),
        Endpoint(.delete, "/api/thing/{id}", tag: "Things", "Remove a thing", thing),
        Endpoint(.post, "/api/break", tag: "Broken", "Fail") {
            (_: Caller, _: EmptyInput) async throws(Fault) -> EmptyOutput in throw .ours(Broken())
        },
        Endpoint(.post, "/api/busy", tag: "Broken", "Be busy") {
            (_: Caller, _: EmptyInput) async throws(Fault) -> EmptyOutput in
            throw Fault(.overloaded, "busy", retryAfter: .milliseconds(2500))
        },
    ]

    private static func thing(_ caller: Caller, _ input: ThingInput) async throws(Fault) -> NoteOutput {
        NoteOutput(text: "\(input.id) \(input.name ?? "-")", user: caller.user.value, trace: caller.trace)
    }
}

/// An API on a real socket of this machine.
struct APIHouse {
    var configuration = APIConfiguration()
    var isRateLimited = false
    var checks = [ReadinessCheck(name: "database", isPassed: true)]
    var isLeaving = false
    /// Whom a proxy's header names on every connection.
    var claimed: IPAddress?
    var metricsToken: String? = "metrics-token-for-tests"
    /// The gowebsocket dialect, where it is on.
    var goWebSocket: GoWebSocketRoutes?
    let clock = HandClock()
    let registry = MetricRegistry()

    static let page = StaticAsset(
        path: "/", contentType: "text/html; charset=utf-8", bytes: Array("<p>hi".utf8), etag: "\"v1\"")
    /// Large enough to be worth compressing.
    static let script = Array(String(repeating: "export const answer = 42;\n", count: 200).utf8)
    private static let scriptAsset = StaticAsset(
        path: "/web/main.js", contentType: "text/javascript; charset=utf-8", bytes: script, etag: "\"v2\"")

    var router: APIRouter {
        let checks = checks
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var services = APIServices(
            authenticator: FakeTokens(), limiter: LocalRateLimiter(isOn: isRateLimited), clock: clock,
            metrics: registry,
            logger: logger, metricsToken: metricsToken, readiness: { checks },
            gateway: { GatewayAddress(host: "127.0.0.1", port: 8080, isSecure: false) })
        services.isLeaving = { [isLeaving] in isLeaving }
        return APIRouter(
            endpoints: TestEndpoints.all, assets: [Self.page, Self.scriptAsset], pagePolicy: "default-src 'self'",
            goWebSocket: goWebSocket, services: services, configuration: configuration)
    }

    /// Serves for as long as `body` runs.
    func open(_ body: (HTTPVisitor) async throws -> Void) async throws {
        let (router, claimed, logger) = (router, claimed, Logger(label: "test"))
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in
                router.adopt(channel, claimed: claimed, logger: logger)
            }
        let port = server.channel.localAddress?.port ?? 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { connections in
                    await withDiscardingTaskGroup { group in
                        do {
                            for try await connection in connections {
                                group.addTask { await connection() }
                            }
                        } catch {
                            // The test is over.
                        }
                    }
                }
            }
            try await body(HTTPVisitor(port: port))
            group.cancelAll()
        }
    }
}
