import EndToEndSupport
import MartletWire
import Testing

extension ThreeNodes {
    /// What ends a sign-in on one node reaches sessions on all others at once.
    struct RevocationTests {
        /// Over the bus, or by the table of revocations, which every node reads each second.
        private func closeCode(_ session: WireClient) async throws -> UInt16? {
            try await session.waitClosed(timeout: .seconds(20))
        }

        @Test func `A logout on one node ends the sessions on others`() async throws {
            let ada = try await TestCluster.user("ada")
            let elsewhere = try await signIn(TestCluster.rest(2), ada.name)
            let session = try await TestCluster.connect(ada, on: 1)
            let other = try await TestCluster.connect(elsewhere, on: 2)
            try await TestCluster.rest(0).succeed("POST", "/api/auth/logout", by: ada, "{}")
            #expect(try await closeCode(session) == 4100)
            try await other.settle()
            // Of sign-ins without a session there, nodes hear within a second.
            for node in 0..<3 {
                try await eventually("the token to be dead on node \(node + 1)", within: .seconds(20)) {
                    try await TestCluster.rest(node).call("GET", "/api/user/profile", token: ada.token).status == 401
                }
            }
        }

        @Test func `A new password on one node ends the sessions on others`() async throws {
            let ada = try await TestCluster.user("ada")
            let elsewhere = try await signIn(TestCluster.rest(1), ada.name)
            let session = try await TestCluster.connect(elsewhere, on: 2)
            try await TestCluster.rest(0).succeed(
                "PUT", "/api/user/password", by: ada,
                #"{"oldPassword":"\#(testPassword)","newPassword":"another horse 8"}"#)
            #expect(try await closeCode(session) == 4103)
        }

        @Test func `A ban from the command line reaches every node`() async throws {
            let ada = try await TestCluster.user("ada")
            var sessions: [WireClient] = []
            for node in 0..<3 { sessions.append(try await TestCluster.connect(ada, on: node)) }
            let banned = try await ServerProcess.run(
                ["user", "ban", ada.name], environment: TestCluster.current.environment)
            #expect(banned.status == 0, "\(banned.error)")
            for session in sessions { #expect(try await session.waitClosed() == 4101) }
        }

        @Test func `A ban on one node ends the sessions on others`() async throws {
            let (admin, ada) = (try await TestCluster.user("admin"), try await TestCluster.user("ada"))
            let changed = try await ServerProcess.run(
                ["user", "role", admin.name, "admin"], environment: TestCluster.current.environment)
            #expect(changed.status == 0, "\(changed.error)")
            let administrator = try await signIn(TestCluster.rest(), admin.name)
            let session = try await TestCluster.connect(ada, on: 2)
            try await TestCluster.rest(0).succeed(
                "POST", "/api/user/ban", by: administrator, #"{"userId":\#(ada.id)}"#)
            #expect(try await closeCode(session) == 4101)
        }

        @Test func `A user has so many sessions on all nodes together: the oldest makes room`() async throws {
            let ada = try await TestCluster.user("ada")
            let first = try await TestCluster.connect(ada, on: 0)
            var others: [WireClient] = []
            for number in 0..<16 { others.append(try await TestCluster.connect(ada, on: 1 + number % 2)) }
            #expect(try await closeCode(first) == 4102)
            for session in others { try await session.settle() }
        }
    }
}

@Suite(
    .cluster(.init(nodes: 2, environment: ["MARTLET_GATEWAY_SAME_DEVICE": "replace"])), .serialized, .showsClusterLogs)
struct ReplacingTests {
    @Test func `A newer sign-in of the same device kind ends the older one on another node`() async throws {
        let ada = try await TestCluster.user("ada")
        let old = try await TestCluster.connect(ada, on: 0)
        let phone = try await TestCluster.connect(ada, on: 0, device: "ios")
        let new = try await TestCluster.connect(ada, on: 1)
        #expect(try await old.waitClosed() == 4102)
        try await new.settle()
        try await phone.settle()
    }
}

@Suite(
    .cluster(.init(nodes: 2, environment: ["MARTLET_GATEWAY_SAME_DEVICE": "refuse"])), .serialized, .showsClusterLogs)
struct RefusingTests {
    private func refusal(_ user: TestUser, on node: Int) async throws -> WireAnswer {
        let session = try await WireClient.connect(port: TestCluster.current.nodes[node].port)
        return try await session.request("login", WireClient.loginData(user.token))
    }

    @Test func `A second sign-in of the same device kind is refused while the first lasts on another node`()
        async throws
    {
        let ada = try await TestCluster.user("ada")
        let first = try await TestCluster.connect(ada, on: 0)
        #expect(try await refusal(ada, on: 1).reason == "limit_reached")
        first.close()
        #expect(try await first.waitClosed() == 1000)
        try await eventually("the sign-in to be free") { try await refusal(ada, on: 1).code == 200 }
    }

    @Test func `Two sign-ins at the same moment on two nodes are not both let in`() async throws {
        for _ in 0..<10 {
            let ada = try await TestCluster.user("ada")
            let sessions = [
                try await WireClient.connect(port: TestCluster.current.nodes[0].port),
                try await WireClient.connect(port: TestCluster.current.nodes[1].port),
            ]
            let asked = sessions.map { $0.post("login", WireClient.loginData(ada.token)) }
            var codes: [Int] = []
            for (session, seq) in zip(sessions, asked) { codes.append(try await session.answer(to: seq).code) }
            #expect(codes.sorted() == [200, 409])
        }
    }
}
