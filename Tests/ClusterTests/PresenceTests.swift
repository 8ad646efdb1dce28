import EndToEndSupport
import MartletWire
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension ThreeNodes {
    /// Who is there, as all nodes see it.
    struct PresenceTests {
        private func isOnline(_ user: TestUser, by other: TestUser, on node: Int) async throws -> Bool? {
            try await TestCluster.rest(node).succeed("GET", "/api/user/profile?userId=\(user.id)", by: other)["online"]?
                .bool
        }

        @Test func `Friends see each other come and go`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            try await TestCluster.rest().befriend(ada, ben)
            let watcher = try await TestCluster.connect(ada, on: 0)
            let friend = try await TestCluster.connect(ben, on: 1)
            let came = try await watcher.nextPush("presence")["data"]
            #expect(came?["userId"]?.integer == ben.id)
            #expect(came?["online"]?.bool == true)
            #expect(try await isOnline(ben, by: ada, on: 2) == true)
            friend.close()
            let left = try await watcher.nextPush("presence")["data"]
            #expect(left?["userId"]?.integer == ben.id)
            #expect(left?["online"]?.bool == false)
            try await eventually("the friend to be away") { try await isOnline(ben, by: ada, on: 2) == false }
        }

        @Test func `Who was on a node that died is soon away, and in no room`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            try await TestCluster.rest().befriend(ada, ben)
            let room = try await ada.room(TestCluster.rest())
            let enter = #"{"conversationId":"\#(room)"}"#
            let watcher = try await TestCluster.connect(ada, on: 0)
            let lost = try await TestCluster.connect(ben, on: 2)
            try await watcher.succeed("enter", enter)
            #expect(try await lost.succeed("enter", enter)["people"]?.integer == 2)
            #expect(try await isOnline(ben, by: ada, on: 1) == true)

            let node = TestCluster.current.nodes[2]
            node.kill(SIGKILL)
            _ = await node.wait()
            try await eventually("the dead node's people to be away") {
                let members = try await TestCluster.rest(1).succeed(
                    "GET", "/api/room/members?conversationId=\(room)", by: ada)
                let ids = members["items"]?.array?.compactMap { $0["userId"]?.integer }
                let isThere = try await isOnline(ben, by: ada, on: 1)
                return ids == [ada.id] && isThere == false
            }
            try await node.restart()
            // Being in the same place again is as good as new.
            let back = try await TestCluster.connect(ben, on: 2)
            #expect(try await back.succeed("enter", enter)["people"]?.integer == 2)
            #expect(try await isOnline(ben, by: ada, on: 1) == true)
            for session in [watcher, back] { try await session.succeed("exit", enter) }
        }
    }
}
