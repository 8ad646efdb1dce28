import EndToEndSupport
import MartletWire
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What clusterchat's clients, who keep nothing themselves, get after they were away.
@Suite(.speakingOlderDialects())
struct ClusterChatOfflineTests {
    private let server = TestServer.current

    /// Two accounts and the native session of the first.
    private func pair() async throws -> (ada: TestUser, native: WireClient, cat: TestUser) {
        let (ada, cat) = (try await TestServer.user("ada"), try await TestServer.user("cat"))
        return (ada, try await TestServer.connect(ada), cat)
    }

    @Test(arguments: ClusterChatFamily.allCases)
    func `What was missed is in the login's answer, once only`(_ family: ClusterChatFamily) async throws {
        let (ada, native, cat) = try await pair()
        for number in 1...3 { try await native.say("missed \(number)", in: ada.direct(cat)) }
        let (client, login) = try await server.clusterChat(as: cat, family)
        #expect(login.missed.map(\.text) == ["missed 1", "missed 2", "missed 3"])
        #expect(login.missed.allSatisfy { $0.from == ada.id && $0.name == ada.name && $0.to == cat.id })
        #expect(login.bytes <= 1023)
        // After a logout, and after the connection's end.
        client.send(family.logout(as: cat.id))
        #expect(try await client.logIn(cat.id).missed == [])
        await client.drop()
        let again = try await server.clusterChatSoon(as: cat, family)
        #expect(again.login.missed == [])
        try await native.say("live", in: ada.direct(cat))
        let lines = try await again.client.wait(for: "live")
        #expect(lines.map(\.text) == ["live"])
        #expect(client.lines == [])
    }

    @Test func `What came live does not come again, and what did not comes at the next login`() async throws {
        let (ada, native, cat) = try await pair()
        let first = try await server.clusterChat(as: cat).client
        try await native.say("live", in: ada.direct(cat))
        try await first.wait(for: "live")
        await first.drop()
        // Once nobody is signed in any more, what is said is missed.
        let second = try await server.clusterChatSoon(as: cat)
        #expect(second.login.missed == [])
        second.client.send(second.client.family.logout(as: cat.id))
        try await second.client.settle()
        try await native.say("missed", in: ada.direct(cat))
        let login = try await second.client.logIn(cat.id)
        #expect(login.missed.map(\.text) == ["missed"])
    }

    @Test(arguments: ClusterChatFamily.allCases)
    func `What does not fit in the answer comes behind it, all of it once and in order`(
        _ family: ClusterChatFamily
    ) async throws {
        let (ada, native, cat) = try await pair()
        let texts = (1...150).map { "number \($0), and a few more words" }
        for text in texts { try await native.say(text, in: ada.direct(cat)) }
        let (client, login) = try await server.clusterChat(as: cat, family)
        #expect(login.bytes <= 1023)
        #expect(!login.missed.isEmpty)
        // What is said meanwhile comes behind all that.
        try await native.say("live", in: ada.direct(cat))
        let lines = try await client.wait(for: "live")
        try await client.settle()
        #expect(client.lines == lines)
        #expect((login.missed + lines).map(\.text) == texts + ["live"])
        client.send(family.logout(as: cat.id))
        #expect(try await client.logIn(cat.id).missed == [])
    }

    @Test func `Groups and several people are caught up with, each in its order`() async throws {
        let (ada, native, cat) = try await pair()
        let ben = try await TestServer.user("ben")
        let group = try await TestServer.rest.group("three", of: [ada, ben, cat])
        let other = try await TestServer.connect(ben)
        for number in 1...20 {
            try await native.say("direct \(number)", in: ada.direct(cat))
            try await other.say("from Ben \(number)", in: ben.direct(cat))
            try await other.say("in the group \(number)", in: "g:\(group)")
        }
        let (client, login) = try await server.clusterChat(as: cat)
        let behind = 60 - login.missed.count
        let lines = try await client.waitLines("what was missed") { $0.count >= behind }
        try await client.settle()
        #expect(client.lines == lines)
        let all = (login.missed + lines).map(\.text)
        for words in ["direct", "from Ben", "in the group"] {
            let own = all.filter { $0.hasPrefix(words) }
            #expect(own == (1...20).map { "\(words) \($0)" })
        }
        #expect(all.count == 60)
    }

    @Test func `What was acknowledged is there after a crash`() async throws {
        let server = try await ServerProcess.start(environment: OlderDialects.environment)
        let rest = RestClient(port: server.port)
        let (ada, cat, dan) = (
            try await register(rest, "ada"), try await register(rest, "cat"), try await register(rest, "dan")
        )
        let native = try await WireClient.signedIn(port: server.port, ada)
        let (console, _) = try await server.clusterChat(as: dan, .course)
        for number in 1...5 { try await native.say("native \(number)", in: ada.direct(cat)) }
        console.say("console", to: ada, as: dan)
        try await native.waitText("console")
        // A console is told nothing; others see what is stored.
        console.say("to who is away", to: cat, as: dan)
        try await soon("the console's words") {
            try await rest.everything(in: cat.direct(dan), by: dan).map(\.payload) == ["to who is away"]
        }
        server.kill(SIGKILL)
        _ = await server.wait()
        try await server.restart()

        let (client, login) = try await server.clusterChat(as: cat)
        let expected = (1...5).map { "native \($0)" } + ["to who is away"]
        let behind = expected.count - login.missed.count
        let lines = try await client.waitLines("what was missed") { $0.count >= behind }
        #expect(Set((login.missed + lines).map(\.text)) == Set(expected))
        #expect(login.missed.count + lines.count == expected.count)
        // Dan is not taken for somebody who is signed in still.
        let (again, answer) = try await server.clusterChat(as: dan, .course)
        #expect(answer.missed == [])
        again.say("after the crash", to: cat, as: dan)
        try await client.wait(for: "after the crash")
    }
}

