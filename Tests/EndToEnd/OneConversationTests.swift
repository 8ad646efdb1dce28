import EndToEndSupport
import MartletWire
import Testing

/// A group of accounts that use four kinds of clients.
private struct Circle {
    static let words = 5

    let group: Int64
    /// Native, native again, gowebsocket, and clusterchat in both numberings.
    let users: [TestUser]

    var conversation: String { "g:\(group)" }
    var texts: [String] { users.flatMap { user in (1...Self.words).map { Self.text(user, $0) } } }

    init() async throws {
        var users: [TestUser] = []
        for name in ["ada", "bea", "gus", "cat", "dan"] { users.append(try await TestServer.user(name)) }
        self.users = users
        group = try await TestServer.rest.group("everybody", of: users)
    }

    static func text(_ user: TestUser, _ number: Int) -> String { "\(user.name) \(number)" }

    /// What others than `user` said, in the group's order.
    func heard(by user: TestUser) async throws -> [String] {
        try await TestServer.rest.everything(in: conversation, by: users[0])
            .filter { $0.sender != user.id && !$0.payload.isEmpty }.map(\.payload)
    }
}

extension WireClient {
    /// The texts of a conversation's messages that were pushed so far.
    func texts(in conversation: String) -> [String] {
        pushes("msg").compactMap { $0["data"] }.filter { $0["conversationId"]?.string == conversation }
            .compactMap { $0["content"]?["text"]?.string }
    }

    /// Waits for a message with this text; returns its data.
    @discardableResult
    func waitText(_ text: String) async throws -> JSONValue {
        let push = try await nextPush("msg") { $0["data"]?["content"]?["text"]?.string == text }
        return push["data"] ?? .null
    }
}

/// What clients of all dialects say to each other.
@Suite(.speakingOlderDialects())
struct OneConversationTests {
    private let server = TestServer.current
    private let rest = TestServer.rest

    @Test func `A group's messages come to members of every kind once, in the group's order`() async throws {
        let circle = try await Circle()
        let (ada, bea, gus, cat, dan) = (
            circle.users[0], circle.users[1], circle.users[2], circle.users[3], circle.users[4]
        )
        let native = [try await TestServer.connect(ada), try await TestServer.connect(bea)]
        let socket = try await GoWebSocketClient.signedIn(port: server.port, as: gus.name, serviceToken: gus.token)
        let (seed, course) = (
            try await server.clusterChat(as: cat, .seed).client, try await server.clusterChat(as: dan, .course).client
        )
        for number in 1...Circle.words {
            for (client, user) in zip(native, [ada, bea]) {
                try await client.say(Circle.text(user, number), in: circle.conversation)
            }
            try await rest.post(
                Circle.text(gus, number), as: gus.name, target: circle.conversation, token: gus.token)
            seed.say(Circle.text(cat, number), in: circle.group, as: cat)
            course.say(Circle.text(dan, number), in: circle.group, as: dan)
        }

        let count = 4 * Circle.words
        for client in native {
            let conversation = circle.conversation
            try await client.waitPushes("all messages") { pushes in
                pushes.filter { $0["data"]?["conversationId"]?.string == conversation && $0["cmd"]?.string == "msg" }
                    .count >= count
            }
            try await client.settle()
        }
        try await socket.waitPushes("all messages") { $0.filter { $0.cmd == "msg" }.count >= count }
        try await socket.settle()
        for client in [seed, course] {
            try await client.waitLines("all messages") { $0.count >= count }
            try await client.settle()
        }
        for (client, user) in zip(native, [ada, bea]) {
            let heard = try await circle.heard(by: user)
            #expect(client.texts(in: circle.conversation) == heard)
        }
        let heard = try await circle.heard(by: gus)
        #expect(socket.messages.map(\.text) == heard)
        #expect(Set(socket.messages.map(\.target)) == [circle.conversation])
        #expect(Set(socket.messages.map(\.from)) == Set([ada, bea, cat, dan].map(\.name)))
        for (client, user) in [(seed, cat), (course, dan)] {
            let heard = try await circle.heard(by: user)
            #expect(client.lines.map(\.text) == heard)
            #expect(client.lines.allSatisfy { $0.group == circle.group && $0.text.hasPrefix("\($0.name) ") })
        }
    }

