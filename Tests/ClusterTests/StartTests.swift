import EndToEndSupport
import MartletTestServices
import Testing

/// What an operator gets who starts a node of a cluster wrongly: one line, a documented exit status, and no secret.
@Suite(.serialized)
struct StartTests {
    private static let key = "c2l4dGVlbiBieXRlcyBhcmUgZW5vdWdoIGZvciBhIHRlc3Q="

    struct BadStart: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let environment: [String: String]
        let status: Int32
        /// What the line says.
        let words: [String]
    }

    /// Runs a server that is to end by itself.
    private func serve(_ environment: [String: String]) async throws -> (status: Int32, output: String, error: String) {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        return try await ServerProcess.run(
            ["serve", "--port", "0", "--data", folder, "--no-rate-limits"],
            environment: ["MARTLET_LOG_LEVEL": "error"].merging(environment) { $1 })
    }

    private func expectOneLine(
        _ end: (status: Int32, output: String, error: String), status: Int32, _ words: [String], secrets: [String] = []
    ) {
        #expect(end.status == status, "\(end.error)")
        #expect(end.output.isEmpty)
        #expect(end.error.split(separator: "\n").count == 1, "\(end.error)")
        for word in words { #expect(end.error.contains(word), "\(word) is missing: \(end.error)") }
        for secret in secrets { #expect(!end.error.contains(secret), "\(end.error)") }
    }

    @Test(arguments: [
        BadStart(
            testDescription: "SQLite with a bus",
            environment: ["MARTLET_BUS": "redis://:hush@127.0.0.1:1", "MARTLET_SECRETS_TOKEN_KEY": key], status: 78,
            words: ["database", "postgres://"]),
        BadStart(
            testDescription: "roles without a bus",
            environment: ["MARTLET_DATABASE": "postgres://m:hush@127.0.0.1:1/m", "MARTLET_ROLES": "gateway"],
            status: 78, words: ["bus"]),
        BadStart(
            testDescription: "no shared key",
            environment: [
                "MARTLET_DATABASE": "postgres://m:hush@127.0.0.1:1/m", "MARTLET_BUS": "redis://:hush@127.0.0.1:1",
            ], status: 78, words: ["secrets.token-key"]),
        BadStart(
            testDescription: "an unreachable database",
            environment: ["MARTLET_DATABASE": "postgres://m:hush@127.0.0.1:1/m"], status: 69, words: ["127.0.0.1:1"]),
    ])
    func `A configuration that can't work is refused in one line`(_ start: BadStart) async throws {
        expectOneLine(try await serve(start.environment), status: start.status, start.words, secrets: ["hush"])
    }

    @Test func `A wrong password for the database is said, and not shown`() async throws {
        let server = try await PostgresServer.shared
        let end = try await serve(["MARTLET_DATABASE": "postgres://martlet:hush-hush@127.0.0.1:\(server.port)/postgres"]
        )
        expectOneLine(end, status: 69, ["password"], secrets: ["hush-hush"])
    }

    @Test func `A database that is not there is said`() async throws {
        let server = try await PostgresServer.shared
        let end = try await serve(["MARTLET_DATABASE": server.urlText("nowhere")])
        expectOneLine(end, status: 69, ["nowhere"])
    }

    @Test func `A wrong password for Redis, or one that is not there, is said and not shown`() async throws {
        let database = try await ClusterDatabase.start(hasStandby: false)
        let redis = try await RedisServer()
        for (url, word) in [("redis://:hush-hush@127.0.0.1:\(redis.port)", "password"), ("redis://127.0.0.1:1", ":1")] {
            let end = try await serve([
                "MARTLET_DATABASE": database.url, "MARTLET_BUS": url, "MARTLET_SECRETS_TOKEN_KEY": Self.key,
            ])
            expectOneLine(end, status: 69, [word], secrets: ["hush-hush"])
        }
    }
}
