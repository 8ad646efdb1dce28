import Testing

/// One server for all tests of a suite: `@Suite(.server())`, then `TestServer.current`.
package struct ServerTrait: SuiteTrait, TestScoping {
    let arguments: [String]
    let environment: [String: String]
    let rateLimited: Bool

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let server = try await ServerProcess.start(
            arguments: arguments, environment: environment, rateLimited: rateLimited)
        try await TestServer.$running.withValue(server) { try await function() }
        await server.stop()
    }
}

extension Trait where Self == ServerTrait {
    /// A server process for the suite, started with `arguments` and `environment`; without rate limits unless
    /// `rateLimited`.
    package static func server(
        _ arguments: [String] = [], environment: [String: String] = [:], rateLimited: Bool = false
    ) -> ServerTrait {
        ServerTrait(arguments: arguments, environment: environment, rateLimited: rateLimited)
    }
}

package enum TestServer {
    @TaskLocal static var running: ServerProcess?

    /// The server of the suite that the test is in.
    package static var current: ServerProcess {
        guard let running else { preconditionFailure("the suite has no `.server()`") }
        return running
    }

    package static var rest: RestClient { RestClient(port: current.port) }

    /// Makes an account with a name of its own.
    package static func user(_ name: String = "user") async throws -> TestUser {
        try await register(rest, "\(name)-\(randomClientID())")
    }

    /// Signs a user in over a new connection.
    package static func connect(_ user: TestUser, device: String = "web", resume: Bool = false) async throws
        -> WireClient
    {
        try await WireClient.signedIn(port: current.port, user, device: device, resume: resume)
    }
}
