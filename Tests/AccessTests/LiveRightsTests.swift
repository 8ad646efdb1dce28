import EndToEndSupport
import MartletCore
import MartletWire
import Testing

/// Rights hold at once: for REST, for sessions that are there, and for what these remember.
@Suite("Rights, live", .server(environment: World.settings))
struct LiveRightsTests {
    private let rest = TestServer.rest

    private func send(_ socket: WireClient, to conversation: String) async throws -> Outcome {
        let answer = try await socket.request("send", textMessage("hello", in: conversation))
        return Outcome(status: answer.code, reason: answer.reason)
    }

    private func send(by user: TestUser, to conversation: String) async throws -> Outcome {
        let answer = try await rest.call(
            "POST", "/api/chat/send", token: user.token, json: textMessage("hello", in: conversation))
        return Outcome(status: answer.status, reason: answer.reason)
    }

    // MARK: Between two

    @Test("A block holds in both directions, for remembered rights as well, until it is lifted")
    func blocks() async throws {
        let (alice, bob) = (try await TestServer.user("alice"), try await TestServer.user("bob"))
        let (aliceSocket, bobSocket) = (try await TestServer.connect(alice), try await TestServer.connect(bob))
        let direct = alice.direct(bob)
        #expect(try await send(aliceSocket, to: direct) == .ok)
        #expect(try await send(bobSocket, to: direct) == .ok)

        try await rest.succeed("POST", "/api/friend/block", by: bob, #"{"userId":\#(alice.id)}"#)
        for (socket, user) in [(aliceSocket, alice), (bobSocket, bob)] {
            #expect(try await send(socket, to: direct) == .no(.blocked))
            #expect(try await send(by: user, to: direct) == .no(.blocked))
            #expect(try await socket.request("typing", #"{"conversationId":"\#(direct)"}"#).reason == "blocked")
            let reaction = #"{"conversationId":"\#(direct)","target":1,"emoji":"x"}"#
            #expect(try await socket.request("react", reaction).reason == "blocked")
            #expect(try await socket.request("history", #"{"conversationId":"\#(direct)"}"#).code == 200)
        }
        let request = try await rest.call(
            "POST", "/api/friend/request", token: alice.token, json: #"{"userId":\#(bob.id)}"#)
        #expect(request.reason == "blocked")

        try await rest.succeed("DELETE", "/api/friend/block?userId=\(alice.id)", by: bob)
        #expect(try await send(aliceSocket, to: direct) == .ok)
        #expect(try await send(bobSocket, to: direct) == .ok)
        // Two of hers and none between; and nothing of hers while the block held.
        for _ in 0..<2 { _ = try await bobSocket.nextPush("msg") }
        try await bobSocket.settle()
        #expect(bobSocket.pushes("msg").count == 2)
        #expect(bobSocket.pushes("typing").isEmpty)
    }

    @Test("Whoever takes no strangers takes friends, and is asked anew when that changes")
    func strangers() async throws {
        let (alice, bob) = (try await TestServer.user("alice"), try await TestServer.user("bob"))
        let socket = try await TestServer.connect(alice)
        let direct = alice.direct(bob)
        #expect(try await send(socket, to: direct) == .ok)
        try await rest.succeed("PUT", "/api/user/profile", by: bob, #"{"strangers":"deny"}"#)
        #expect(try await send(socket, to: direct) == .no(.strangersRefused))
        #expect(try await send(by: alice, to: direct) == .no(.strangersRefused))
        try await rest.befriend(alice, bob)
        #expect(try await send(socket, to: direct) == .ok)
        try await rest.succeed("DELETE", "/api/friend?userId=\(alice.id)", by: bob)
        #expect(try await send(socket, to: direct) == .no(.strangersRefused))
        try await rest.succeed("PUT", "/api/user/profile", by: bob, #"{"strangers":"allow"}"#)
        #expect(try await send(socket, to: direct) == .ok)
    }

    @Test("Nobody reads what two others say to one another, and none of their pushes come")
    func privacy() async throws {
        let (alice, bob, eve) = (
            try await TestServer.user("alice"), try await TestServer.user("bob"), try await TestServer.user("eve")
        )
        let (aliceSocket, eveSocket) = (try await TestServer.connect(alice), try await TestServer.connect(eve))
        try await aliceSocket.say("for bob", in: alice.direct(bob))
        for conversation in [alice.direct(bob), alice.inbox] {
            for command in ["history", "typing"] {
                let answer = try await eveSocket.request(command, #"{"conversationId":"\#(conversation)"}"#)
                #expect(answer.reason == "unknown_conversation")
            }
        }
        try await eveSocket.settle()
        #expect(eveSocket.pushes().isEmpty)
    }

    // MARK: Groups

    @Test("A mute holds at once and ends when it is lifted; a mute of all leaves owner and admins their say")
    func mutes() async throws {
        let (owner, member) = (try await TestServer.user("owner"), try await TestServer.user("member"))
        let id = try await rest.group("Mutes", of: [owner, member])
        let group = "g:\(id)"
        let (ownerSocket, memberSocket) = (try await TestServer.connect(owner), try await TestServer.connect(member))
        #expect(try await send(memberSocket, to: group) == .ok)
        for json in [#"{"groupId":\#(id),"userId":\#(member.id)"#, #"{"groupId":\#(id)"#] {
            try await rest.succeed("PUT", "/api/group/mute", by: owner, json + "}")
            #expect(try await send(memberSocket, to: group) == .no(.muted))
            #expect(try await send(by: member, to: group) == .no(.muted))
            #expect(try await send(ownerSocket, to: group) == .ok)
            try await rest.succeed("PUT", "/api/group/mute", by: owner, json + #","until":0}"#)
            #expect(try await send(memberSocket, to: group) == .ok)
        }
    }

    @Test("Whoever was put out neither writes, reads nor hears, and comes back to what is said from then on")
    func kicks() async throws {
        let (owner, member) = (try await TestServer.user("owner"), try await TestServer.user("member"))
        let id = try await rest.group("Kicks", of: [owner, member])
        let group = "g:\(id)"
        let (ownerSocket, memberSocket) = (try await TestServer.connect(owner), try await TestServer.connect(member))
        #expect(try await send(memberSocket, to: group) == .ok)
        try await rest.succeed("POST", "/api/group/kick", by: owner, #"{"groupId":\#(id),"userIds":[\#(member.id)]}"#)
        let before = memberSocket.pushes("msg").count
        #expect(try await send(memberSocket, to: group) == .no(.notAMember))
        #expect(try await send(by: member, to: group) == .no(.notAMember))
        for command in ["history", "typing"] {
            #expect(
                try await memberSocket.request(command, #"{"conversationId":"\#(group)"}"#).reason == "not_a_member")
        }
        let secret = try await ownerSocket.say("without you", in: group)
        try await memberSocket.settle()
        #expect(memberSocket.pushes("msg").count == before)
        let list = try await rest.call("GET", "/api/chat/conversations", token: member.token)
        #expect(!list.text.contains(group))

        try await rest.succeed("POST", "/api/group/join", by: member, #"{"groupId":\#(id)}"#)
        let history = try await memberSocket.succeed("history", #"{"conversationId":"\#(group)"}"#)
        let seqs = history["items"]?.array?.compactMap { $0["seq"]?.integer } ?? []
        #expect(!seqs.isEmpty && seqs.allSatisfy { $0 > secret })
        let reaction = #"{"conversationId":"\#(group)","target":\#(secret),"emoji":"x"}"#
        #expect(try await memberSocket.request("react", reaction).reason == "unknown_message")
        #expect(try await send(memberSocket, to: group) == .ok)
    }

    @Test("A group that is dissolved is gone for everybody in it")
    func dissolution() async throws {
        let (owner, member) = (try await TestServer.user("owner"), try await TestServer.user("member"))
        let id = try await rest.group("Gone", of: [owner, member])
        let sockets = [try await TestServer.connect(owner), try await TestServer.connect(member)]
        for socket in sockets { #expect(try await send(socket, to: "g:\(id)") == .ok) }
        try await rest.succeed("DELETE", "/api/group/\(id)", by: owner)
        for (socket, user) in zip(sockets, [owner, member]) {
            #expect(try await send(socket, to: "g:\(id)") == .no(.unknownConversation))
            #expect(try await send(by: user, to: "g:\(id)") == .no(.unknownConversation))
            #expect(try await rest.call("GET", "/api/group/\(id)", token: user.token).reason == "unknown_group")
            let join = try await rest.call("POST", "/api/group/join", token: user.token, json: #"{"groupId":\#(id)}"#)
            #expect(join.reason == "unknown_group")
            #expect(
                try await rest.call("GET", "/api/chat/conversations", token: user.token).text.contains("g:\(id)")
                    == false)
        }
    }

    @Test("An invitation opens a closed group to the one who is invited, once")
    func invitations() async throws {
        let (owner, guest, other) = (
            try await TestServer.user("owner"), try await TestServer.user("guest"), try await TestServer.user("other")
        )
        let made = try await rest.succeed("POST", "/api/group/create", by: owner, #"{"name":"Closed","join":"closed"}"#)
        let id = try #require(made["groupId"]?.integer)
        let invited = try await rest.succeed(
            "POST", "/api/group/invite", by: owner, #"{"groupId":\#(id),"userIds":[\#(guest.id)]}"#)
        #expect(invited["invited"]?.array == [.integer(guest.id)])
        #expect(try await send(by: guest, to: "g:\(id)") == .no(.notAMember))
        let accept = #"{"groupId":\#(id),"action":"accept"}"#
        #expect(
            try await rest.call("PUT", "/api/group/invitation", token: other.token, json: accept).reason
                == "unknown_request")
        try await rest.succeed("PUT", "/api/group/invitation", by: guest, accept)
        #expect(try await send(by: guest, to: "g:\(id)") == .ok)
        try await rest.succeed("POST", "/api/group/leave", by: guest, #"{"groupId":\#(id)}"#)
        let again = try await rest.call("POST", "/api/group/join", token: guest.token, json: #"{"groupId":\#(id)}"#)
        #expect(again.reason == "group_closed")
    }

    // MARK: Accounts

    @Test("A ban ends sessions, tokens and refreshes at once, and its end lets the account in again")
    func bans() async throws {
        let world = try await World.current()
        let name = "banned-\(randomClientID())"
        let user = try await register(rest, name)
        let (socket, other) = (try await TestServer.connect(user), try await TestServer.connect(user, device: "ios"))
        let administrator = world.user(.administrator)
        try await rest.succeed("POST", "/api/user/ban", by: administrator, #"{"userId":\#(user.id)}"#)
        #expect(try await socket.waitClosed() == 4101)
        #expect(try await other.waitClosed() == 4101)
        #expect(try await rest.call("GET", "/api/user/profile", token: user.token).reason == "invalid_token")
        let refresh = #"{"refreshToken":"\#(user.refresh)"}"#
        let refreshed = try await rest.call("POST", "/api/auth/refresh", json: refresh)
        #expect([401, 403].contains(refreshed.status))
        let verified = try await rest.succeed("POST", "/api/auth/verify", #"{"token":"\#(user.token)"}"#)
        #expect(verified["valid"]?.bool == false && verified["userId"] == nil)
        await #expect(throws: Refused.self) { try await signIn(rest, name) }
        try await rest.succeed("POST", "/api/user/unban", by: administrator, #"{"userId":\#(user.id)}"#)
        _ = try await TestServer.connect(signIn(rest, name))
    }

    @Test("A logout ends the sessions of its sign-in and no others; logging out everywhere ends all")
    func logouts() async throws {
        let name = "leaving-\(randomClientID())"
        let (first, second) = (try await register(rest, name), try await signIn(rest, name, device: "ios"))
        let (firstSocket, secondSocket) = (try await TestServer.connect(first), try await TestServer.connect(second))
        try await rest.succeed("POST", "/api/auth/logout", by: first, "{}")
        #expect(try await firstSocket.waitClosed() == 4100)
        try await secondSocket.settle()
        #expect(try await rest.call("GET", "/api/user/profile", token: first.token).reason == "invalid_token")
        try await rest.succeed("POST", "/api/auth/logout", by: second, #"{"all":true}"#)
        let code = try await secondSocket.waitClosed()
        #expect(code == 4100 || code == 4103)
    }

    @Test("A new password ends every other sign-in")
    func passwords() async throws {
        let name = "changing-\(randomClientID())"
        let (first, second) = (try await register(rest, name), try await signIn(rest, name, device: "ios"))
        let (mine, theirs) = (try await TestServer.connect(first), try await TestServer.connect(second))
        let json = #"{"oldPassword":"\#(testPassword)","newPassword":"another horse 8"}"#
        try await rest.succeed("PUT", "/api/user/password", by: first, json)
        #expect(try await theirs.waitClosed() == 4103)
        try await mine.settle()
        #expect(try await rest.call("GET", "/api/user/profile", token: second.token).reason == "invalid_token")
        await #expect(throws: Refused.self) { try await signIn(rest, name) }
    }

    // MARK: Guests

    @Test("Guests talk in rooms of their app, and nobody can write to them elsewhere")
    func guests() async throws {
        let user = try await TestServer.user("host")
        let (socket, guest) = (try await TestServer.connect(user), try await WireClient.connect(port: rest.port))
        let login = try await guest.succeed("login", #"{"guest":"Visitor"}"#)
        let id = try #require(login["userId"]?.integer)
        for client in [socket, guest] { try await client.succeed("enter", #"{"conversationId":"r:1:salon"}"#) }
        try await guest.say("good evening", in: "r:1:salon")
        let heard = try await socket.nextPush("msg")
        #expect(heard["data"]?["from"]?.integer == id && heard["data"]?["fromName"]?.string == "Visitor")

        let direct = "d:\(min(id, user.id)):\(max(id, user.id))"
        #expect(try await send(guest, to: direct) == .no(.guestsRefused))
        #expect(try await send(socket, to: direct) != .ok)
        let friend = try await rest.call("POST", "/api/friend/request", token: user.token, json: #"{"userId":\#(id)}"#)
        #expect(friend.reason == "unknown_user")
        let group = try await rest.call(
            "POST", "/api/group/create", token: user.token, json: #"{"name":"Salon","members":[\#(id)]}"#)
        #expect(group.reason == "guests_refused")

        try await guest.succeed("exit", #"{"conversationId":"r:1:salon"}"#)
        #expect(try await send(guest, to: "r:1:salon") == .no(.notAMember))
        let before = guest.pushes("msg").count
        try await socket.say("still here", in: "r:1:salon")
        try await guest.settle()
        #expect(guest.pushes("msg").count == before)
    }
}
