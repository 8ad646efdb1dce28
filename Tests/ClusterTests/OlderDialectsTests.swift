import EndToEndSupport
import MartletWire
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Clients of the older dialects on two nodes are as on one server.
@Suite(.cluster(.init(nodes: 2, environment: OlderDialects.environment)), .serialized, .showsClusterLogs)
struct OlderDialectsTests {
    private let nodes = TestCluster.current.nodes

    private func guest(_ name: String, on node: Int) async throws -> GoWebSocketClient {
        try await GoWebSocketClient.signedIn(port: nodes[node].port, as: name)
    }

    // MARK: Rooms

    @Test func `A room's guests on two nodes see each other, and hear everything once and in one order`() async throws {
        let mark = randomClientID()
        let names = ["a\(mark)", "b\(mark)"]
        let guests = [try await guest(names[0], on: 0), try await guest(names[1], on: 1)]
        try await guests[0].waitPushes("the other's coming") { pushes in
            pushes.contains { $0.cmd == "enter" && $0.from == names[1] }
        }
        for node in [0, 1] {
            try await eventually("both on the list of node \(node)") {
                let answer = try await TestCluster.rest(node).goWebSocket("GET", "/user/list", ["appId": "101"])
                return Set(names).isSubset(of: answer.data["userList"]?.array?.compactMap(\.string) ?? [])
            }
            for name in names {
                let parameters = ["appId": "101", "userId": name]
                let answer = try await TestCluster.rest(node).goWebSocket("GET", "/user/online", parameters)
                #expect(answer.data["online"]?.bool == true)
            }
        }
        // A program speaks by turns to both nodes.
        let texts = (1...10).map { "\(mark) \($0)" }
        for (number, text) in texts.enumerated() { try await TestCluster.rest(number % 2).post(text, as: "p\(mark)") }
        for guest in guests { try await guest.wait(for: texts[9]) }
        // To one of them, from the other node.
        let parameters = ["appId": "101", "userId": names[1], "msgId": "\(mark)-o", "message": "\(mark) alone"]
        let sent = try await TestCluster.rest(0).goWebSocket("POST", "/user/sendMessage", parameters)
        #expect(sent.isSent == true)
        #expect(try await guests[1].wait(for: "\(mark) alone").from == names[1])
        for guest in guests { try await guest.settle() }
        let heard = guests.map { $0.messages.map(\.text).filter { $0.hasPrefix(mark) } }
        #expect(heard == [texts, texts + ["\(mark) alone"]])

        await guests[1].drop()
        try await guests[0].waitPushes("the other's going") { pushes in
            pushes.contains { $0.cmd == "exit" && $0.from == names[1] }
        }
        try await eventually("the list without who has gone") {
            let answer = try await TestCluster.rest(0).goWebSocket("GET", "/user/list", ["appId": "101"])
            return answer.data["userList"]?.array?.compactMap(\.string).contains(names[1]) == false
        }
    }

    @Test func `A message that is posted to both nodes at once is one message`() async throws {
        let mark = randomClientID()
        let guests = [try await guest("a\(mark)", on: 0), try await guest("b\(mark)", on: 1)]
        for round in 1...10 {
            let parameters = [
                "appId": "101", "userId": "p\(mark)", "msgId": "\(mark)-\(round)", "message": "\(mark) \(round)",
            ]
            async let one = TestCluster.rest(0).goWebSocket("POST", "/user/sendMessageAll", parameters)
            async let other = TestCluster.rest(1).goWebSocket("POST", "/user/sendMessageAll", parameters)
            let answers = try await [one, other]
            #expect(answers.map(\.code) == [200, 200])
            #expect(Set(answers.map(\.isSent)) == [true, nil])
        }
        try await TestCluster.rest(0).post("\(mark) behind", as: "p\(mark)")
        let texts = (1...10).map { "\(mark) \($0)" } + ["\(mark) behind"]
        for guest in guests {
            try await guest.wait(for: "\(mark) behind")
            let heard = guest.messages.map(\.text).filter { $0.hasPrefix(mark) }
            #expect(heard == texts)
        }
    }

    @Test func `A guest is the same one on every node`() async throws {
        let name = "g\(randomClientID())"
        async let one = GoWebSocketClient.connect(port: nodes[0].port)
        async let other = GoWebSocketClient.connect(port: nodes[1].port)
        let clients = try await [one, other]
        // Made by both at once.
        async let first = clients[0].login(name)
        async let second = clients[1].login(name)
        let codes = try await [first, second].map(\.code)
        #expect(codes == [200, 200])
        let parameters = ["appId": "101", "userId": name, "msgId": randomClientID(), "message": "to all of you"]
        #expect(try await TestCluster.rest(0).goWebSocket("POST", "/user/sendMessage", parameters).isSent == true)
        for client in clients { try await client.wait(for: "to all of you") }
    }

