import EndToEndSupport
import MartletWire

/// The server did not take what the tables need.
struct NoWorld: Error { let what: String }

/// Makes a `World` over the API, as people would.
struct WorldBuilder {
    let server: ServerProcess
    let rest: RestClient

    func build() async throws -> World {
        let users = try await makeUsers()
        guard let owner = users[.owner], let admin = users[.groupAdmin], let member = users[.member],
            let foreigner = users[.foreigner]
        else { throw NoWorld(what: "somebody is missing") }
        let names = ["newcomer", "victim", "friend", "former", "blocker", "recluse", "other", "kicked-1", "kicked-2"]
        let extras = try await register(names)
        let (other, kicked) = (extras[6], extras[7...8].map { $0 })

        let group = try await makeGroup("main", owner, admin, [member, other] + kicked)
        let gone = try await makeGroup("gone", owner, admin, [member])
        try await rest.succeed("DELETE", "/api/group/\(gone)", by: owner)
        for friend in extras[2...3] { try await rest.befriend(member, friend) }
        for user in users.values where user.id != foreigner.id {
            try await rest.succeed("POST", "/api/friend/block", by: extras[4], #"{"userId":\#(user.id)}"#)
        }
        try await rest.succeed("PUT", "/api/user/profile", by: extras[5], #"{"strangers":"deny"}"#)

        var texts: [Asker: Int64] = [:]
        for (asker, author) in [(Asker.owner, owner), (.groupAdmin, admin), (.member, member)] {
            texts[asker] = try await say("hello", in: "g:\(group)", by: author)
        }
        _ = try await say("hello", in: member.direct(owner), by: owner)
        var applications: [Asker: Int64] = [:]
        applications[.groupAdmin] = try await apply(extras[2], to: group, seenBy: owner)
        applications[.owner] = try await apply(extras[3], to: group, seenBy: owner)
        let request = try await rest.succeed("POST", "/api/friend/request", by: other, #"{"userId":\#(member.id)}"#)

        let spares = try await signInAgain(users)
        // Revoked and banned only now: until here they were somebody.
        if let revoked = users[.revoked] { try await rest.succeed("POST", "/api/auth/logout", by: revoked, "{}") }
        if let banned = users[.banned], let administrator = users[.administrator] {
            try await rest.succeed("POST", "/api/user/ban", by: administrator, #"{"userId":\#(banned.id)}"#)
        }
        let sockets = try await connect(users)
        try await sockets[.member]?.succeed("enter", #"{"conversationId":"r:1:lobby"}"#)

        return World(
            rest: rest, users: users, spares: spares, sockets: sockets,
            places: [
                .group: "g:\(group)", .direct: member.direct(owner), .inbox: member.inbox, .room: "r:1:lobby",
                .otherRoom: "r:2", .dissolved: "g:\(gone)", .acrossApps: member.direct(foreigner),
            ],
            newcomer: extras[0], victim: extras[1], friend: extras[2], formerFriend: extras[3], blocker: extras[4],
            recluse: extras[5], other: other, group: group,
            closed: try await makeGroup("closed", owner, admin, [member], join: "closed"),
            leaving: try await makeGroup("leaving", owner, admin, [member]),
            transferring: try await makeGroup("transferring", owner, admin, [member]),
            dissolving: try await makeGroup("dissolving", owner, admin, [member]),
            friendRequest: request["requestId"]?.integer ?? 0, applications: applications,
            kickable: [.groupAdmin: kicked[0], .owner: kicked[1]], texts: texts)
    }

    // MARK: People

    private func makeUsers() async throws -> [Asker: TestUser] {
        let askers: [Asker] = [.stranger, .banned, .revoked, .member, .groupAdmin, .owner]
        var users: [Asker: TestUser] = [:]
        for (asker, user) in zip(askers, try await register(askers.map { $0.rawValue.lowercased() })) {
            users[asker] = user
        }
        users[.foreigner] = try await makeForeigner()
        users[.administrator] = try await makeAdministrator()
        return users
    }

    private func register(_ names: [String]) async throws -> [TestUser] {
        var users: [TestUser] = []
        for name in names { users.append(try await EndToEndSupport.register(rest, name)) }
        return users
    }

    /// Of the other app, with a name that somebody here has as well.
    private func makeForeigner() async throws -> TestUser {
        let data = try await rest.succeed(
            "POST", "/api/user/register", #"{"username":"foreigner","password":"\#(testPassword)","appId":2}"#)
        return TestUser(
            id: data["userId"]?.integer ?? 0, name: "foreigner", token: data["accessToken"]?.string ?? "",
            refresh: data["refreshToken"]?.string ?? "")
    }

    private func makeAdministrator() async throws -> TestUser {
        let made = try await ServerProcess.run(
            ["user", "create", "boss", "--role", "admin", "--password-stdin", "--data", server.data],
            input: testPassword + "\n")
        guard made.status == 0 else { throw NoWorld(what: made.error) }
        return try await signIn(rest, "boss")
    }

    private func signInAgain(_ users: [Asker: TestUser]) async throws -> [Asker: TestUser] {
        var spares: [Asker: TestUser] = [:]
        for (asker, user) in users where asker != .foreigner { spares[asker] = try await signIn(rest, user.name) }
        let json = #"{"username":"foreigner","password":"\#(testPassword)","appId":2}"#
        let data = try await rest.succeed("POST", "/api/user/login", json)
        spares[.foreigner] = TestUser(
            id: data["userId"]?.integer ?? 0, name: "foreigner", token: data["accessToken"]?.string ?? "",
            refresh: data["refreshToken"]?.string ?? "")
        return spares
    }

    /// A session of each who may have one, and a connection without one of the others.
    private func connect(_ users: [Asker: TestUser]) async throws -> [Asker: WireClient] {
        var sockets: [Asker: WireClient] = [:]
        for asker in Asker.allCases {
            let socket = try await WireClient.connect(port: rest.port)
            if Asker.accounts.contains(asker), let user = users[asker] { try await socket.login(user) }
            if asker == .guest { try await socket.succeed("login", #"{"guest":"Somebody"}"#) }
            sockets[asker] = socket
        }
        return sockets
    }

    // MARK: Places

    /// A group of the owner, an admin and plain members.
    private func makeGroup(
        _ name: String, _ owner: TestUser, _ admin: TestUser, _ members: [TestUser], join: String = "approval"
    ) async throws -> Int64 {
        let id = try await rest.group(name, of: [owner, admin] + members)
        try await rest.succeed("PUT", "/api/group/\(id)", by: owner, #"{"join":"\#(join)"}"#)
        try await rest.succeed(
            "PUT", "/api/group/role", by: owner, #"{"groupId":\#(id),"userId":\#(admin.id),"role":"admin"}"#)
        return id
    }

    private func say(_ text: String, in conversation: String, by user: TestUser) async throws -> Int64 {
        let sent = try await rest.succeed("POST", "/api/chat/send", by: user, textMessage(text, in: conversation))
        return sent["seq"]?.integer ?? 0
    }

    /// Asks to be let in; returns the request's number.
    private func apply(_ user: TestUser, to group: Int64, seenBy owner: TestUser) async throws -> Int64 {
        try await rest.succeed("POST", "/api/group/join", by: user, #"{"groupId":\#(group)}"#)
        let list = try await rest.succeed("GET", "/api/group/requests?groupId=\(group)", by: owner)
        let items = list["items"]?.array ?? []
        return items.first { $0["userId"]?.integer == user.id }?["requestId"]?.integer ?? 0
    }
}
