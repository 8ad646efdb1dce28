import EndToEndSupport
import MartletWire
import Testing

/// Two who chat on, whatever others do to the server.
private struct Bystanders {
    let cat: TestUser
    let ada: TestUser
    let console: ClusterChatClient
    let native: WireClient
    let guest: GoWebSocketClient
    private let pid = TestServer.current.pid

    init() async throws {
        let server = TestServer.current
        (ada, cat) = (try await TestServer.user("ada"), try await TestServer.user("cat"))
        native = try await TestServer.connect(ada)
        console = try await server.clusterChat(as: cat, .course).client
        guest = try await GoWebSocketClient.signedIn(port: server.port, as: "g\(randomClientID())")
    }

    /// The server is the process that it was, is well, and carries messages between all of them.
    func check() async throws {
        let server = TestServer.current
        #expect(server.status == nil)
        #expect(server.pid == pid)
        let health = try await TestServer.rest.call("GET", "/healthz")
        #expect(health.status == 200)
        let word = randomClientID()
        console.say("\(word) 1", to: ada, as: cat)
        try await native.waitText("\(word) 1")
        try await native.say("\(word) 2", in: ada.direct(cat))
        try await console.wait(for: "\(word) 2")
        try await TestServer.rest.post("\(word) 3", as: "p\(word)")
        try await guest.wait(for: "\(word) 3")
        #expect(!console.isClosed && !native.isClosed && !guest.isClosed)
    }
}

/// What nobody should send: the server stays up, and nobody else notices.
@Suite(.speakingOlderDialects())
struct HostilePeerTests {
    private let server = TestServer.current

    private static let seeds: [UInt64] = [1, 2, 3].map { SeededRandom.seed($0) &+ $0 }

