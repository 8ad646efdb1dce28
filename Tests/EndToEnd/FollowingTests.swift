import EndToEndSupport
import MartletWire
import Synchronization
import Testing

/// Coming, going and coming back without a gap.
@Suite(.server())
struct FollowingTests {
    private let rest = TestServer.rest

    /// The seqs of one conversation in the order in which a client saw them, in syncs and pushes.
    private final class Seen: Sendable {
        private let seqs = Watched<[Int64]>([])
        private let conversation: String

        init(_ conversation: String) { self.conversation = conversation }

        var all: [Int64] { seqs.value }
        var last: Int64 { seqs.value.last ?? 0 }

        func hear(_ message: JSONValue) {
            for part in message["response"]?["data"]?["conversations"]?.array ?? [] {
                for event in part["events"]?.array ?? [] { take(event) }
            }
            if message["response"] == nil, let event = message["data"] { take(event) }
        }

        private func take(_ event: JSONValue) {
            guard event["conversationId"]?.string == conversation, let seq = event["seq"]?.integer else { return }
            seqs.update { $0.append(seq) }
        }

        func wait(for seq: Int64) async throws {
            try await seqs.wait("event \(seq)") { $0.contains(seq) ? true : nil }
        }
    }

    private func resume(_ user: TestUser, _ conversation: String, _ seen: Seen) async throws -> WireClient {
        let client = try await WireClient.connect(port: TestServer.current.port) { seen.hear($0) }
        // Login and sync in one segment.
        let login = WireClient.command("login", WireClient.loginData(user.token, resume: true), seq: "login")
        let sync = WireClient.command(
            "sync", #"{"cursors":{"\#(conversation)":\#(seen.last)},"limit":200}"#, seq: "sync")
        client.sendRaw(WireClient.frame(.text, Array(login.utf8)) + WireClient.frame(.text, Array(sync.utf8)))
        #expect(try await client.answer(to: "login").code == 200)
        #expect(try await client.answer(to: "sync").code == 200)
        return client
    }

    @Test func `A client that comes back again and again while others send misses nothing and gets nothing twice`()
        async throws
    {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let direct = ada.direct(ben)
        let sender = try await TestServer.connect(ada)
        try await sender.say("first", in: direct)
        let seen = Seen(direct)
        let count: Int64 = 400
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for number in 2...count { try await sender.say("\(number)", in: direct) } }
            group.addTask {
                for _ in 0..<12 {
                    let client = try await resume(ben, direct, seen)
                    try await seen.wait(for: min(count, seen.last + 20))
                    await client.drop()
                    _ = try await client.waitClosed()
                }
            }
            try await group.waitForAll()
        }
        let client = try await resume(ben, direct, seen)
        try await seen.wait(for: count)
        try await client.settle()
        #expect(seen.all == Array(1...count))
    }

    @Test func `What was sent while nobody was there is found at the next login`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let sender = try await TestServer.connect(ada)
        for number in 1...3 { try await sender.say("\(number)", in: ada.direct(ben)) }
        let client = try await TestServer.connect(ben)
        let answer = try await client.succeed("sync", #"{"cursors":{}}"#)
        let part = try #require(
            answer["conversations"]?.array?.first { $0["conversationId"]?.string == ada.direct(ben) })
        #expect(part["events"]?.array?.compactMap { $0["content"]?["text"]?.string } == ["1", "2", "3"])
        #expect(part["unread"]?.integer == 3)
        #expect(part["firstSeq"]?.integer == 1)
        #expect(part["lastSeq"]?.integer == 3)
        #expect(part["readSeq"]?.integer == 0)
        #expect(part["more"] == nil && part["reset"] == nil)
    }

    @Test func `Where more waits, pushes wait until the client has asked for all of it`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let direct = ada.direct(ben)
        let sender = try await TestServer.connect(ada)
        for number in 1...25 { try await sender.say("\(number)", in: direct) }
        let client = try await TestServer.connect(ben, resume: true)
        func ask(_ cursor: Int64) async throws -> (seqs: [Int64], more: Bool) {
            let answer = try await client.succeed("sync", #"{"cursors":{"\#(direct)":\#(cursor)},"limit":10}"#)
            let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == direct }
            return (part?["events"]?.array?.compactMap { $0["seq"]?.integer } ?? [], part?["more"]?.bool == true)
        }
        #expect(try await ask(0) == (Array(1...10), true))
        try await sender.say("26", in: direct)
        #expect(try await ask(10) == (Array(11...20), true))
        #expect(client.pushes("msg").isEmpty)
        #expect(try await ask(20) == (Array(21...26), false))
        try await sender.say("27", in: direct)
        #expect(try await client.nextPush("msg")["data"]?["seq"]?.integer == 27)
        #expect(client.pushes("msg").count == 1)
    }

    @Test func `Who joins a group while messages flow gets them from the joining on`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let group = try await rest.group("swifts", of: [ada])
        let conversation = "g:\(group)"
        let sender = try await TestServer.connect(ada)
        let seen = Seen(conversation)
        let joiner = try await WireClient.connect(port: TestServer.current.port) { seen.hear($0) }
        try await joiner.login(ben)
        let isDone = Watched(false)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                var number = 0
                while !isDone.value {
                    number += 1
                    try await sender.say("\(number)", in: conversation)
                }
            }
            try await sender.waitPushes("the group") { _ in true }
            try await rest.succeed("POST", "/api/group/join", by: ben, #"{"groupId":\#(group)}"#)
            let joined = try await joiner.nextPush("notify") { $0["data"]?["type"]?.string == "group_joined" }
            let from = try #require(joined["data"]?["content"]?["fromSeq"]?.integer)
            try await seen.wait(for: from + 30)
            isDone.update { $0 = true }
            try await tasks.waitForAll()
            let last = try #require(try await rest.everything(in: conversation, by: ada).last?.seq)
            try await seen.wait(for: last)
            #expect(seen.all == Array(from...last))
            // What was said before is not the joiner's to read.
            let page = try await rest.succeed(
                "GET", "/api/chat/messages?conversationId=\(conversation)&after=0&limit=100", by: ben)
            #expect(page["items"]?[0]?["seq"]?.integer == from)
            #expect(page["firstSeq"]?.integer == from)
        }
    }

    @Test func `Who leaves a group gets nothing more of it`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let group = try await rest.group("swifts", of: [ada, ben])
        let (one, other) = (try await TestServer.connect(ada), try await TestServer.connect(ben))
        try await one.say("hello", in: "g:\(group)")
        _ = try await other.nextPush("msg")
        try await rest.succeed("POST", "/api/group/kick", by: ada, #"{"groupId":\#(group),"userIds":[\#(ben.id)]}"#)
        let left = try await other.nextPush("notify") { $0["data"]?["type"]?.string == "group_left" }
        #expect(left["data"]?["content"]?["reason"]?.string == "kicked")
        try await one.say("among ourselves", in: "g:\(group)")
        try await other.settle()
        #expect(other.pushes("msg").count == 1)
        let refused = try await other.request("send", textMessage("let me in", in: "g:\(group)"))
        #expect(refused.code == 403)
        #expect(refused.reason == "not_a_member")
    }

    @Test func `Who left a group and comes again gets nothing of between, whatever cursor a sync named meanwhile`()
        async throws
    {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let group = try await rest.group("swifts", of: [ada, ben])
        let conversation = "g:\(group)"
        let sender = try await TestServer.connect(ada)
        let seen = Seen(conversation)
        let other = try await WireClient.connect(port: TestServer.current.port) { seen.hear($0) }
        try await other.login(ben)
        let before = try await sender.say("before", in: conversation)
        try await seen.wait(for: before)
        try await rest.succeed("POST", "/api/group/leave", by: ben, #"{"groupId":\#(group)}"#)
        _ = try await other.nextPush("notify") { $0["data"]?["type"]?.string == "group_left" }
        for text in ["among", "our", "selves"] { try await sender.say(text, in: conversation) }
        // What the client held when it left; the answer passes it over.
        let answer = try await other.succeed("sync", #"{"cursors":{"\#(conversation)":\#(before)}}"#)
        let named = answer["conversations"]?.array?.compactMap { $0["conversationId"]?.string } ?? []
        #expect(!named.contains(conversation))
        try await rest.succeed("POST", "/api/group/join", by: ben, #"{"groupId":\#(group)}"#)
        let joined = try await other.nextPush("notify") { $0["data"]?["type"]?.string == "group_joined" }
        let from = try #require(joined["data"]?["content"]?["fromSeq"]?.integer)
        let last = try await sender.say("welcome", in: conversation)
        try await seen.wait(for: last)
        try await other.settle()
        // The leaving itself may be heard or not.
        #expect(seen.all.filter { $0 != before + 1 } == [before, from, last])
    }

    @Test func `Who leaves a group and comes again before the sync of a resumed session goes on from the new joining`()
        async throws
    {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let group = try await rest.group("swifts", of: [ada, ben])
        let conversation = "g:\(group)"
        let sender = try await TestServer.connect(ada)
        let before = try await sender.say("before", in: conversation)
        let seen = Seen(conversation)
        let other = try await WireClient.connect(port: TestServer.current.port) { seen.hear($0) }
        try await other.login(ben, resume: true)
        try await rest.succeed("POST", "/api/group/leave", by: ben, #"{"groupId":\#(group)}"#)
        for text in ["among", "our", "selves"] { try await sender.say(text, in: conversation) }
        try await rest.succeed("POST", "/api/group/join", by: ben, #"{"groupId":\#(group)}"#)
        let welcome = try await sender.say("welcome", in: conversation)
        let answer = try await other.succeed("sync", #"{"cursors":{"\#(conversation)":\#(before)}}"#)
        let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == conversation }
        #expect(part?["reset"]?.bool == true)
        let last = try await sender.say("and on", in: conversation)
        try await seen.wait(for: last)
        try await other.settle()
        #expect(seen.all == [welcome - 1, welcome, last])
    }

    @Test func `Cursors of what is not one's own weigh nothing`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let (sender, client) = (try await TestServer.connect(ada), try await TestServer.connect(ben))
        for round in 0..<3 {
            let names = (0..<2000).map { #""d:\#(1_000_000 + round):\#(2_000_000 + $0)":1"# }
            let answer = try await client.succeed("sync", #"{"cursors":{\#(names.joined(separator: ","))}}"#)
            #expect(answer["conversations"]?.array?.isEmpty == true)
        }
        let seq = try await sender.say("still there?", in: ada.direct(ben))
        #expect(try await client.nextPush("msg")["data"]?["seq"]?.integer == seq)
        try await client.settle()
    }

    @Test func `History is read page by page, in both directions`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let client = try await TestServer.connect(ada)
        for number in 1...47 { try await client.say("\(number)", in: ada.direct(ben)) }
        func page(_ place: String) async throws -> (seqs: [Int64], next: Int64?) {
            let answer = try await client.succeed(
                "history", #"{"conversationId":"\#(ada.direct(ben))","limit":20\#(place)}"#)
            #expect(answer["firstSeq"]?.integer == 1)
            #expect(answer["lastSeq"]?.integer == 47)
            return (answer["items"]?.array?.compactMap { $0["seq"]?.integer } ?? [], answer["nextCursor"]?.integer)
        }
        let newest = try await page("")
        #expect(newest.seqs == Array(28...47))
        let older = try await page(#","before":\#(try #require(newest.next))"#)
        #expect(older.seqs == Array(8...27))
        let oldest = try await page(#","before":\#(try #require(older.next))"#)
        #expect(oldest.seqs == Array(1...7))
        #expect(oldest.next == nil)
        #expect(try await page(#","after":0"#).seqs == Array(1...20))
        let events = try await rest.everything(in: ada.direct(ben), by: ben)
        #expect(events.map(\.seq) == Array(1...47))
    }
}