/// As those clients were measured: whatever one read gives is one message.
@Suite(.serialized, .speakingOlderDialects(["MARTLET_CLUSTERCHAT_PACE": "150"]))
struct ClusterChatConsoleTests {
    private let server = TestServer.current

    @Test(arguments: ClusterChatFamily.allCases)
    func `A console that takes each read for one message gets everything, also over several visits`(
        _ family: ClusterChatFamily
    ) async throws {
        let (ada, cat) = (try await TestServer.user("ada"), try await TestServer.user("cat"))
        let native = try await TestServer.connect(ada)
        let port = try await server.port(family)
        let texts = (1...30).map { "number \($0) " + String(repeating: "x", count: 40) }
        for text in texts { try await native.say(text, in: ada.direct(cat)) }

        var shown: [ClusterChatLine] = []
        let (first, login) = try await ClusterChatConsole.signedIn(port: port, family, cat.id)
        #expect(login.bytes <= 1023)
        #expect(login.missed.count < texts.count)
        shown += login.missed
        try await first.waitLines("the first of the rest") { $0.count >= 3 }
        shown += try await first.leave()
        #expect(shown.count < texts.count)

        // Whoever is signed in, the console asks again.
        var visit: (console: ClusterChatConsole, login: ClusterChatLogin)
        repeat {
            visit = try await ClusterChatConsole.signedIn(port: port, family, cat.id)
        } while visit.login.errno == 2
        shown += visit.login.missed
        let left = texts.count - shown.count
        try await visit.console.waitLines("the rest") { $0.count >= left }
        try await native.say("live", in: ada.direct(cat))
        try await visit.console.waitLines("what is said now") { $0.last?.text == "live" }
        shown += try await visit.console.leave()
        #expect(shown.map(\.text) == texts + ["live"])
    }

    @Test func `Two consoles of different numberings and a group stay apart in time`() async throws {
        let (ada, cat, dan) = (
            try await TestServer.user("ada"), try await TestServer.user("cat"), try await TestServer.user("dan")
        )
        let group = try await TestServer.rest.group("three", of: [ada, cat, dan])
        let native = try await TestServer.connect(ada)
        let seed = try await ClusterChatConsole.signedIn(port: server.port(.seed), .seed, cat.id).console
        let course = try await ClusterChatConsole.signedIn(port: server.port(.course), .course, dan.id).console
        // All at once: it is for the server to keep them apart.
        let seqs = (1...10).map { native.post("send", textMessage("\($0)", in: "g:\(group)")) }
        for seq in seqs { #expect(try await native.answer(to: seq).code == 200) }
        for console in [seed, course] {
            let lines = try await console.waitLines("the group's messages") { $0.count >= 10 }
            #expect(lines.map(\.text) == (1...10).map { "\($0)" })
        }
        seed.send(ClusterChatFamily.seed.groupChat("yo", group: group, as: cat.id, name: cat.name))
        try await course.waitLines("the other's words") { $0.last?.text == "yo" }
        #expect(seed.lines.count == 10)
    }
}

/// Clients that do not read.
@Suite(.speakingOlderDialects(["MARTLET_CLUSTERCHAT_PACE": "0", "MARTLET_GATEWAY_SLOW_READER_BYTES": "65536"]))
struct ClusterChatSleeperTests {
    @Test func `A client that reads nothing holds nobody up, and gets everything once it reads`() async throws {
        let (server, rest) = (TestServer.current, TestServer.rest)
        let users = [
            try await TestServer.user("ada"), try await TestServer.user("cat"), try await TestServer.user("dan"),
        ]
        let group = try await rest.group("three", of: users)
        let native = try await TestServer.connect(users[0])
        let reader = try await server.clusterChat(as: users[1], .course).client
        let sleeper = try await server.clusterChat(.seed, receiveBuffer: 4096)
        #expect(try await sleeper.logIn(users[2].id).errno == 0)
        try await sleeper.stopReading()

        var sent = 0
        let text = String(repeating: "x", count: 800)
        while try await rest.metric("martlet_slow_readers_total") < 1 {
            let seqs = (1...100).map { native.post("send", textMessage("\(sent + $0) \(text)", in: "g:\(group)")) }
            for seq in seqs { #expect(try await native.answer(to: seq).code == 200) }
            sent += seqs.count
            guard sent <= 20_000 else { throw WaitedTooLong(description: "nobody noticed the slow reader") }
        }
        let expected = (1...sent).map { "\($0) \(text)" }
        let count = sent
        let lines = try await reader.waitLines("all messages") { $0.count >= count }
        let isAll = lines.map(\.text) == expected
        #expect(isAll)
        #expect(try await rest.call("GET", "/healthz").status == 200)

        try await sleeper.goOnReading()
        let late = try await sleeper.waitLines("all messages") { $0.count >= count }
        let isAllLate = late.map(\.text) == expected
        #expect(isAllLate)
        try await native.say("live", in: "g:\(group)")
        try await sleeper.wait(for: "live")
    }
}
