import EndToEndSupport
import Foundation
import MartletWire
import Testing

/// What is documented, what is served and what is tried are the same.
@Suite("Operations", .server(environment: World.settings), .staysHealthy)
struct OperationsTests {
    /// A step of the walk: an operation that no row of the table lets succeed.
    private struct Step: Sendable {
        let operation: String
        let json: String
        var user: TestUser?
    }

    private static func walk() async throws -> [Step] {
        let rest = TestServer.rest
        let (user, changing, owner) = (
            try await TestServer.user(), try await TestServer.user("changing"), try await TestServer.user("owner")
        )
        let made = try await rest.succeed("POST", "/api/group/create", by: owner, #"{"name":"Closed","join":"closed"}"#)
        let group = made["groupId"]?.integer ?? 0
        try await rest.succeed(
            "POST", "/api/group/invite", by: owner, #"{"groupId":\#(group),"userIds":[\#(user.id)]}"#)
        let credentials = #""username":"\#(user.name)","password":"\#(testPassword)""#
        return [
            Step(
                operation: "POST /api/user/register",
                json: #"{"username":"new-\#(randomClientID())","password":"\#(testPassword)","nickname":"New"}"#),
            Step(operation: "POST /api/user/login", json: "{\(credentials)}"),
            Step(operation: "POST /api/auth/token", json: #"{\#(credentials),"device":"bot"}"#),
            Step(operation: "POST /api/auth/refresh", json: #"{"refreshToken":"\#(user.refresh)"}"#),
            Step(
                operation: "PUT /api/user/password",
                json: #"{"oldPassword":"\#(testPassword)","newPassword":"another horse 8"}"#, user: changing),
            Step(
                operation: "PUT /api/group/invitation", json: #"{"groupId":\#(group),"action":"accept"}"#, user: user),
        ]
    }

    @Test("Every operation succeeds somewhere and answers as documented")
    func answers() async throws {
        let contract = try await Contract.current()
        let steps = try await Self.walk()
        for step in steps {
            let parts = step.operation.split(separator: " ").map(String.init)
            let answer = try await TestServer.rest.call(parts[0], parts[1], token: step.user?.token, json: step.json)
            #expect(answer.status == 200, "\(step.operation): \(answer.text)")
            contract.check(step.operation, status: answer.status, body: answer.body)
        }
        let rows = RestAccessTable.rows.filter { row in Asker.ofRest.contains { row.outcomes[$0] == .ok } }
        let tried = Set(rows.map(\.operation) + steps.map(\.operation))
        #expect(tried == Set(contract.surface.operations.map(\.name)))
    }

    @Test("A page of everything is as documented")
    func pages() async throws {
        let rest = TestServer.rest
        let contract = try await Contract.current()
        let (user, friend) = (try await TestServer.user(), try await TestServer.user("friend"))
        try await rest.befriend(user, friend)
        let group = try await rest.group("Swifts", of: [user, friend])
        for conversation in ["g:\(group)", user.direct(friend)] {
            let fields = #""conversationId":"\#(conversation)","target":"#
            var seqs: [Int64] = []
            for text in ["one", "two", "three"] {
                let sent = try await rest.succeed(
                    "POST", "/api/chat/send", by: user, textMessage(text, in: conversation))
                seqs.append(sent["seq"]?.integer ?? 0)
            }
            try await rest.succeed(
                "POST", "/api/chat/edit", by: user, "{\(fields)\(seqs[0])," + #""clientId":"e","content":{"text":"1"}}"#
            )
            try await rest.succeed("POST", "/api/chat/recall", by: user, "{\(fields)\(seqs[1])}")
            try await rest.succeed("POST", "/api/chat/react", by: friend, "{\(fields)\(seqs[2])," + #""emoji":"👍"}"#)
        }
        let paths = [
            "/api/chat/conversations?limit=1", "/api/chat/messages?conversationId=g:\(group)&limit=2",
            "/api/chat/messages?conversationId=\(user.direct(friend))",
            "/api/chat/messages?conversationId=\(user.inbox)",
            "/api/chat/cursors?conversationId=g:\(group)", "/api/friend/list?limit=1", "/api/group/list",
            "/api/group/\(group)/members?limit=1",
        ]
        for path in paths {
            let answer = try await rest.call("GET", path, token: user.token)
            #expect(answer.status == 200 && answer.data?["items"]?.array?.isEmpty == false, "\(path): \(answer.text)")
            let template = path.prefix { $0 != "?" }.replacing("/\(group)", with: "/{id}")
            contract.check("GET \(template)", status: answer.status, body: answer.body)
        }
    }

    // MARK: The written protocol

    /// Lines of `docs/protocol.md` that begin with a cell, by that cell.
    private static func cells() throws -> [Substring] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
        return text.split(separator: "\n").filter { $0.hasPrefix("| ") }.compactMap { $0.split(separator: "|").first }
    }

    @Test("The operations of the protocol's page are those of the server")
    func protocolOperations() async throws {
        let written = try Self.cells().map { $0.trimmingCharacters(in: .whitespaces) }.filter { $0.contains(" /api/") }
        let served = try await Contract.current().surface.operations.map(\.name)
        #expect(Set(written) == Set(served))
        for name in served {
            let parts = name.split(separator: " ").map(String.init)
            let path = parts[1].replacing("{id}", with: "1")
            let answer = try await TestServer.rest.call(parts[0], path)
            #expect(answer.reason != "not_found" && answer.reason != "method_not_allowed", "\(name)")
        }
    }

    @Test("The commands of the protocol's page have rows in the table")
    func protocolCommands() throws {
        let names = try Self.cells().flatMap { $0.split(separator: ",") }
            .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        for command in WireAccessTable.commands { #expect(names.contains(command), "\(command)") }
    }

    // MARK: Tokens

    @Test("Forged tokens are none, over REST and WebSocket")
    func forgeries() async throws {
        let user = try await TestServer.user()
        let parts = user.token.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let none = Data(#"{"alg":"none","typ":"JWT"}"#.utf8).base64EncodedString().filter { $0 != "=" }
        var forged = [
            "\(none).\(parts[1]).", "\(none).\(parts[1]).\(parts[2])", "\(parts[0]).\(parts[1]).",
            "\(parts[0]).\(parts[1])",
            parts[1], user.refresh, user.token + "x", user.token + ".", String(user.token.dropLast(4)), "..", "null",
            "\(parts[0]).\(Self.promoted(parts[1])).\(parts[2])", String(repeating: "a", count: 4000),
        ]
        forged.append(parts.reversed().joined(separator: "."))
        for token in forged {
            let answer = try await TestServer.rest.call("GET", "/api/user/profile", token: token)
            #expect(answer.status == 401 && answer.reason == "invalid_token", "\(token): \(answer.text)")
            let socket = try await WireClient.connect(port: TestServer.current.port)
            let login = try await socket.request("login", #"{"token":"\#(token)"}"#)
            #expect(login.code == 401 && login.reason == "invalid_token", "\(token)")
        }
        for header in ["Bearer", "Bearer  ", "Basic \(user.token)", user.token, "Bearer \(user.token) x"] {
            let answer = try await TestServer.rest.call(
                "GET", "/api/user/profile", headers: [("Authorization", header)])
            #expect(answer.status == 401, "\(header)")
        }
        let inQuery = try await TestServer.rest.call(
            "GET", "/api/user/profile?token=\(user.token)&access_token=\(user.token)")
        #expect(inQuery.reason == "not_signed_in")
    }

    /// The same claims but for the role.
    private static func promoted(_ part: String) -> String {
        let padded = part.replacing("-", with: "+").replacing("_", with: "/")
        let full = padded + String(repeating: "=", count: (4 - padded.count % 4) % 4)
        let claims = String(decoding: Data(base64Encoded: full) ?? Data(), as: UTF8.self)
        let changed = claims.replacing(#""role":"user""#, with: #""role":"admin""#)
        return Data(changed.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").filter {
            $0 != "="
        }
    }

    @Test("A connection whose logins are refused is closed after some")
    func refusedLogins() async throws {
        let socket = try await WireClient.connect(port: TestServer.current.port)
        for _ in 0..<5 { socket.post("login", #"{"token":"none"}"#) }
        #expect(try await socket.waitClosed() == 4104)
    }
}
