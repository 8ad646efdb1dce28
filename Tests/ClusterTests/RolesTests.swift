import EndToEndSupport
import MartletWire
import Testing

/// Nodes that do some of the work: one that has sessions, one that answers requests, one that keeps house.
@Suite(.serialized, .showsClusterLogs)
struct RolesTests {
    @Test func `Each node does what its roles say, and all are one`() async throws {
        let cluster = try await ClusterHarness.start(.init(nodes: 1, environment: ["MARTLET_ROLES": "gateway"]))
        let gateway = cluster.nodes[0]
        let api = try await ServerProcess.start(environment: cluster.environment(role: "api"))
        let worker = try await ServerProcess.start(environment: cluster.environment(role: "worker"))
        let rest = RestClient(port: api.port)
        let (ada, ben) = (try await register(rest, "ada"), try await register(rest, "ben"))

        for node in [api, worker] {
            let refused = await #expect(throws: UpgradeRefused.self) {
                _ = try await WireClient.connect(port: node.port)
            }
            #expect(refused?.status == 404)
        }
        for node in [gateway, worker] {
            let answer = try await RestClient(port: node.port).call("GET", "/api/user/profile", token: ada.token)
            #expect(answer.status == 404)
            #expect(try await RestClient(port: node.port).call("GET", "/readyz").status == 200)
        }
        try await eventually("the gateway to be known") {
            try await rest.call("GET", "/api/route").data?["port"]?.integer == Int64(gateway.port)
        }
        let session = try await WireClient.signedIn(port: gateway.port, ben)
        try await rest.succeed("POST", "/api/chat/send", by: ada, textMessage("by REST", in: ada.direct(ben)))
        try await session.waitMessage(1, in: ada.direct(ben))
        for node in [api, worker] { #expect(await node.stop() == 0) }
        await cluster.stop()
    }
}

extension ClusterHarness {
    fileprivate func environment(role: String) -> [String: String] {
        environment.merging(["MARTLET_ROLES": role, "MARTLET_NODE": role]) { $1 }
    }
}
