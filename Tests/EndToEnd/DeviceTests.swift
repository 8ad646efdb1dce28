import EndToEndSupport
import MartletWire
import Testing

/// One user, several devices.
@Suite(.server())
struct DeviceTests {
    @Test func `Every device gets everything, and the session that sent gets its answer only`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let direct = ada.direct(ben)
        let web = try await TestServer.connect(ada)
        let secondWeb = try await TestServer.connect(ada)
        let phone = try await TestServer.connect(ada, device: "ios")
        let other = try await TestServer.connect(ben)

        #expect(try await phone.say("from my phone", in: direct) == 1)
        #expect(try await other.say("from elsewhere", in: direct) == 2)
        for session in [web, secondWeb] {
            #expect(try await session.nextPush("msg")["data"]?["seq"]?.integer == 1)
            #expect(try await session.nextPush("msg")["data"]?["seq"]?.integer == 2)
        }
        #expect(try await other.nextPush("msg")["data"]?["seq"]?.integer == 1)
        #expect(try await phone.nextPush("msg")["data"]?["seq"]?.integer == 2)
        for session in [phone, other] {
            try await session.settle()
            #expect(session.pushes("msg").count == 1)
        }
    }

    @Test func `A push has the whole event`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let (sender, receiver) = (try await TestServer.connect(ada), try await TestServer.connect(ben))
        let sent = try await sender.succeed("send", textMessage("hello", in: ada.direct(ben), clientId: "c-1"))
        let event = try #require(try await receiver.nextPush("msg")["data"])
        for key in ["conversationId", "seq", "messageId", "time"] { #expect(event[key] == sent[key], "\(key)") }
        #expect(event["from"]?.integer == ada.id)
        #expect(event["fromName"]?.string == ada.name)
        #expect(event["type"]?.string == "text")
        #expect(event["content"]?["text"]?.string == "hello")
        #expect(event["clientId"]?.string == "c-1")
    }

    @Test func `A new nickname shows from the next message on, though the token has the old one`() async throws {
        let rest = TestServer.rest
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let direct = ada.direct(ben)
        let (web, phone) = (try await TestServer.connect(ada), try await TestServer.connect(ada, device: "ios"))
        let reader = try await TestServer.connect(ben)
        func rename(_ nickname: String) async throws {
            try await rest.succeed("PUT", "/api/user/profile", by: ada, #"{"nickname":"\#(nickname)"}"#)
            for session in [web, phone] {
                let notice = try await session.nextPush("notify")["data"]
                #expect(notice?["type"]?.string == "profile_changed")
                #expect(notice?["content"]?["nickname"]?.string == nickname)
            }
        }
        func nameOfNext(_ push: String = "msg") async throws -> String? {
            try await reader.nextPush(push)["data"]?["fromName"]?.string
        }
        let target = try await web.say("as I was", in: direct)
        #expect(try await nameOfNext() == ada.name)
        try await rename("Ada L.")
        for session in [web, phone] {
            try await session.say("as I am", in: direct)
            #expect(try await nameOfNext() == "Ada L.")
        }
        try await web.succeed("react", #"{"conversationId":"\#(direct)","target":\#(target),"emoji":"👍"}"#)
        #expect(try await nameOfNext("event") == "Ada L.")
        try await rest.succeed("POST", "/api/chat/send", by: ada, textMessage("by REST", in: direct))
        #expect(try await nameOfNext() == "Ada L.")
        // The token is still that of before.
        let late = try await WireClient.connect(port: TestServer.current.port)
        #expect(try await late.login(ada)["nickname"]?.string == "Ada L.")
        try await late.say("and back", in: direct)
        #expect(try await nameOfNext() == "Ada L.")
        try await rename("Countess")
        _ = try await late.nextPush("notify")
        try await late.say("and on", in: direct)
        #expect(try await nameOfNext() == "Countess")
    }

    @Test func `A user has so many sessions and no more: the oldest makes room`() async throws {
        let ada = try await TestServer.user("ada")
        let first = try await TestServer.connect(ada)
        var others: [WireClient] = []
        for _ in 0..<16 { others.append(try await TestServer.connect(ada)) }
        #expect(try await first.waitClosed() == 4102)
        for session in others { try await session.settle() }
    }
}

@Suite(.server(environment: ["MARTLET_GATEWAY_SAME_DEVICE": "replace"]))
struct ReplacingDeviceTests {
    @Test func `A newer sign-in of the same device kind ends the older one`() async throws {
        let ada = try await TestServer.user("ada")
        let old = try await TestServer.connect(ada)
        let phone = try await TestServer.connect(ada, device: "ios")
        let new = try await TestServer.connect(ada)
        #expect(try await old.waitClosed() == 4102)
        try await new.settle()
        try await phone.settle()
    }
}

@Suite(.server(environment: ["MARTLET_GATEWAY_SAME_DEVICE": "refuse"]))
struct RefusingDeviceTests {
    @Test func `A second sign-in of the same device kind is refused while the first lasts`() async throws {
        let ada = try await TestServer.user("ada")
        let first = try await TestServer.connect(ada)
        let second = try await WireClient.connect(port: TestServer.current.port)
        let refusal = try await second.request("login", WireClient.loginData(ada.token))
        #expect(refusal.code == 409)
        #expect(refusal.reason == "limit_reached")
        try await second.login(ada, device: "ios")
        first.close()
        #expect(try await first.waitClosed() == 1000)
        _ = try await TestServer.connect(ada)
    }
}
