import EndToEndSupport
import Testing

/// What ends a sign-in reaches live sessions at once.
@Suite(.server())
struct RevocationTests {
    private let rest = TestServer.rest

    /// An administrator, made by the command line.
    private func administrator() async throws -> TestUser {
        let user = try await TestServer.user("admin")
        let changed = try await command("user", "role", user.name, "admin")
        #expect(changed.status == 0, "\(changed.error)")
        return try await signIn(rest, user.name)
    }

    private func command(_ arguments: String..., input: String? = nil) async throws -> (
        status: Int32, output: String, error: String
    ) {
        try await ServerProcess.run(arguments + ["--data", TestServer.current.data], input: input)
    }

    @Test func `A logout ends the sessions of that sign-in and no others`() async throws {
        let ada = try await TestServer.user("ada")
        let elsewhere = try await signIn(rest, ada.name)
        let (one, two) = (try await TestServer.connect(ada), try await TestServer.connect(ada))
        let other = try await TestServer.connect(elsewhere)
        try await rest.succeed("POST", "/api/auth/logout", by: ada, "{}")
        #expect(try await one.waitClosed() == 4100)
        #expect(try await two.waitClosed() == 4100)
        try await other.settle()
        #expect(try await rest.call("GET", "/api/user/profile", token: ada.token).status == 401)
        let late = try await WireClient.connect(port: TestServer.current.port)
        #expect(try await late.request("login", WireClient.loginData(ada.token)).reason == "invalid_token")
    }

    @Test func `A logout everywhere ends all sessions`() async throws {
        let ada = try await TestServer.user("ada")
        let elsewhere = try await signIn(rest, ada.name)
        let (one, two) = (try await TestServer.connect(ada), try await TestServer.connect(elsewhere))
        try await rest.succeed("POST", "/api/auth/logout", by: ada, #"{"all":true}"#)
        #expect([4100, 4103].contains(try await one.waitClosed()))
        #expect(try await two.waitClosed() == 4103)
    }

    @Test func `A new password ends every other sign-in`() async throws {
        let ada = try await TestServer.user("ada")
        let elsewhere = try await signIn(rest, ada.name)
        let other = try await TestServer.connect(elsewhere)
        try await rest.succeed(
            "PUT", "/api/user/password", by: ada,
            #"{"oldPassword":"\#(testPassword)","newPassword":"another horse 8"}"#)
        #expect(try await other.waitClosed() == 4103)
        #expect(try await rest.call("GET", "/api/user/profile", token: elsewhere.token).status == 401)
        _ = try await signIn(rest, ada.name, password: "another horse 8")
    }

    @Test func `A refresh token that is used twice ends its sessions`() async throws {
        let ada = try await TestServer.user("ada")
        let session = try await TestServer.connect(ada)
        try await rest.succeed("POST", "/api/auth/refresh", #"{"refreshToken":"\#(ada.refresh)"}"#)
        let again = try await rest.call("POST", "/api/auth/refresh", json: #"{"refreshToken":"\#(ada.refresh)"}"#)
        #expect(again.status == 401)
        #expect(again.reason == "token_reused")
        #expect(try await session.waitClosed() == 4100)
    }

    @Test func `A ban by an administrator ends all sessions, and lasts until it is lifted`() async throws {
        let admin = try await administrator()
        let ada = try await TestServer.user("ada")
        let session = try await TestServer.connect(ada)
        try await rest.succeed("POST", "/api/user/ban", by: admin, #"{"userId":\#(ada.id)}"#)
        #expect(try await session.waitClosed() == 4101)
        let refused = try await rest.call(
            "POST", "/api/user/login", json: #"{"username":"\#(ada.name)","password":"\#(testPassword)"}"#)
        #expect(refused.status == 403)
        #expect(refused.reason == "banned")
        try await rest.succeed("POST", "/api/user/unban", by: admin, #"{"userId":\#(ada.id)}"#)
        _ = try await TestServer.connect(try await signIn(rest, ada.name))
    }

    @Test func `A ban from the command line reaches a running server`() async throws {
        let ada = try await TestServer.user("ada")
        let session = try await TestServer.connect(ada)
        let banned = try await command("user", "ban", ada.name)
        #expect(banned.status == 0, "\(banned.error)")
        #expect(try await session.waitClosed() == 4101)
        #expect(try await rest.call("GET", "/api/user/profile", token: ada.token).status == 401)
    }

    /// The same user by a token that belongs to no sign-in.
    private func bot(_ name: String) async throws -> TestUser {
        let line = try await command("token", "--user", name).output.split(whereSeparator: \.isWhitespace)
        let id = try #require(line.first.flatMap { Int64($0) })
        return TestUser(id: id, name: name, token: String(try #require(line.last)), refresh: "")
    }

    @Test func `A new password ends sessions of no sign-in, and not the one that changed it`() async throws {
        let ada = try await TestServer.user("ada")
        let bot = try await bot(ada.name)
        let own = try await TestServer.connect(ada)
        let session = try await TestServer.connect(bot, device: "bot")
        try await rest.succeed(
            "PUT", "/api/user/password", by: ada,
            #"{"oldPassword":"\#(testPassword)","newPassword":"another horse 8"}"#)
        #expect(try await session.waitClosed() == 4103)
        #expect(try await rest.call("GET", "/api/user/profile", token: bot.token).status == 401)
        try await own.settle()
        #expect(try await rest.call("GET", "/api/user/profile", token: ada.token).status == 200)
    }

    @Test func `A ban ends sessions with an operator's token as well`() async throws {
        let made = try await command("user", "create", "bot-\(randomClientID())", "--token-only", "--json")
        #expect(made.status == 0, "\(made.error)")
        let name = try #require(made.output.split(separator: "\"").first { $0.hasPrefix("bot-") }.map(String.init))
        let bot = try await bot(name)
        let session = try await TestServer.connect(bot, device: "bot")
        let banned = try await command("user", "ban", name)
        #expect(banned.status == 0, "\(banned.error)")
        #expect(try await session.waitClosed() == 4101)
        let late = try await WireClient.connect(port: TestServer.current.port)
        #expect(try await late.request("login", WireClient.loginData(bot.token)).code != 200)
        #expect(try await rest.call("GET", "/api/user/profile", token: bot.token).status != 200)
    }

    @Test func `A password from the command line ends all sessions`() async throws {
        let ada = try await TestServer.user("ada")
        let session = try await TestServer.connect(ada)
        let changed = try await command("user", "password", ada.name, "--password-stdin", input: "a third horse 9\n")
        #expect(changed.status == 0, "\(changed.error)")
        #expect(try await session.waitClosed() == 4103)
        _ = try await signIn(rest, ada.name, password: "a third horse 9")
    }
}
