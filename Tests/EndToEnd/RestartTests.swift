import EndToEndSupport
import MartletWire
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What lasts over the end of a process, and what operators do with the data.
struct RestartTests {
    @Test func `A retry after a crash gives the same seq, and another payload a conflict`() async throws {
        let server = try await ServerProcess.start()
        let rest = RestClient(port: server.port)
        let (ada, ben) = (try await register(rest, "ada"), try await register(rest, "ben"))
        let message = textMessage("once", in: ada.direct(ben), clientId: "the-one")
        let first = try await WireClient.signedIn(port: server.port, ada).succeed("send", message)
        let other = textMessage("twice", in: ada.direct(ben), clientId: "the-one")

        for signal in [SIGKILL, SIGTERM] {
            server.kill(signal)
            _ = await server.wait()
            try await server.restart()
            let client = try await WireClient.signedIn(port: server.port, ada)
            for _ in 0..<2 {
                let again = try await client.succeed("send", message)
                for key in ["conversationId", "seq", "messageId", "time"] {
                    #expect(again[key] == first[key], "\(key)")
                }
            }
            let conflict = try await client.request("send", other)
            #expect(conflict.code == 409)
            #expect(conflict.reason == "client_id_reused")
            // The same by REST, where the sender is the same.
            #expect(try await rest.succeed("POST", "/api/chat/send", by: ada, message)["seq"] == first["seq"])
            #expect(try await rest.call("POST", "/api/chat/send", token: ada.token, json: other).status == 409)
        }
        // Another sender's clientId is another matter.
        #expect(try await rest.succeed("POST", "/api/chat/send", by: ben, other)["seq"]?.integer == 2)
        #expect(try await rest.everything(in: ada.direct(ben), by: ben).map(\.payload) == ["once", "twice"])
    }

    @Test func `A server that has just started names its own port to clients`() async throws {
        let server = try await ServerProcess.start()
        let answer = try await RestClient(port: server.port).call("GET", "/api/route")
        #expect(answer.status == 200)
        #expect(answer.data?["port"]?.integer == Int64(server.port))
    }