    private func bytes(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    // MARK: On bare TCP

    @Test(arguments: seeds)
    func `Random bytes end their connection and nothing else`(_ seed: UInt64) async throws {
        let others = try await Bystanders()
        var random = SeededRandom(seed: seed)
        for round in 0..<30 {
            let family = ClusterChatFamily.allCases[round % 2]
            let client = try await server.clusterChat(family)
            var junk = bytes(Int.random(in: 1...3000, using: &random), &random)
            // What no object begins with, so that it is known how it ends; zero bytes may stand before it.
            if junk[0] == UInt8(ascii: "{") || junk[0] == 0 || [0x20, 0x0A, 0x0D, 0x09].contains(junk[0]) {
                junk[0] = 0xFF
            }
            client.sendRaw(junk)
            try await client.waitClosed()
        }
        try await others.check()
    }

    @Test(arguments: seeds)
    func `Spoiled requests are answered or passed over, and never harm`(_ seed: UInt64) async throws {
        let others = try await Bystanders()
        var random = SeededRandom(seed: seed)
        for family in ClusterChatFamily.allCases {
            let good = [
                family.login(others.cat.id, "wrong"), family.register("x", "y"),
                family.chat("hello", to: others.ada.id, as: others.cat.id, name: "cat"),
                family.groupChat("hello", group: 1, as: others.cat.id, name: "cat"),
                family.addFriend(others.cat.id, as: 1), family.createGroup("g", "d", as: 1),
                family.joinGroup(1, as: 1), family.logout(as: others.cat.id),
            ].map { Array($0.utf8) + [0] }
            for _ in 0..<40 {
                let client = try await server.clusterChat(family)
                for _ in 0..<8 {
                    guard var request = good.randomElement(using: &random) else { continue }
                    for _ in 0..<Int.random(in: 0...3, using: &random) {
                        let place = Int.random(in: 0..<request.count, using: &random)
                        switch Int.random(in: 0..<3, using: &random) {
                        case 0: request[place] = UInt8.random(in: .min ... .max, using: &random)
                        case 1: request.remove(at: place)
                        default: request.insert(UInt8.random(in: .min ... .max, using: &random), at: place)
                        }
                        if request.isEmpty { request = [0] }
                    }
                    client.sendRaw(request)
                }
                await client.finishWriting()
                try await client.waitClosed()
            }
        }
        try await others.check()
        // Nothing of all that was said in somebody's name.
        let direct = try await TestServer.rest.everything(in: others.ada.direct(others.cat), by: others.ada)
        #expect(!direct.map(\.payload).contains { $0.hasPrefix("hel") })
    }

    @Test func `Half an object and silence take nothing from others`() async throws {
        let others = try await Bystanders()
        var silent: [ClusterChatClient] = []
        for text in [#"{"msgid":1,"id":"#, "{", #"{"msgid":1,"password":"\"#, "", "   ", #"{"a":[[["#] {
            let client = try await server.clusterChat(silent.count % 2 == 0 ? .seed : .course)
            client.sendRaw(Array(text.utf8))
            silent.append(client)
        }
        try await others.check()
        #expect(silent.allSatisfy { !$0.isClosed })
        // A zero byte behind the half, and they are understood again.
        for client in silent {
            client.sendRaw([0])
            try await client.settle()
        }
    }

    @Test func `An object that is too large, or too deep, ends the connection`() async throws {
        let others = try await Bystanders()
        let large = #"{"msgid":1,"id":1,"password":""# + String(repeating: "x", count: 70_000)
        let deep = #"{"msgid":1,"a":"# + String(repeating: "[", count: 5000)
        let deepObjects = String(repeating: #"{"a":"#, count: 5000)
        for text in [large, large + #""}"#, deep, deepObjects] {
            for family in ClusterChatFamily.allCases {
                let client = try await server.clusterChat(family)
                client.sendRaw(Array(text.utf8))
                try await client.waitClosed()
            }
        }
        try await others.check()
    }

    @Test func `A flood of zero bytes is as good as none`() async throws {
        let others = try await Bystanders()
        let client = try await server.clusterChat()
        for _ in 0..<64 { client.sendRaw([UInt8](repeating: 0, count: 64 * 1024)) }
        try await client.settle()
        #expect(try await client.logIn(others.ada.id).errno == 0)
        try await others.check()
    }

    @Test func `Thousands of objects in one write are all served, in order`() async throws {
        let others = try await Bystanders()
        let client = try await server.clusterChat()
        // Objects that say nothing, and a number that the family does not have, have no answer.
        let tiny = String(repeating: "{}", count: 3000) + String(repeating: "{\"msgid\":99}\u{0}", count: 3000)
        client.sendRaw(Array(tiny.utf8))
        try await client.settle()
        #expect(client.messages.count == 1)

        #expect(try await client.logIn(others.ada.id).errno == 0)
        let count = 500
        let family = client.family
        let texts = (1...count).map { "at once \($0)" }
        let requests = texts.map { family.chat($0, to: others.cat.id, as: others.ada.id, name: others.ada.name) }
        client.sendRaw(Array(requests.joined().utf8))
        let lines = try await others.console.waitLines("all of them") { $0.count >= count }
        #expect(lines.map(\.text) == texts)
        try await others.check()
    }

    @Test func `A request that drips in byte by byte is a request`() async throws {
        let others = try await Bystanders()
        let client = try await server.clusterChat()
        for byte in Array(client.family.login(others.ada.id, testPassword).utf8) + [0] {
            try await client.sendAndWait([byte])
        }
        #expect(try await client.loginAnswer().errno == 0)
        try await others.check()
    }

    @Test func `Many connections that say nothing, or half of something, leave room for others`() async throws {
        let others = try await Bystanders()
        var crowd: [ClusterChatClient] = []
        for number in 0..<300 {
            let client = try await server.clusterChat(number % 2 == 0 ? .seed : .course)
            if number % 3 == 0 { client.sendRaw(Array(#"{"msgid":"#.utf8)) }
            crowd.append(client)
        }
        try await others.check()
        for client in crowd { await client.drop() }
        try await others.check()
    }

    @Test(arguments: ClusterChatFamily.allCases)
    func `Whoever somebody claims to be, the session says who speaks`(_ family: ClusterChatFamily) async throws {
        let others = try await Bystanders()
        let eve = try await TestServer.user("eve")
        let (client, _) = try await server.clusterChat(as: eve, family)
        client.send(family.chat("I am Ada", to: others.cat.id, as: others.ada.id, name: others.ada.name))
        let line = try #require(try await others.console.wait(for: "I am Ada").last)
        #expect((line.from, line.name) == (eve.id, eve.name))
        // A logout, a friend and a group in somebody else's name are one's own.
        client.send(family.addFriend(others.cat.id, as: others.ada.id))
        try await soon("the request") {
            let requests = try await TestServer.rest.succeed("GET", "/api/friend/requests", by: others.cat)
            return requests["items"]?.array?.compactMap { $0["userId"]?.integer } == [eve.id]
        }
        client.send(family.logout(as: others.cat.id))
        try await others.check()
        // Who is not signed in says nothing, in whoever's name.
        let stranger = try await server.clusterChat(family)
        stranger.send(family.chat("nobody", to: others.cat.id, as: others.ada.id, name: others.ada.name))
        try await stranger.settle()
        try await others.check()
        #expect(!others.console.lines.contains { $0.text == "nobody" })
    }

    // MARK: At /acc

    @Test(arguments: seeds)
    func `Random texts and frames at the rooms' socket harm nobody`(_ seed: UInt64) async throws {
        let others = try await Bystanders()
        var random = SeededRandom(seed: seed)
        for _ in 0..<20 {
            let client = try await GoWebSocketClient.connect(port: server.port)
            for _ in 0..<8 {
                let scalars = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                    Character(UnicodeScalar(UInt8.random(in: 0x20...0x7E, using: &random)))
                }
                client.sendText(String(scalars))
                #expect(try await client.nextPlain() == "数据不合法")
            }
            #expect(try await client.request("ping", "{}").code == 200)
            var frame = bytes(Int.random(in: 2...100, using: &random), &random)
            // Bits that no frame has.
            frame[0] |= 0x70
            client.sendRaw(frame)
            try await client.waitClosed()
        }
        try await others.check()
    }

    @Test func `What is too large, too deep or of the wrong kind at the rooms' socket harms nobody`() async throws {
        let others = try await Bystanders()
        let deep = #"{"seq":"1","cmd":"login","data":"# + String(repeating: "[", count: 5000)
        let long = #"{"seq":"\#(String(repeating: "s", count: 300))","cmd":"ping"}"#
        let client = try await GoWebSocketClient.connect(port: server.port)
        for text in [deep, long, "", "null", "[]", "7", #"{"cmd":7}"#] {
            client.sendText(text)
            // Null is an object without fields, as Go reads it.
            if text != "null" { #expect(try await client.nextPlain() == "数据不合法") }
        }
        #expect(try await client.request("login", #"{"userId":7,"appId":101}"#).code == 1001)
        #expect(try await client.request("login", #"{"userId":"x","appId":-1}"#).code == 1001)
        #expect(try await client.request("login", #"{"userId":"x","appId":999}"#).code == 1003)
        #expect(try await client.request("heartbeat", "{}").code == 1000)
        #expect(try await client.login("g\(randomClientID())").code == 200)
        #expect(try await client.login("g\(randomClientID())").code == 1009)
        client.sendText(String(repeating: "x", count: 70_000))
        try await client.waitClosed()
        try await others.check()
    }

    @Test func `Nobody is somebody with an account without their token`() async throws {
        let others = try await Bystanders()
        let rest = TestServer.rest
        let eve = try await TestServer.user("eve")
        let client = try await GoWebSocketClient.connect(port: server.port)
        #expect(try await client.login(others.ada.name).code != 200)
        #expect(try await client.login(others.ada.name, serviceToken: "no token").code != 200)
        // A token says who it is, and a name beside it nothing.
        #expect(try await client.login(others.ada.name, serviceToken: eve.token).code == 200)
        let calls = [
            ("/user/sendMessageAll", ["userId": others.ada.name, "message": "I am Ada"]),
            ("/user/sendMessage", ["userId": others.cat.name, "from": others.ada.name, "message": "I am Ada"]),
        ]
        for (path, parameters) in calls {
            let all = parameters.merging(["appId": "101", "msgId": randomClientID()]) { $1 }
            #expect(try await rest.goWebSocket("POST", path, all).isSent != true)
            #expect(try await rest.goWebSocket("POST", path, all, token: eve.token).isSent != true)
        }
        try await others.check()
        #expect(!others.guest.messages.contains { $0.text == "I am Ada" })
        #expect(!others.console.lines.contains { $0.text == "I am Ada" })
    }
}
