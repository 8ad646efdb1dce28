import EndToEndSupport
import MartletWire
import Testing

/// Somebody who has only ever used a console: registered there, signed in over REST for what a test wants to know.
private struct Console {
    let client: ClusterChatClient
    let user: TestUser

    /// Registers over the dialect.
    init(_ family: ClusterChatFamily, _ name: String = "cat") async throws {
        let name = "\(name)-\(randomClientID())"
        client = try await TestServer.current.clusterChat(family)
        let answer = try await client.register(name)
        user = try await EndToEndSupport.signIn(TestServer.rest, name)
        guard answer["id"]?.integer == user.id else { throw ConnectionLost("the new user's number") }
    }

    func logIn() async throws -> ClusterChatLogin { try await client.logIn(user.id) }
}

/// Sign-ins, friends and groups of clusterchat's clients.
@Suite(.speakingOlderDialects())
struct ClusterChatTests {
    private let server = TestServer.current
    private let rest = TestServer.rest

    // MARK: Signing in

    @Test(arguments: ClusterChatFamily.allCases)
    func `Registering and signing in are answered as the old servers did`(_ family: ClusterChatFamily) async throws {
        let client = try await server.clusterChat(family)
        let name = "alice-\(randomClientID())"
        let wrong = family == .seed ? "id or password error" : "id or password is invalid!"
        let taken = family == .seed ? "id is online" : "this account is using, input another!"
        let registered = family.registered
        let id = try #require(try await client.register(name)["id"]?.integer)
        _ = try await client.register(name)
        _ = try await client.logIn(id, "wrong")
        _ = try await client.logIn(Int64(Int32.max))
        _ = try await client.logIn(id)
        let second = try await server.clusterChat(family)
        _ = try await second.logIn(id)
        #expect(
            client.texts == [
                #"{"errno":0,"id":\#(id),"msgid":\#(registered)}"#, #"{"errno":1,"msgid":\#(registered)}"#,
                #"{"errmsg":"\#(wrong)","errno":1,"msgid":2}"#, #"{"errmsg":"\#(wrong)","errno":1,"msgid":2}"#,
                #"{"errno":0,"id":\#(id),"msgid":2,"name":"\#(name)"}"#,
            ])
        #expect(second.texts == [#"{"errmsg":"\#(taken)","errno":2,"msgid":2}"#])
    }

    @Test func `Any password that is not empty is as good as another`() async throws {
        let client = try await server.clusterChat()
        for password in ["1", "密码", String(repeating: "x", count: 128)] {
            let name = "cat-\(randomClientID())"
            let id = try #require(try await client.register(name, password)["id"]?.integer)
            let (other, login) = (try await server.clusterChat(), Int64(0))
            #expect(try await other.logIn(id, password).errno == login)
        }
        for password in ["", String(repeating: "x", count: 129)] {
            #expect(try await client.register("cat-\(randomClientID())", password)["errno"]?.integer == 1)
        }
    }

    @Test func `Who mistypes a password tries again on the same connection`() async throws {
        let cat = try await Console(.seed)
        for number in 0..<10 { #expect(try await cat.client.logIn(cat.user.id, "wrong \(number)").errno == 1) }
        #expect(try await cat.logIn().errno == 0)
    }

    @Test func `A second sign-in is refused while the first lasts, on either port`() async throws {
        let first = try await Console(.seed)
        #expect(try await first.logIn().errno == 0)
        for family in ClusterChatFamily.allCases {
            let second = try await server.clusterChat(family)
            let login = try await second.logIn(first.user.id)
            #expect(login.errno == 2)
        }
        // The first has not noticed.
        let ada = try await TestServer.user("ada")
        let native = try await TestServer.connect(ada)
        try await native.say("still there", in: ada.direct(first.user))
        try await first.client.wait(for: "still there")
    }

    @Test func `After a logout the same connection signs in again, and so does another`() async throws {
        let cat = try await Console(.course)
        for _ in 0..<3 {
            #expect(try await cat.logIn().errno == 0)
            cat.client.send(cat.client.family.logout(as: cat.user.id))
        }
        let other = try await server.clusterChatSoon(as: cat.user, .seed)
        #expect(other.login.name == cat.user.name)
        // A connection may sign in somebody else, too.
        let dan = try await Console(.course, "dan")
        #expect(try await cat.client.logIn(dan.user.id).name == dan.user.name)
    }

    @Test func `After a connection has died its user may come in again`() async throws {
        let cat = try await Console(.seed)
        #expect(try await cat.logIn().errno == 0)
        await cat.client.drop()
        let again = try await server.clusterChatSoon(as: cat.user)
        #expect(again.login.name == cat.user.name)
    }

    @Test func `Sessions of other protocols are beside the console's, and hear what it says`() async throws {
        let cat = try await Console(.seed)
        let (ada, page) = (try await TestServer.user("ada"), try await TestServer.connect(cat.user))
        #expect(try await cat.logIn().errno == 0)
        let phone = try await TestServer.connect(cat.user, device: "ios")
        let native = try await TestServer.connect(ada)
        try await native.say("to all", in: ada.direct(cat.user))
        try await cat.client.wait(for: "to all")
        for session in [page, phone] { try await session.waitText("to all") }
        cat.client.say("from the console", to: ada, as: cat.user)
        for session in [page, phone, native] { try await session.waitText("from the console") }
        try await page.say("from the page", in: ada.direct(cat.user))
        for session in [phone, native] { try await session.waitText("from the page") }
        // It is not told of what it said itself, nor of what its user said elsewhere.
        try await native.say("last", in: ada.direct(cat.user))
        let lines = try await cat.client.wait(for: "last")
        #expect(lines.map(\.text) == ["to all", "last"])
    }

    // MARK: What ends a session

    @Test func `A new password ends the session, and is the one that counts`() async throws {
        let cat = try await Console(.seed)
        #expect(try await cat.logIn().errno == 0)
        try await rest.succeed(
            "PUT", "/api/user/password", by: cat.user,
            #"{"oldPassword":"\#(testPassword)","newPassword":"another horse 8"}"#)
        try await cat.client.waitClosed()
        let back = try await server.clusterChat()
        #expect(try await back.logIn(cat.user.id).errno == 1)
        #expect(try await back.logIn(cat.user.id, "another horse 8").errno == 0)
    }

    private func command(
        _ name: String, _ user: TestUser
    ) async throws -> (status: Int32, output: String, error: String) {
        try await ServerProcess.run(
            ["user", name, user.name, "--data", server.data], environment: OlderDialects.environment)
    }

    @Test func `A ban ends the session, and lasts`() async throws {
        let cat = try await Console(.course)
        #expect(try await cat.logIn().errno == 0)
        let banned = try await command("ban", cat.user)
        #expect(banned.status == 0, "\(banned.error)")
        try await cat.client.waitClosed()
        let back = try await server.clusterChat(.course)
        let refused = try await back.logIn(cat.user.id)
        #expect(refused.errno == 1)
        #expect(refused.message?.isEmpty == false)
        let lifted = try await command("unban", cat.user)
        #expect(lifted.status == 0, "\(lifted.error)")
        #expect(try await back.logIn(cat.user.id).errno == 0)
    }

    // MARK: Friends and groups

    private func friends(of user: TestUser) async throws -> [Int64] {
        let list = try await rest.succeed("GET", "/api/friend/list", by: user)
        return list["items"]?.array?.compactMap { $0["userId"]?.integer } ?? []
    }

    @Test func `Adding somebody is asking, and adding back makes friends`() async throws {
        let (cat, dan) = (try await Console(.seed), try await Console(.course, "dan"))
        #expect(try await cat.logIn().errno == 0)
        #expect(try await dan.logIn().errno == 0)
        cat.client.send(cat.client.family.addFriend(dan.user.id, as: cat.user.id))
        try await soon("the request") {
            let requests = try await rest.succeed("GET", "/api/friend/requests", by: dan.user)
            return requests["items"]?.array?.contains { $0["userId"]?.integer == cat.user.id } == true
        }
        #expect(try await friends(of: cat.user) == [])
        // Who has asked sees whom; who was asked does not yet.
        cat.client.send(cat.client.family.logout(as: cat.user.id))
        let asking = try await cat.logIn()
        #expect(asking.friends.map { $0["id"]?.integer } == [dan.user.id])
        #expect(asking.friends.map { $0["name"]?.string } == [dan.user.name])
        #expect(asking.friends.map { $0["state"]?.string } == ["online"])

        dan.client.send(dan.client.family.addFriend(cat.user.id, as: dan.user.id))
        try await soon("the friendship") { try await friends(of: cat.user) == [dan.user.id] }
        #expect(try await friends(of: dan.user) == [cat.user.id])
        await cat.client.drop()
        dan.client.send(dan.client.family.logout(as: dan.user.id))
        let login = try await dan.logIn()
        #expect(login.friends.map { $0["id"]?.integer } == [cat.user.id])
        try await soon("the friend to be seen as away") {
            dan.client.send(dan.client.family.logout(as: dan.user.id))
            return try await dan.logIn().friends.first?["state"]?.string == "offline"
        }
    }

    @Test func `A group that a console made is joined by its number, and is a group like any other`() async throws {
        let (cat, dan) = (try await Console(.seed), try await Console(.course, "dan"))
        let ada = try await TestServer.user("ada")
        #expect(try await cat.logIn().errno == 0)
        #expect(try await dan.logIn().errno == 0)
        cat.client.send(cat.client.family.createGroup("swifts", "they fly", as: cat.user.id))
        var made: JSONValue?
        try await soon("the group") {
            let list = try await rest.succeed("GET", "/api/group/list", by: cat.user)
            made = list["items"]?.array?.first
            return made != nil
        }
        let group = try #require(made?["groupId"]?.integer)
        #expect(made?["name"]?.string == "swifts")
        #expect(made?["description"]?.string == "they fly")
        dan.client.send(dan.client.family.joinGroup(group, as: dan.user.id))
        try await soon("the new member") {
            try await rest.succeed("GET", "/api/group/list", by: dan.user)["items"]?.array?.count == 1
        }
        try await rest.succeed("POST", "/api/group/join", by: ada, #"{"groupId":\#(group)}"#)

        let native = try await TestServer.connect(ada)
        try await native.say("hello", in: "g:\(group)")
        for console in [cat, dan] {
            let lines = try await console.client.wait(for: "hello")
            #expect(lines.map(\.group) == [group])
        }
        dan.client.say("and hello", in: group, as: dan.user)
        try await native.waitText("and hello")
        try await cat.client.wait(for: "and hello")

        cat.client.send(cat.client.family.logout(as: cat.user.id))
        let login = try await cat.logIn()
        let shown = try #require(login.groups.first)
        #expect(shown["id"]?.integer == group)
        #expect(shown["groupname"]?.string == "swifts")
        #expect(shown["groupdesc"]?.string == "they fly")
        let members = login.members(of: shown)
        #expect(Set(members.compactMap { $0["id"]?.integer }) == [cat.user.id, dan.user.id, ada.id])
        for member in members {
            let isOwner = member["id"]?.integer == cat.user.id
            #expect(member["role"]?.string == (isOwner ? "creator" : "normal"))
            #expect(member["state"]?.string == "online" || isOwner)
        }
    }

    @Test func `Who is not in a group is not heard there, and hears nothing`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let group = try await rest.group("few", of: [ada, ben])
        let (eve, member) = (try await Console(.seed, "eve"), try await TestServer.connect(ben))
        #expect(try await eve.logIn().errno == 0)
        eve.client.say("let me in", in: group, as: ada)
        eve.client.say("hello", to: ben, as: eve.user)
        try await member.waitText("hello")
        try await TestServer.connect(ada).say("among us", in: "g:\(group)")
        try await member.waitText("among us")
        try await eve.client.settle()
        #expect(eve.client.lines == [])
        #expect(try await rest.everything(in: "g:\(group)", by: ada).map(\.payload).contains("let me in") == false)
    }

    // MARK: What a console can show

    @Test func `What is not text is shown as a line that can be read`() async throws {
        let (cat, ada) = (try await Console(.seed), try await TestServer.user("ada"))
        #expect(try await cat.logIn().errno == 0)
        let native = try await TestServer.connect(ada)
        let direct = ada.direct(cat.user)
        let url = "https://example.org/cat.png"
        let image =
            #"{"conversationId":"\#(direct)","clientId":"i","type":"image","content":{"fileId":"1","url":"\#(url)"}}"#
        try await native.succeed("send", image)
        try await native.say("behind", in: direct)
        let lines = try await cat.client.wait(for: "behind")
        #expect(lines.map(\.text) == ["[image] \(url)", "behind"])
    }

    @Test(arguments: ClusterChatFamily.allCases)
    func `A long text comes in pieces that these clients can take`(_ family: ClusterChatFamily) async throws {
        let (cat, ada) = (try await Console(family), try await TestServer.user("ada"))
        let native = try await TestServer.connect(ada)
        let direct = ada.direct(cat.user)
        var random = SeededRandom(seed: SeededRandom.seed(7))
        let alphabet = ["a", "é", "好", "🐈", #"""#, #"\"#, "\n", "/"]
        let long = (0..<4000).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] }.joined()
        func say(_ text: String) async throws {
            let data =
                #"{"conversationId":"\#(direct)","clientId":"\#(randomClientID())","type":"text","content":{"text":\#(quoted(text))}}"#
            try await native.succeed("send", data)
        }
        // Once while it is away, once while it is there.
        try await say(long)
        let missed = try await cat.logIn().missed
        #expect(missed == [])
        try await say("between")
        try await say(long)
        try await say("end")
        let lines = try await cat.client.wait(for: "end")
        let parts = lines.split { $0.text == "between" || $0.text == "end" }.map { $0.map(\.text).joined() }
        #expect(parts == [long, long])
        #expect(cat.client.sizes.allSatisfy { $0 <= 1023 })
    }
}

/// Waits for what comes true in its own time in another process.
func soon(_ what: String, _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + patience
    while try await !condition() {
        guard ContinuousClock.now < end else { throw WaitedTooLong(description: "waited for \(what)") }
        try await Task.sleep(for: .milliseconds(20))
    }
}