    @Test func `Members who are away get what they missed once they come back, once and in order`() async throws {
        let circle = try await Circle()
        let (ada, bea, gus, cat, dan) = (
            circle.users[0], circle.users[1], circle.users[2], circle.users[3], circle.users[4]
        )
        let conversation = circle.conversation
        let witness = try await TestServer.connect(ada)
        let before = try await TestServer.connect(bea)
        var (course, _) = try await server.clusterChat(as: dan, .course)
        let first = try await witness.say("before", in: conversation)
        try await before.waitText("before")
        try await course.wait(for: "before")
        await before.drop()
        await course.drop()

        let (seed, _) = try await server.clusterChat(as: cat, .seed)
        for number in 1...Circle.words {
            seed.say(Circle.text(cat, number), in: circle.group, as: cat)
            try await witness.waitText(Circle.text(cat, number))
            try await rest.post(Circle.text(gus, number), as: gus.name, target: conversation, token: gus.token)
            try await witness.say(Circle.text(ada, number), in: conversation)
        }
        let missed = try await circle.heard(by: bea).filter { $0 != "before" }
        #expect(missed.count == 3 * Circle.words)

        let back = try await TestServer.connect(bea, resume: true)
        let answer = try await back.succeed("sync", #"{"cursors":{"\#(conversation)":\#(first)}}"#)
        let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == conversation }
        let synced = part?["events"]?.array?.compactMap { $0["content"]?["text"]?.string }
        #expect(synced == missed)

        let login: ClusterChatLogin
        (course, login) = try await server.clusterChatSoon(as: dan, .course)
        let rest = missed.count - login.missed.count
        let behind = try await course.waitLines("what was missed") { $0.count >= rest }
        try await course.settle()
        #expect(course.lines == behind)
        #expect((login.missed + behind).map(\.text) == missed)

        try await witness.say("and on", in: conversation)
        try await back.waitText("and on")
        try await course.wait(for: "and on")
        #expect(back.texts(in: conversation) == ["and on"])
        #expect(course.lines.map(\.text) == behind.map(\.text) + ["and on"])
    }

    @Test(arguments: ClusterChatFamily.allCases)
    func `A console and the native client talk to each other`(_ family: ClusterChatFamily) async throws {
        let (ada, cat) = (try await TestServer.user("ada"), try await TestServer.user("cat"))
        let native = try await TestServer.connect(ada)
        let (console, _) = try await server.clusterChat(as: cat, family)
        console.say("你好", to: ada, as: cat)
        let push = try await native.waitText("你好")
        #expect(push["from"]?.integer == cat.id)
        #expect(push["fromName"]?.string == cat.name)
        #expect(push["conversationId"]?.string == ada.direct(cat))
        #expect(push["content"]?["time"]?.string == clusterChatTime)
        try await native.say("你也好", in: ada.direct(cat))
        let line = try #require(try await console.wait(for: "你也好").first)
        #expect((line.from, line.name, line.to, line.group) == (ada.id, ada.name, cat.id, nil))
        #expect(line.time.count == clusterChatTime.count)
    }

