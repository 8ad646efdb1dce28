import EndToEndSupport
import MartletWire
import Testing

/// What works while the bus or the database is away, and what comes back by itself.
/// Nodes are told of what they missed: nothing is found by comparing everything with the log, which comes once an hour here.
@Suite(
    .cluster(.init(nodes: 2, environment: ["MARTLET_BUS_COMPARE": "3600"])), .serialized, .showsClusterLogs)
struct OutageTests {
    private var cluster: ClusterHarness { TestCluster.current }

    /// The answer of `/readyz`: its status and what each check says.
    private func readiness(_ node: Int) async throws -> (status: Int, checks: [String: Bool]) {
        let answer = try await TestCluster.rest(node).call("GET", "/readyz")
        let checks = (answer.data?["checks"]?.array ?? []).compactMap { check in
            check["name"]?.string.map { ($0, check["ok"]?.bool == true) }
        }
        return (answer.status, Dictionary(checks) { $1 })
    }

    private func waitReady() async throws {
        for node in 0..<2 {
            try await eventually("node \(node + 1) to be ready") {
                try await readiness(node) == (200, ["database": true, "bus": true])
            }
        }
    }

    @Test func `Without Redis everything is acknowledged and delivered on its node, and the others catch up`()
        async throws
    {
        let company = try await company()
        await cluster.killRedis()
        var seqs = [Int64(1)]
        for number in 1...20 { seqs.append(try await company.sender.say("\(number)", in: company.direct)) }
        try await company.near.waitMessage(seqs.last ?? 0, in: company.direct)
        #expect(company.near.pushedSeqs(company.direct) == seqs)
        try await cluster.startRedis()
        try await company.far.waitMessage(seqs.last ?? 0, in: company.direct)
        #expect(company.far.pushedSeqs(company.direct) == seqs)
        #expect(!company.far.isClosed)
        try await waitReady()
    }

    @Test func `Readiness names the bus while it is away, and is restored`() async throws {
        try await waitReady()
        await cluster.killRedis()
        for node in 0..<2 {
            try await eventually("the loss to be noticed") {
                try await readiness(node) == (503, ["database": true, "bus": false])
            }
        }
        try await cluster.startRedis()
        try await waitReady()
    }

    @Test func `The bus alone tells other nodes that a sign-in has ended`() async throws {
        let ada = try await TestCluster.user("ada")
        let session = try await TestCluster.connect(ada, on: 1)
        try await TestCluster.rest(0).succeed("POST", "/api/auth/logout", by: ada, "{}")
        // The table of revocations, which each node reads every second, can't be read any more.
        cluster.database.goAway()
        let code = try await session.waitClosed()
        cluster.database.comeBack()
        #expect(code == 4100)
        try await waitReady()
    }

    @Test func `Without the database sends are refused until it is back, and sessions stay`() async throws {
        let company = try await company()
        cluster.database.goAway()
        let message = textMessage("hold this", in: company.direct, clientId: "held")
        let refused = try await company.sender.request("send", message)
        #expect(refused.code == 503)
        #expect(refused.reason == "unavailable")
        #expect((refused.data["retryAfterMs"]?.integer ?? 0) > 0)
        try await eventually("the loss to be noticed") {
            try await readiness(0) == (503, ["database": false, "bus": true])
        }
        cluster.database.comeBack()
        let seq = Watched<Int64>(0)
        try await eventually("the send to be taken") {
            let answer = try await company.sender.request("send", message)
            guard answer.code == 200, let stored = answer.data["seq"]?.integer else { return false }
            seq.update { $0 = stored }
            return true
        }
        for session in [company.near, company.far] { try await session.waitMessage(seq.value, in: company.direct) }
        for session in [company.sender, company.near, company.far] { try await session.settle() }
        try await waitReady()
    }
}

/// What the bus lost without a trace.
@Suite(.cluster(.init(nodes: 2)), .serialized, .showsClusterLogs)
struct SilentLossTests {
    @Test func `The last message of a conversation arrives, also where the bus lost it and nobody noticed`()
        async throws
    {
        let company = try await company()
        TestCluster.current.silenceBus()
        let lost = try await company.sender.say("into the void", in: company.direct)
        try await company.near.waitMessage(lost, in: company.direct)
        try await company.far.waitMessage(lost, in: company.direct)
        TestCluster.current.mendBus()
        let last = try await company.sender.say("and on", in: company.direct)
        try await company.far.waitMessage(last, in: company.direct)
        #expect(company.far.pushedSeqs(company.direct) == [lost - 1, lost, last])
    }
}

/// Two users in a direct conversation: one session of the first on the first node, of the second one on each node.
private func company() async throws -> (direct: String, sender: WireClient, near: WireClient, far: WireClient) {
    let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
    let company = (
        direct: ada.direct(ben), sender: try await TestCluster.connect(ada, on: 0),
        near: try await TestCluster.connect(ben, on: 0),
        far: try await TestCluster.connect(ben, on: 1, device: "ios")
    )
    let first = try await company.sender.say("hello", in: company.direct)
    for session in [company.near, company.far] { try await session.waitMessage(first, in: company.direct) }
    return company
}
