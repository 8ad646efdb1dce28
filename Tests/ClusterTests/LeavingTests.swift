import EndToEndSupport
import MartletWire
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where clients go, and how a node leaves.
@Suite(
    .cluster(.init(hasFront: true, environment: ["MARTLET_GATEWAY_DRAIN": "4"])), .serialized, .showsClusterLogs)
struct LeavingTests {
    private var cluster: ClusterHarness { TestCluster.current }

    private func route() async throws -> Int? {
        try await TestCluster.rest(1).succeed("GET", "/api/route")["port"]?.integer.map { Int($0) }
    }

    /// Where twenty clients that ask are sent.
    private func routes() async throws -> Set<Int> {
        var ports: Set<Int> = []
        for _ in 0..<20 { if let port = try await route() { ports.insert(port) } }
        return ports
    }

    @Test func `Clients are sent to the nodes with fewer sessions`() async throws {
        let users = [try await TestCluster.user("ada"), try await TestCluster.user("ben")]
        try await eventually("all nodes to be known") {
            try await routes() == Set(cluster.nodes.map(\.port))
        }
        var sessions: [WireClient] = []
        for user in users {
            for _ in 0..<8 { sessions.append(try await TestCluster.connect(user, on: 0)) }
        }
        try await eventually("the full node to be spared") {
            try await routes() == Set(cluster.nodes.dropFirst().map(\.port))
        }
        for session in sessions { await session.drop() }
    }

    @Test func `A node that leaves is not named to clients, and its sessions go on elsewhere without a loss`()
        async throws
    {
        let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
        let (direct, leaving) = (ada.direct(ben), cluster.nodes[0])
        let sender = try await TestCluster.connect(ada, on: 1)
        let reader = try await TestCluster.connect(ben, on: 0)
        let seen = Watched<[Int64]>([])
        let isDone = Watched(false)
        let sent = try await withThrowingTaskGroup(of: [Int64].self) { tasks in
            tasks.addTask {
                var seqs: [Int64] = []
                while !isDone.value, !Task.isCancelled {
                    seqs.append(try await sender.say("more", in: direct))
                }
                return seqs
            }
            try await reader.waitPushes("some messages") { $0.count > 10 }
            leaving.kill(SIGTERM)
            let goAway = try await reader.nextPush("goaway")
            #expect((goAway["data"]?["delayMs"]?.integer ?? -1) >= 0)
            try await eventually("the leaving node to be out of the list") {
                try await routes() == Set(cluster.nodes.dropFirst().map(\.port))
            }
            #expect(try await reader.waitClosed() == 1001)
            seen.update { $0 = reader.pushedSeqs(direct) }
            let last = seen.value.last ?? 0
            let next = try await WireClient.connect(port: cluster.port) { message in
                for part in message["response"]?["data"]?["conversations"]?.array ?? []
                where part["conversationId"]?.string == direct {
                    let seqs = part["events"]?.array?.compactMap { $0["seq"]?.integer } ?? []
                    seen.update { $0 += seqs }
                }
                if message["cmd"]?.string == "msg", let seq = message["data"]?["seq"]?.integer {
                    seen.update { $0.append(seq) }
                }
            }
            try await next.login(ben, resume: true)
            let answer = try await next.succeed("sync", #"{"cursors":{"\#(direct)":\#(last)},"limit":200}"#)
            #expect(answer["conversations"]?.array?.contains { $0["more"]?.bool == true } == false)
            isDone.update { $0 = true }
            let sent = try await tasks.reduce([]) { $0 + $1 }
            try await seen.wait("the last message") { $0.last == sent.last ? true : nil }
            return sent
        }
        #expect(seen.value == sent)
        #expect(await leaving.wait() == 0)
        try await leaving.restart()
    }

    @Test func `A client that comes through nginx finds a node that lives`() async throws {
        let (ada, dead) = (try await TestCluster.user("ada", on: 1), cluster.nodes[0])
        dead.kill(SIGKILL)
        _ = await dead.wait()
        for _ in 0..<6 {
            let session = try await WireClient.signedIn(port: cluster.port, ada)
            try await session.settle()
            #expect(try await RestClient(port: cluster.port).call("GET", "/healthz").status == 200)
        }
        try await dead.restart()
    }
}