    @Test func `Consoles of both numberings talk to each other, each in its own`() async throws {
        let (cat, dan) = (try await TestServer.user("cat"), try await TestServer.user("dan"))
        let (seed, _) = try await server.clusterChat(as: cat, .seed)
        let (course, _) = try await server.clusterChat(as: dan, .course)
        seed.say("one", to: dan, as: cat)
        try await course.wait(for: "one")
        course.say("two", to: cat, as: dan)
        try await seed.wait(for: "two")
        let time = clusterChatTime
        #expect(
            course.texts.last
                == #"{"id":\#(cat.id),"msg":"one","msgid":6,"name":"\#(cat.name)","time":"\#(time)","toid":\#(dan.id)}"#
        )
        #expect(
            seed.texts.last
                == #"{"id":\#(dan.id),"msg":"two","msgid":5,"name":"\#(dan.name)","time":"\#(time)","to":\#(cat.id)}"#)
    }

    @Test func `Guests of a room and an account in it hear each other`() async throws {
        let mark = randomClientID()
        let names = ["g1\(mark)", "黄\(mark)"]
        let guests = [
            try await GoWebSocketClient.signedIn(port: server.port, as: names[0]),
            try await GoWebSocketClient.signedIn(port: server.port, as: names[1]),
        ]
        let ada = try await TestServer.user("ada")
        let native = try await TestServer.connect(ada)
        try await native.succeed("enter", #"{"conversationId":"\#(OlderDialects.room)"}"#)
        for guest in guests {
            try await guest.waitPushes("the account's coming") { pushes in
                pushes.contains { $0.cmd == "enter" && $0.from == ada.name && $0.text == "哈喽~" }
            }
        }
        let people = try await rest.goWebSocket("GET", "/user/list", ["appId": "101"])
        let listed = people.data["userList"]?.array?.compactMap(\.string) ?? []
        #expect(Set(names + [ada.name]).isSubset(of: listed))

        try await rest.post("\(mark) from a guest", as: names[0], msgId: "\(mark)-1")
        let pushed = try await guests[1].wait(for: "\(mark) from a guest")
        #expect((pushed.from, pushed.seq, pushed.target) == (names[0], "\(mark)-1", ""))
        let heard = try await native.waitText("\(mark) from a guest")
        #expect(heard["conversationId"]?.string == OlderDialects.room)
        #expect(heard["fromName"]?.string == names[0])

        try await native.say("\(mark) from an account", in: OlderDialects.room)
        for guest in guests { #expect(try await guest.wait(for: "\(mark) from an account").from == ada.name) }
        for guest in guests { try await guest.settle() }
        let own = guests[0].messages.map(\.text).filter { $0.hasPrefix(mark) }
        #expect(own == ["\(mark) from an account"])
        let others = guests[1].messages.map(\.text).filter { $0.hasPrefix(mark) }
        #expect(others == ["\(mark) from a guest", "\(mark) from an account"])

        await guests[0].drop()
        try await guests[1].waitPushes("the guest's going") { pushes in
            pushes.contains { $0.cmd == "exit" && $0.from == names[0] && $0.text == "用户已经离开~" }
        }
        try await native.succeed("exit", #"{"conversationId":"\#(OlderDialects.room)"}"#)
    }

    @Test func `What is for one person comes to that person over gowebsocket, whoever they are`() async throws {
        let mark = randomClientID()
        let (ada, gus) = (try await TestServer.user("ada"), try await TestServer.user("gus"))
        let native = try await TestServer.connect(ada)
        let account = try await GoWebSocketClient.signedIn(port: server.port, as: gus.name, serviceToken: gus.token)
        let guest = try await GoWebSocketClient.signedIn(port: server.port, as: "g\(mark)")
        var parameters = ["appId": "101", "userId": "g\(mark)", "msgId": "\(mark)-1", "message": "\(mark) as recorded"]
        #expect(try await rest.goWebSocket("POST", "/user/sendMessage", parameters).isSent == true)
        let alone = try await guest.wait(for: "\(mark) as recorded")
        #expect((alone.from, alone.seq, alone.target) == ("g\(mark)", "\(mark)-1", ""))

        // Between two accounts it is their conversation.
        parameters = ["appId": "101", "userId": ada.name, "msgId": "\(mark)-2", "message": "\(mark) to Ada"]
        let sent = try await rest.goWebSocket("POST", "/user/sendMessage", parameters, token: gus.token)
        #expect(sent.isSent == true)
        let heard = try await native.waitText("\(mark) to Ada")
        #expect(heard["conversationId"]?.string == ada.direct(gus))
        try await native.say("\(mark) to Gus", in: ada.direct(gus))
        let answer = try await account.wait(for: "\(mark) to Gus")
        #expect((answer.from, answer.target) == (ada.name, ada.direct(gus)))
        try await account.settle()
        try await guest.settle()
        #expect(account.messages.map(\.text).filter { $0.hasPrefix(mark) } == ["\(mark) to Gus"])
        #expect(guest.messages.map(\.text).filter { $0.hasPrefix(mark) } == ["\(mark) as recorded"])
    }
}
