import Testing

/// One cluster for all tests of a suite: `@Suite(.cluster())`, then `TestCluster`. What its parts logged is shown when a
/// test fails.
package struct ClusterTrait: SuiteTrait, TestScoping {
    let options: ClusterHarness.Options

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let cluster = try await ClusterHarness.start(options)
        try await TestCluster.$running.withValue(cluster) { try await function() }
        await cluster.stop()
    }
}

extension Trait where Self == ClusterTrait {
    package static func cluster(_ options: ClusterHarness.Options = .init()) -> ClusterTrait {
        ClusterTrait(options: options)
    }
}

extension Trait where Self == IssueHandlingTrait {
    /// Prints what the newest cluster's parts logged last, behind its first issue.
    package static var showsClusterLogs: IssueHandlingTrait {
        .compactMapIssues { issue in
            ClusterRecords.show()
            return issue
        }
    }
}

/// The cluster of the suite that a test is in.
package enum TestCluster {
    @TaskLocal static var running: ClusterHarness?

    package static var current: ClusterHarness {
        guard let running else { preconditionFailure("the suite has no `.cluster()`") }
        return running
    }

    /// Asks a node.
    package static func rest(_ node: Int = 0) -> RestClient { current.rest(node) }

    /// Makes an account with a name of its own.
    package static func user(_ name: String = "user", on node: Int = 0) async throws -> TestUser {
        try await register(rest(node), "\(name)-\(randomClientID())")
    }

    /// Signs a user in on a node, over a new connection.
    package static func connect(
        _ user: TestUser, on node: Int, device: String = "web", resume: Bool = false
    ) async throws -> WireClient {
        try await WireClient.signedIn(port: current.nodes[node].port, user, device: device, resume: resume)
    }
}
