import EndToEndSupport
import MartletWire
import Testing

extension ThreeNodes {
    /// What is sent on one node arrives at sessions on all.
    struct DeliveryTests {
        @Test func `A direct message arrives on other nodes, also at the sender's other devices`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let direct = ada.direct(ben)
            let sender = try await TestCluster.connect(ada, on: 0)
            let phone = try await TestCluster.connect(ada, on: 2, device: "ios")
            let (web, other) = (
                try await TestCluster.connect(ben, on: 1), try await TestCluster.connect(ben, on: 2, device: "ios")
            )
            let seq = try await sender.say("hello", in: direct)
            for session in [phone, web, other] { try await session.waitMessage(seq, in: direct) }
            try await sender.settle()
            #expect(sender.pushedSeqs(direct) == [])
        }

        @Test func `A group's messages from all nodes come to all in one order, without gap or repeat`() async throws {
            let users = [
                try await TestCluster.user("ada"), try await TestCluster.user("ben"),
                try await TestCluster.user("cleo"),
            ]
            let group = "g:\(try await TestCluster.rest().group("swifts", of: users))"
            var sessions: [WireClient] = []
            for (node, user) in users.enumerated() {
                sessions.append(try await TestCluster.connect(user, on: node))
            }
            let own = try await withThrowingTaskGroup(of: (Int, [Int64]).self) { tasks in
                for (index, session) in sessions.enumerated() {
                    tasks.addTask {
                        var seqs: [Int64] = []
                        for number in 1...30 { seqs.append(try await session.say("\(number)", in: group)) }
                        return (index, seqs)
                    }
                }
                return try await tasks.reduce(into: [Int: [Int64]]()) { $0[$1.0] = $1.1 }
            }
            let all = own.values.joined().sorted()
            #expect(all == Array((all.first ?? 0)...(all.last ?? 0)))
            for (index, session) in sessions.enumerated() {
                let expected = all.filter { own[index]?.contains($0) == false }
                try await session.waitPushes("the others' messages") {
                    $0.messages(of: group).count >= expected.count
                }
                #expect(session.pushedSeqs(group) == expected)
            }
        }

