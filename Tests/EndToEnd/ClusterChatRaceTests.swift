import EndToEndSupport
import MartletWire
import Testing

/// What clusterchat's clients say quickly, at once, or just before they go: none of it may be lost, since they are told of nothing.
@Suite(.speakingOlderDialects())
struct ClusterChatRaceTests {
    private let server = TestServer.current

    private func pair() async throws -> (ada: TestUser, native: WireClient, cat: TestUser) {
        let (ada, cat) = (try await TestServer.user("ada"), try await TestServer.user("cat"))
        return (ada, try await TestServer.connect(ada), cat)
    }

    @Test func `Of many sign-ins at once one comes in`() async throws {
        let cat = try await TestServer.user("cat")
        var clients: [ClusterChatClient] = []
        for number in 0..<8 { clients.append(try await server.clusterChat(number % 2 == 0 ? .seed : .course)) }
        for client in clients { client.send(client.family.login(cat.id, testPassword)) }
        var numbers: [Int64?] = []
        for client in clients { numbers.append(try await client.loginAnswer().errno) }
        #expect(numbers.filter { $0 == 0 }.count == 1)
        #expect(numbers.filter { $0 == 2 }.count == 7)
    }

    @Test func `Who is signed in and signs in once more is refused, and goes on`() async throws {
        let (ada, native, cat) = try await pair()
        let (client, _) = try await server.clusterChat(as: cat)
        #expect(try await client.logIn(cat.id).errno == 2)
        #expect(try await client.logIn(ada.id).errno == 2)
        client.say("still me", to: ada, as: cat)
        #expect(try await native.waitText("still me")["from"]?.integer == cat.id)
    }

    @Test func `What comes with the login in one write is heard behind it`() async throws {
        let (ada, native, cat) = try await pair()
        let client = try await server.clusterChat(.course)
        let family = client.family
        let requests = [
            family.login(cat.id, testPassword), family.chat("one", to: ada.id, as: cat.id, name: "x"),
            family.chat("two", to: ada.id, as: cat.id, name: "x"), family.logout(as: cat.id),
            family.chat("too late", to: ada.id, as: cat.id, name: "x"), family.login(cat.id, testPassword),
            family.chat("three", to: ada.id, as: cat.id, name: "x"),
        ]
        client.sendRaw(Array(requests.joined(separator: "\u{0}").utf8) + [0])
        try await native.waitText("three")
        #expect(native.texts(in: ada.direct(cat)) == ["one", "two", "three"])
    }

    @Test(arguments: ClusterChatFamily.allCases)
    func `What was said just before the end of a connection is not lost`(_ family: ClusterChatFamily) async throws {
        let (ada, native, cat) = try await pair()
        var texts: [String] = []
        for round in 1...20 {
            let (client, _) = try await server.clusterChatSoon(as: cat, family)
            for number in 1...3 {
                texts.append("\(round) \(number)")
                let request = family.chat("\(round) \(number)", to: ada.id, as: cat.id, name: cat.name)
                try await client.sendAndWait(Array(request.utf8) + [0])
            }
            await client.drop()
        }
        try await native.waitText("20 3")
        #expect(native.texts(in: ada.direct(cat)) == texts)
    }

