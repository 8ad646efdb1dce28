import EndToEndSupport
import MartletWire
import Testing

/// Cursors, typing, presence, rooms and the inbox.
@Suite(.server())
struct SignalTests {
    private let rest = TestServer.rest

    @Test func `Unread counts follow from what is read, for all devices and for the other side`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let direct = ada.direct(ben)
        let sender = try await TestServer.connect(ada)
        let (web, phone) = (try await TestServer.connect(ben), try await TestServer.connect(ben, device: "ios"))
        for number in 1...5 { try await sender.say("\(number)", in: direct) }
        try await web.say("and mine", in: direct)

        try await phone.succeed("ack", #"{"conversationId":"\#(direct)","seq":5}"#)
        let delivered = try await sender.nextPush("delivered")["data"]
        #expect(delivered?["userId"]?.integer == ben.id)
        #expect(delivered?["deliveredSeq"]?.integer == 5)

        let read = try await phone.succeed("read", #"{"conversationId":"\#(direct)","seq":3}"#)
        #expect(read["readSeq"]?.integer == 3)
        #expect(read["unread"]?.integer == 2, "one's own message is never unread")
        for session in [sender, web] {
            let push = try await session.nextPush("read")["data"]
            #expect(push?["conversationId"]?.string == direct)
            #expect(push?["userId"]?.integer == ben.id)
            #expect(push?["readSeq"]?.integer == 3)
        }
        // A cursor never goes back, nor beyond what exists.
        #expect(try await phone.succeed("read", #"{"conversationId":"\#(direct)","seq":1}"#)["readSeq"]?.integer == 3)
        let beyond = try await phone.succeed("read", #"{"conversationId":"\#(direct)","seq":99}"#)
        #expect(beyond["readSeq"]?.integer == 6)
        #expect(beyond["unread"]?.integer == 0)

        let list = try await rest.succeed("GET", "/api/chat/conversations", by: ada)
        let entry = try #require(list["items"]?.array?.first { $0["conversationId"]?.string == direct })
        #expect(entry["kind"]?.string == "direct")
        #expect(entry["unread"]?.integer == 1)
        #expect((entry["peerReadSeq"]?.integer ?? 0) >= 3)
        #expect((entry["peerDeliveredSeq"]?.integer ?? 0) >= 5)
        #expect(entry["lastMessage"]?["content"]?["text"]?.string == "and mine")
    }

    @Test func `Typing is passed on to the others and to nobody else`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let (one, other) = (try await TestServer.connect(ada), try await TestServer.connect(ben))
        try await one.say("hello", in: ada.direct(ben))
        try await one.succeed("typing", #"{"conversationId":"\#(ada.direct(ben))"}"#)
        let push = try await other.nextPush("typing")["data"]
        #expect(push?["conversationId"]?.string == ada.direct(ben))
        #expect(push?["userId"]?.integer == ada.id)
        try await one.settle()
        #expect(one.pushes("typing").isEmpty)
    }

    @Test func `Friends see each other come and go`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let watcher = try await TestServer.connect(ada)
        try await rest.befriend(ada, ben)
        let added = try await watcher.nextPush("notify") { $0["data"]?["type"]?.string == "friend_added" }
        #expect(added["data"]?["conversationId"]?.string == ada.inbox)
        #expect(added["data"]?["content"]?["userId"]?.integer == ben.id)
        let friend = try await TestServer.connect(ben)
        let came = try await watcher.nextPush("presence")["data"]
        #expect(came?["userId"]?.integer == ben.id)
        #expect(came?["online"]?.bool == true)
        friend.close()
        let left = try await watcher.nextPush("presence")["data"]
        #expect(left?["userId"]?.integer == ben.id)
        #expect(left?["online"]?.bool == false)
    }

    @Test func `People are in a room while their sessions are`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let app = try await rest.succeed("GET", "/api/user/profile", by: ada)["appId"]?.integer ?? 0
        let room = "r:\(app)"
        let (one, other) = (try await TestServer.connect(ada), try await TestServer.connect(ben))
        let outside = try await one.request("send", textMessage("too early", in: room))
        #expect(outside.code == 403)
        #expect(try await one.succeed("enter", #"{"conversationId":"\#(room)"}"#)["people"]?.integer == 1)
        #expect(try await other.succeed("enter", #"{"conversationId":"\#(room)"}"#)["people"]?.integer == 2)
        let came = try await one.nextPush("presence") { $0["data"]?["userId"]?.integer == ben.id }["data"]
        #expect(came?["conversationId"]?.string == room)
        #expect(came?["username"]?.string == ben.name)
        #expect(came?["here"]?.bool == true)

        let seq = try await other.say("hello, room", in: room)
        #expect(try await one.nextPush("msg")["data"]?["seq"]?.integer == seq)
        let members = try await rest.succeed("GET", "/api/room/members?conversationId=\(room)", by: ada)
        #expect(members["items"]?.array?.compactMap { $0["userId"]?.integer } == [ada.id, ben.id])

        try await other.succeed("exit", #"{"conversationId":"\#(room)"}"#)
        let went = try await one.nextPush("presence") { $0["data"]?["here"]?.bool == false }["data"]
        #expect(went?["userId"]?.integer == ben.id)
        try await one.say("alone", in: room)
        try await other.settle()
        #expect(other.pushes("msg").isEmpty)
        #expect(try await other.request("send", textMessage("too late", in: room)).code == 403)

        try await other.succeed("enter", #"{"conversationId":"\#(room)"}"#)
        _ = try await one.nextPush("presence") { $0["data"]?["here"]?.bool == true }
        await other.drop()
        _ = try await one.nextPush("presence") { $0["data"]?["here"]?.bool == false }
    }

    @Test func `The inbox is followed like any conversation`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let (web, phone) = (try await TestServer.connect(ben), try await TestServer.connect(ben, device: "ios"))
        try await rest.succeed(
            "POST", "/api/friend/request", by: ada, #"{"userId":\#(ben.id),"message":"it is me"}"#)
        for session in [web, phone] {
            let notice = try await session.nextPush("notify")["data"]
            #expect(notice?["conversationId"]?.string == ben.inbox)
            #expect(notice?["type"]?.string == "friend_request")
            #expect(notice?["content"]?["userId"]?.integer == ada.id)
            #expect(notice?["content"]?["message"]?.string == "it is me")
        }
        let late = try await TestServer.connect(ben, device: "android")
        let answer = try await late.succeed("sync", #"{"cursors":{"\#(ben.inbox)":0}}"#)
        let inbox = try #require(answer["conversations"]?.array?.first { $0["conversationId"]?.string == ben.inbox })
        #expect(inbox["events"]?.array?.compactMap { $0["type"]?.string } == ["friend_request"])
    }
}