    @Test func `A second server on the same data is refused, and the first goes on`() async throws {
        let server = try await ServerProcess.start()
        let failure = await #expect(throws: ServerDidNotStart.self) {
            _ = try await ServerProcess.start(data: server.data)
        }
        #expect(failure?.status == 69)
        #expect(failure?.log.contains("another server uses the data folder") == true)
        #expect(try await RestClient(port: server.port).call("GET", "/readyz").status == 200)
        // A crash leaves no lock behind.
        server.kill(SIGKILL)
        _ = await server.wait()
        let successor = try await ServerProcess.start(data: server.data)
        #expect(await successor.stop() == 0)
    }

    @Test func `A backup under load can be restored, and has all that was acknowledged before it began`() async throws {
        let server = try await ServerProcess.start()
        let rest = RestClient(port: server.port)
        let (ada, ben) = (try await register(rest, "ada"), try await register(rest, "ben"))
        let direct = ada.direct(ben)
        let client = try await WireClient.signedIn(port: server.port, ada)
        let acknowledged = Watched<Int64>(0)
        let isDone = Watched(false)
        let folder = try TemporaryFolder.make()
        let (backup, restored) = (folder + "/backup", folder + "/restored")
        let before = try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    while !isDone.value {
                        let seq = try await client.say("more", in: direct)
                        acknowledged.update { $0 = max($0, seq) }
                    }
                }
            }
            try await acknowledged.wait("some messages") { $0 > 50 ? true : nil }
            let before = acknowledged.value
            let made = try await ServerProcess.run(["backup", backup, "--data", server.data])
            #expect(made.status == 0, "\(made.error)")
            let after = acknowledged.value
            try await acknowledged.wait("the load to go on") { $0 > after + 10 ? true : nil }
            isDone.update { $0 = true }
            try await tasks.waitForAll()
            return before
        }
        let running = try await ServerProcess.run(["verify", "--data", server.data, "--json"])
        #expect(running.status == 0, "\(running.output)\(running.error)")
        for (arguments, status) in [([], 73), (["--force"], 69)] as [([String], Int32)] {
            let refused = try await ServerProcess.run(["restore", backup, "--data", server.data] + arguments)
            #expect(refused.status == status, "what is there is not replaced unasked, and never under a running server")
        }

        let restoring = try await ServerProcess.run(["restore", backup, "--data", restored])
        #expect(restoring.status == 0, "\(restoring.error)")
        let verified = try await ServerProcess.run(["verify", "--data", restored, "--json"])
        #expect(verified.status == 0, "\(verified.output)\(verified.error)")
        let second = try await ServerProcess.start(data: restored)
        // Signed in with a token of the first server: the secrets came along.
        let events = try await RestClient(port: second.port).everything(in: direct, by: ben)
        #expect(events.count >= before)
        #expect(events.map(\.seq) == Array(1...Int64(max(1, events.count))))
        let original = try await rest.everything(in: direct, by: ben)
        #expect(events == Array(original.prefix(events.count)))
        // A client that has more than the backup is told so, and goes on from there.
        let ahead = try await WireClient.signedIn(port: second.port, ben, resume: true)
        let answer = try await ahead.succeed("sync", #"{"cursors":{"\#(direct)":\#(events.count + 50)},"limit":200}"#)
        let part = answer["conversations"]?.array?.first { $0["conversationId"]?.string == direct }
        #expect(part?["reset"]?.bool == true)
        let next = try await WireClient.signedIn(port: second.port, ada).say("a new life", in: direct)
        #expect(next == Int64(events.count) + 1)
        if part?["more"] == nil { #expect(try await ahead.nextPush("msg")["data"]?["seq"]?.integer == next) }
        #expect(await second.stop() == 0)
        TemporaryFolder.remove(folder)
    }

    @Test func `Conversations that are not in the backup are told to be gone, and begin anew`() async throws {
        let server = try await ServerProcess.start()
        let rest = RestClient(port: server.port)
        let (ada, ben) = (try await register(rest, "ada"), try await register(rest, "ben"))
        let direct = ada.direct(ben)
        let folder = try TemporaryFolder.make()
        let (backup, restored) = (folder + "/backup", folder + "/restored")
        let made = try await ServerProcess.run(["backup", backup, "--data", server.data])
        #expect(made.status == 0, "\(made.error)")
        // A direct conversation, a group and an inbox that the backup knows nothing of.
        let sender = try await WireClient.signedIn(port: server.port, ada)
        for text in ["one", "two", "three"] { try await sender.say(text, in: direct) }
        let group = "g:\(try await rest.group("swifts", of: [ada, ben]))"
        let cursors = [direct: 3, group: 2, ben.inbox: 1]
        let before = try await WireClient.signedIn(port: server.port, ben, resume: true)
        let none = try await before.succeed("sync", syncData(cursors))
        #expect(none["conversations"]?.array?.count == 0, "the cursors are those of a client that has everything")
        #expect(await server.stop() == 0)

        let restoring = try await ServerProcess.run(["restore", backup, "--data", restored])
        #expect(restoring.status == 0, "\(restoring.error)")
        let second = try await ServerProcess.start(data: restored)
        let back = try await WireClient.signedIn(port: second.port, ben, resume: true)
        let answer = try await back.succeed("sync", syncData(cursors))
        let parts = answer["conversations"]?.array ?? []
        #expect(Set(parts.compactMap { $0["conversationId"]?.string }) == Set(cursors.keys))
        for part in parts {
            #expect(part["reset"]?.bool == true)
            #expect(part["lastSeq"]?.integer == 0)
            #expect(part["events"]?.array?.count == 0)
        }
        #expect(try await WireClient.signedIn(port: second.port, ada).say("a new life", in: direct) == 1)
        #expect(try await back.nextPush("msg")["data"]?["seq"]?.integer == 1)
        #expect(await second.stop() == 0)
        TemporaryFolder.remove(folder)
    }

    private func syncData(_ cursors: [String: Int]) -> String {
        let members = cursors.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",")
        return #"{"cursors":{\#(members)}}"#
    }

    @Test func `The demo prints how to sign in, and that works`() async throws {
        let server = try await ServerProcess.start(arguments: ["--demo"])
        try await server.waitForLog("Demo:")
        let line = try #require(server.log.split(separator: "\n").first { $0.contains("Demo:") })
        let words = line.split(whereSeparator: { $0 == " " || $0 == "," })
        let password = try #require(words.firstIndex(of: "password").map { String(words[$0 + 1]) })
        let rest = RestClient(port: server.port)
        let (alice, bob) = (
            try await signIn(rest, "alice", password: password), try await signIn(rest, "bob", password: password)
        )
        let (one, other) = (
            try await WireClient.signedIn(port: server.port, alice),
            try await WireClient.signedIn(port: server.port, bob)
        )
        let seq = try await one.say("it works", in: alice.direct(bob))
        #expect(try await other.nextPush("msg")["data"]?["seq"]?.integer == seq)
        let guest = try await WireClient.connect(port: server.port)
        #expect(try await guest.succeed("login", #"{"guest":"Zoe"}"#)["userId"]?.integer ?? 0 > 0)
        #expect(await server.stop() == 0)
    }

    @Test func `Nobody comes in as a guest unless that was switched on`() async throws {
        let server = try await ServerProcess.start()
        let guest = try await WireClient.connect(port: server.port)
        let refused = try await guest.request("login", #"{"guest":"Zoe"}"#)
        #expect(refused.code == 403)
        #expect(refused.reason == "guests_refused")
    }

    @Test func `The demo is for loopback only`() async throws {
        let data = try TemporaryFolder.make()
        let refused = try await ServerProcess.run(
            ["serve", "--data", data, "--port", "0", "--host", "0.0.0.0", "--demo"])
        #expect(refused.status == 78)
        TemporaryFolder.remove(data)
    }
}