    @Test func `Escapes and what needs them come as they were meant`() async throws {
        let (ada, native, cat) = try await pair()
        let (client, _) = try await server.clusterChat(as: cat)
        let (other, _) = try await server.clusterChat(as: ada, .course)
        let written = #"a\u0000b \ud83d\udc08 \"\\\/ \n\t\u4f60好"#
        let meant = "a\u{0}b 🐈 \"\\/ \n\t你好"
        client.send(#"{"msgid":5,"id":1,"name":"x","to":\#(ada.id),"msg":"\#(written)","time":"\u0031 o'clock"}"#)
        let line = try #require(try await other.wait(for: meant).first)
        #expect(line.time == "1 o'clock")
        try await native.waitText(meant)
    }

    @Test func `A login's answer stays small however much there is to tell`() async throws {
        let (ada, native, cat) = try await pair()
        let rest = TestServer.rest
        let nickname = String(repeating: "名", count: 64)
        for number in 1...12 {
            let friend = try await TestServer.user("f\(number)")
            try await rest.succeed("PUT", "/api/user/profile", by: friend, #"{"nickname":"\#(nickname)"}"#)
            try await rest.befriend(friend, cat)
            let group = try await rest.succeed(
                "POST", "/api/group/create", by: friend,
                #"{"name":"\#(nickname)","description":"\#(String(repeating: "说", count: 500))","join":"open"}"#)
            let id = try #require(group["groupId"]?.integer)
            try await rest.succeed("POST", "/api/group/join", by: cat, #"{"groupId":\#(id)}"#)
        }
        let text = String(repeating: "很长", count: 100)
        for number in 1...10 { try await native.say("\(number) \(text)", in: ada.direct(cat)) }
        for family in ClusterChatFamily.allCases {
            let (client, login) = try await server.clusterChatSoon(as: cat, family)
            #expect(login.bytes <= 1023)
            #expect(!login.friends.isEmpty)
            #expect(!login.groups.isEmpty)
            if family == .seed {
                let left = 10 - login.missed.count
                let lines = try await client.waitLines("what was missed") { $0.count >= left }
                #expect((login.missed + lines).map(\.text) == (1...10).map { "\($0) \(text)" })
            }
            await client.drop()
        }
    }

    @Test func `What was recalled while somebody was away is not shown`() async throws {
        let (ada, native, cat) = try await pair()
        let direct = ada.direct(cat)
        try await native.say("first", in: direct)
        let secret = try await native.say("secret", in: direct)
        try await native.succeed("recall", #"{"conversationId":"\#(direct)","target":\#(secret)}"#)
        try await native.say("last", in: direct)
        let (client, login) = try await server.clusterChat(as: cat)
        let left = login.missed.contains { $0.text == "last" } ? 0 : 1
        let lines = try await client.waitLines("the rest") { $0.count >= left }
        let shown = (login.missed + lines).map(\.text)
        #expect(shown == ["first", "last"])
    }
}

/// Servers of their own, which are stopped.
struct ClusterChatStopTests {
    @Test func `Who is in the middle of what was missed when the server stops goes on where it stopped`() async throws {
        let server = try await ServerProcess.start(
            environment: OlderDialects.environment.merging(["MARTLET_CLUSTERCHAT_PACE": "20"]) { $1 })
        let rest = RestClient(port: server.port)
        let (ada, cat) = (try await register(rest, "ada"), try await register(rest, "cat"))
        let native = try await WireClient.signedIn(port: server.port, ada)
        let texts = (1...200).map { "number \($0) " + String(repeating: "x", count: 50) }
        for text in texts { try await native.say(text, in: ada.direct(cat)) }

        var shown: [String] = []
        let (first, login) = try await server.clusterChat(as: cat)
        shown += login.missed.map(\.text)
        try await first.waitLines("some") { $0.count >= 10 }
        #expect(await server.stop() == 0)
        try await first.waitClosed()
        shown += first.lines.map(\.text)
        #expect(shown.count < texts.count)
        try await server.restart()
        let (second, answer) = try await server.clusterChat(as: cat)
        shown += answer.missed.map(\.text)
        let left = texts.count - shown.count
        shown += try await second.waitLines("the rest") { $0.count >= left }.map(\.text)
        #expect(shown == texts)
    }
}

/// With limits of speed, which clients wait for that can't be told of them.
@Suite(
    .server(
        environment: OlderDialects.environment.merging([
            "MARTLET_GATEWAY_SENDS_PER_SECOND": "50", "MARTLET_GATEWAY_COMMANDS_PER_SECOND": "100",
            "MARTLET_ACCOUNTS_SIGN_IN_RATE": "0.01", "MARTLET_ACCOUNTS_SIGN_IN_BURST": "20",
        ]) { $1 }, rateLimited: true))
struct ClusterChatRateTests {
    @Test func `Who speaks too fast is heard later, and nothing is lost`() async throws {
        let (ada, cat) = (try await TestServer.user("ada"), try await TestServer.user("cat"))
        let native = try await TestServer.connect(ada)
        let (client, _) = try await TestServer.current.clusterChat(as: cat)
        let texts = (1...400).map { "number \($0)" }
        let requests = texts.map { client.family.chat($0, to: ada.id, as: cat.id, name: cat.name) }
        client.sendRaw(Array(requests.joined(separator: "\u{0}").utf8) + [0])
        try await native.waitText("number 400")
        #expect(native.texts(in: ada.direct(cat)) == texts)
    }
    @Test func `Passwords can't be tried for ever`() async throws {
        let cat = try await TestServer.user("cat")
        let client = try await TestServer.current.clusterChat()
        var tries = 0
        while try await client.logIn(cat.id, "wrong \(tries)").message == "id or password error" {
            tries += 1
            guard tries < 100 else { throw WaitedTooLong(description: "nobody minds the tries") }
        }
        // From here on the right one is none, on whichever connection.
        #expect(try await client.logIn(cat.id).errno == 1)
        #expect(try await TestServer.current.clusterChat(.course).logIn(cat.id).errno == 1)
    }
}