    // MARK: Consoles

    @Test func `Consoles on two nodes and a native client talk, alone and in a group`() async throws {
        let (ada, cat, dan) = (
            try await TestCluster.user("ada"), try await TestCluster.user("cat"), try await TestCluster.user("dan")
        )
        let group = try await TestCluster.rest().group("three", of: [ada, cat, dan])
        let native = try await TestCluster.connect(ada, on: 1)
        let seed = try await nodes[0].clusterChat(as: cat, .seed).client
        let course = try await nodes[1].clusterChat(as: dan, .course).client
        seed.say("to Dan", to: dan, as: cat)
        try await course.wait(for: "to Dan")
        course.say("to Cat", to: cat, as: dan)
        try await seed.wait(for: "to Cat")
        seed.say("to Ada", to: ada, as: cat)
        _ = try await native.nextPush("msg") { $0["data"]?["content"]?["text"]?.string == "to Ada" }
        for number in 1...10 {
            seed.say("cat \(number)", in: group, as: cat)
            course.say("dan \(number)", in: group, as: dan)
            try await native.say("ada \(number)", in: "g:\(group)")
        }
        for client in [seed, course] {
            try await client.waitLines("the group's messages") { $0.filter { $0.group == group }.count >= 20 }
            try await client.settle()
        }
        let events = try await TestCluster.rest().everything(in: "g:\(group)", by: ada)
        for (client, user) in [(seed, cat), (course, dan)] {
            let heard = client.lines.filter { $0.group == group }.map(\.text)
            let expected = events.filter { $0.sender != user.id && !$0.payload.isEmpty }.map(\.payload)
            #expect(heard == expected)
        }
        #expect(seed.lines.filter { $0.group == nil }.map(\.text) == ["to Cat"])
        #expect(course.lines.filter { $0.group == nil }.map(\.text) == ["to Dan"])
    }

    @Test func `Who is signed in on one node is refused on another, and gets what was missed on either, once`()
        async throws
    {
        let (ada, cat) = (try await TestCluster.user("ada"), try await TestCluster.user("cat"))
        let native = try await TestCluster.connect(ada, on: 0)
        let first = try await nodes[0].clusterChat(as: cat).client
        for family in ClusterChatFamily.allCases {
            let login = try await nodes[1].clusterChat(family).logIn(cat.id)
            #expect(login.errno == 2)
        }
        try await native.say("live", in: ada.direct(cat))
        try await first.wait(for: "live")
        first.send(first.family.logout(as: cat.id))
        let second = try await nodes[1].clusterChatSoon(as: cat, .course)
        #expect(second.login.missed == [])
        await second.client.drop()
        let third = try await nodes[0].clusterChatSoon(as: cat)
        third.client.send(third.client.family.logout(as: cat.id))
        try await third.client.settle()
        for number in 1...40 { try await native.say("missed \(number)", in: ada.direct(cat)) }

        let fourth = try await nodes[1].clusterChatSoon(as: cat, .seed)
        let left = 40 - fourth.login.missed.count
        let lines = try await fourth.client.waitLines("what was missed") { $0.count >= left }
        let shown = (fourth.login.missed + third.login.missed + lines).map(\.text)
        #expect(shown == (1...40).map { "missed \($0)" })
        await fourth.client.drop()
        let fifth = try await nodes[0].clusterChatSoon(as: cat)
        #expect(fifth.login.missed == [])
        try await native.say("and on", in: ada.direct(cat))
        let rest = try await fifth.client.wait(for: "and on")
        #expect(rest.map(\.text) == ["and on"])
    }

    @Test func `Who was on a node that died comes in on another`() async throws {
        let (ada, cat) = (try await TestCluster.user("ada"), try await TestCluster.user("cat"))
        let native = try await TestCluster.connect(ada, on: 0)
        let lost = try await nodes[1].clusterChat(as: cat).client
        nodes[1].kill(SIGKILL)
        _ = await nodes[1].wait()
        try await lost.waitClosed()
        try await native.say("missed", in: ada.direct(cat))
        let back = try await nodes[0].clusterChatSoon(as: cat)
        #expect(back.login.missed.map(\.text) == ["missed"])
        try await nodes[1].restart()
        let login = try await nodes[1].clusterChat().logIn(cat.id)
        #expect(login.errno == 2)
    }
}