        @Test func `A room's messages arrive on other nodes, and its people are seen from all`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let room = try await ada.room(TestCluster.rest())
            let enter = #"{"conversationId":"\#(room)"}"#
            let one = try await TestCluster.connect(ada, on: 0)
            let other = try await TestCluster.connect(ben, on: 1)
            #expect(try await one.succeed("enter", enter)["people"]?.integer == 1)
            #expect(try await other.succeed("enter", enter)["people"]?.integer == 2)
            let came = try await one.nextPush("presence") { $0["data"]?["userId"]?.integer == ben.id }["data"]
            #expect(came?["here"]?.bool == true)
            let seq = try await other.say("hello, room", in: room)
            try await one.waitMessage(seq, in: room)
            let members = try await TestCluster.rest(2).succeed(
                "GET", "/api/room/members?conversationId=\(room)", by: ada)
            #expect(Set(members["items"]?.array?.compactMap { $0["userId"]?.integer } ?? []) == [ada.id, ben.id])
            try await other.succeed("exit", enter)
            _ = try await one.nextPush("presence") { $0["data"]?["here"]?.bool == false }
            try await one.succeed("exit", enter)
        }

        @Test func `A retry on another node gets the same seq, and another payload a conflict`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let message = textMessage("once", in: ada.direct(ben), clientId: "the-one")
            let first = try await TestCluster.connect(ada, on: 0).succeed("send", message)
            for node in 1...2 {
                let session = try await TestCluster.connect(ada, on: node)
                let again = try await session.succeed("send", message)
                for key in ["conversationId", "seq", "messageId", "time"] { #expect(again[key] == first[key]) }
                let other = textMessage("twice", in: ada.direct(ben), clientId: "the-one")
                let conflict = try await session.request("send", other)
                #expect(conflict.code == 409)
                #expect(conflict.reason == "client_id_reused")
            }
        }

        @Test func `Who joins a group on one node follows it on another, until he is sent away on a third`()
            async throws
        {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let id = try await TestCluster.rest().group("swifts", of: [ada])
            let group = "g:\(id)"
            let sender = try await TestCluster.connect(ada, on: 0)
            let joiner = try await TestCluster.connect(ben, on: 1)
            try await TestCluster.rest(2).succeed("POST", "/api/group/join", by: ben, #"{"groupId":\#(id)}"#)
            _ = try await joiner.nextPush("notify") { $0["data"]?["type"]?.string == "group_joined" }
            let welcome = try await sender.say("welcome", in: group)
            try await joiner.waitMessage(welcome, in: group)
            let kick = #"{"groupId":\#(id),"userIds":[\#(ben.id)]}"#
            try await TestCluster.rest(2).succeed("POST", "/api/group/kick", by: ada, kick)
            _ = try await joiner.nextPush("notify") { $0["data"]?["type"]?.string == "group_left" }
            try await sender.say("among ourselves", in: group)
            try await joiner.settle()
            #expect(joiner.pushedSeqs(group) == [welcome])
            #expect(try await joiner.request("send", textMessage("let me in", in: group)).reason == "not_a_member")
        }

        @Test func `Who comes back on another node gets what he missed, and then what comes`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let direct = ada.direct(ben)
            let sender = try await TestCluster.connect(ada, on: 0)
            let before = try await TestCluster.connect(ben, on: 1)
            let first = try await sender.say("first", in: direct)
            try await before.waitMessage(first, in: direct)
            await before.drop()
            for number in 1...5 { try await sender.say("\(number)", in: direct) }
            let after = try await TestCluster.connect(ben, on: 2, resume: true)
            let answer = try await after.succeed("sync", #"{"cursors":{"\#(direct)":\#(first)}}"#)
            let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == direct }
            let seqs = part?["events"]?.array?.compactMap { $0["seq"]?.integer } ?? []
            #expect(seqs == Array(first + 1...first + 5))
            let last = try await sender.say("and on", in: direct)
            try await after.waitMessage(last, in: direct)
            #expect(after.pushedSeqs(direct) == [last])
        }

        @Test func `A friend's request comes to the inbox wherever it is open`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let sessions = [
                try await TestCluster.connect(ben, on: 1), try await TestCluster.connect(ben, on: 2, device: "ios"),
            ]
            try await TestCluster.rest().succeed(
                "POST", "/api/friend/request", by: ada, #"{"userId":\#(ben.id)}"#)
            for session in sessions {
                let notice = try await session.nextPush("notify")["data"]
                #expect(notice?["type"]?.string == "friend_request")
                #expect(notice?["conversationId"]?.string == ben.inbox)
            }
        }

        @Test func `A new nickname shows on messages from sessions on other nodes`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let sender = try await TestCluster.connect(ada, on: 1)
            let reader = try await TestCluster.connect(ben, on: 2)
            try await TestCluster.rest().succeed("PUT", "/api/user/profile", by: ada, #"{"nickname":"Ada L."}"#)
            _ = try await sender.nextPush("notify") { $0["data"]?["type"]?.string == "profile_changed" }
            try await sender.say("as I am", in: ada.direct(ben))
            #expect(try await reader.nextPush("msg")["data"]?["fromName"]?.string == "Ada L.")
        }

        @Test func `Cursors and typing pass between nodes`() async throws {
            let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
            let direct = ada.direct(ben)
            let sender = try await TestCluster.connect(ada, on: 0)
            let (web, phone) = (
                try await TestCluster.connect(ben, on: 1), try await TestCluster.connect(ben, on: 2, device: "ios")
            )
            let seq = try await sender.say("hello", in: direct)
            try await phone.waitMessage(seq, in: direct)
            try await phone.succeed("ack", #"{"conversationId":"\#(direct)","seq":\#(seq)}"#)
            #expect(try await sender.nextPush("delivered")["data"]?["deliveredSeq"]?.integer == seq)
            try await phone.succeed("read", #"{"conversationId":"\#(direct)","seq":\#(seq)}"#)
            for session in [sender, web] {
                let push = try await session.nextPush("read")["data"]
                #expect(push?["userId"]?.integer == ben.id)
                #expect(push?["readSeq"]?.integer == seq)
            }
            try await web.succeed("typing", #"{"conversationId":"\#(direct)"}"#)
            #expect(try await sender.nextPush("typing")["data"]?["userId"]?.integer == ben.id)
        }
    }
}
