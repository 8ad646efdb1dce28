import EndToEndSupport
import MartletCore

/// Who may do what over REST. A new operation needs a line here: a test compares the table with `/openapi.json`.
enum RestAccessTable {
    static let rows = signIns + accounts + friends + messages + conversations + groups + groupMembers + joining + rooms

    private static let account = Outcomes.signedIn(.ok)
    /// About a user of the app, who does not exist for the other one.
    private static let aboutUser = Outcomes.signedIn(.ok, [.foreigner: .no(.unknownUser)])

    private static func user(_ user: TestUser) -> AccessRow.Call { .json(#""userId":\#(user.id)"#) }
    private static func query(_ user: TestUser) -> AccessRow.Call { .query("userId=\(user.id)") }

    // MARK: Accounts

    private static let signIns: [AccessRow] = [
        AccessRow("POST /api/user/register", "a name that is taken", .anyone(.no(.usernameTaken))) { world, _ in
            .json(#""username":"\#(world.user(.member).name)","password":"\#(testPassword)""#)
        },
        AccessRow("POST /api/user/register", "an app that is none", .anyone(.no(.invalidField))) { _, _ in
            .json(#""username":"somebody","password":"\#(testPassword)","appId":3"#)
        },
        AccessRow("POST /api/user/login", "a wrong password", .anyone(.no(.wrongCredentials))) { world, _ in
            .json(#""username":"\#(world.user(.member).name)","password":"not this one""#)
        },
        AccessRow("POST /api/user/login", "nobody", .anyone(.no(.wrongCredentials))) { _, _ in
            .json(#""username":"nobody","password":"\#(testPassword)""#)
        },
        AccessRow("POST /api/user/login", "a user of the app in the other one", .anyone(.no(.wrongCredentials))) {
            world, _ in
            .json(#""username":"\#(world.user(.member).name)","password":"\#(testPassword)","appId":2"#)
        },
        AccessRow("POST /api/user/login", "somebody who is banned", .anyone(.no(.banned))) { world, _ in
            .json(#""username":"\#(world.user(.banned).name)","password":"\#(testPassword)""#)
        },
        AccessRow("POST /api/auth/token", "somebody who is banned", .anyone(.no(.banned))) { world, _ in
            .json(#""username":"\#(world.user(.banned).name)","password":"\#(testPassword)""#)
        },
        AccessRow("POST /api/auth/refresh", "a token that is none", .anyone(.no(.invalidToken))) { _, _ in
            .json(#""refreshToken":"\#(String(repeating: "0", count: 64))""#)
        },
        AccessRow("POST /api/auth/refresh", "an access token", .anyone(.no(.invalidField))) { world, _ in
            .json(#""refreshToken":"\#(String(repeating: "0", count: 257))""#)
        },
        AccessRow("POST /api/auth/verify", "somebody's token", .anyone(.ok)) { world, _ in
            .json(#""token":"\#(world.user(.member).token)""#)
        },
        AccessRow("POST /api/auth/verify", "a token that is none", .anyone(.ok)) { _, _ in .json(#""token":"x""#) },
        AccessRow("POST /api/auth/logout", "their own", account) { world, asker in
            AccessRow.Call(json: "{}", token: world.spares[asker].flatMap { account[asker] == .ok ? $0.token : nil })
        },
    ]

    private static let accounts: [AccessRow] = [
        AccessRow("GET /api/user/profile", "their own", account),
        AccessRow("GET /api/user/profile", "a user", aboutUser) { world, _ in query(world.user(.member)) },
        AccessRow("GET /api/user/profile", "a user by name", aboutUser) { world, _ in
            .query("username=\(world.user(.member).name)")
        },
        AccessRow(
            "GET /api/user/profile", "a user of the other app", .signedIn(.no(.unknownUser), [.foreigner: .ok])
        ) { world, _ in query(world.user(.foreigner)) },
        AccessRow("PUT /api/user/profile", "their own", account) { _, _ in .json("") },
        AccessRow("PUT /api/user/password", "a wrong one", .signedIn(.no(.wrongCredentials))) { _, _ in
            .json(#""oldPassword":"not this one","newPassword":"\#(testPassword)""#)
        },
        AccessRow("POST /api/user/ban", "a user", .signedIn(.no(.notAllowed), [.administrator: .ok])) { world, _ in
            user(world.victim)
        },
        AccessRow(
            "POST /api/user/ban", "a user of the other app",
            .signedIn(.no(.notAllowed), [.administrator: .no(.unknownUser)])
        ) { world, _ in user(world.user(.foreigner)) },
        AccessRow("POST /api/user/ban", "an administrator", .signedIn(.no(.notAllowed))) { world, _ in
            user(world.user(.administrator))
        },
        AccessRow("POST /api/user/unban", "a user", .signedIn(.no(.notAllowed), [.administrator: .ok])) { world, _ in
            user(world.victim)
        },
        AccessRow(
            "POST /api/user/unban", "a user of the other app",
            .signedIn(.no(.notAllowed), [.administrator: .no(.unknownUser)])
        ) { world, _ in user(world.user(.foreigner)) },
    ]

    // MARK: Friends

    private static let friends: [AccessRow] = [
        AccessRow("POST /api/friend/request", "a user", aboutUser) { world, _ in user(world.newcomer) },
        AccessRow("POST /api/friend/request", "a user by name", aboutUser) { world, _ in
            .json(#""username":"\#(world.newcomer.name)""#)
        },
        AccessRow(
            "POST /api/friend/request", "one who blocked them",
            .signedIn(.no(.blocked), [.foreigner: .no(.unknownUser)])
        ) { world, _ in user(world.blocker) },
        AccessRow("GET /api/friend/requests", account),
        AccessRow("PUT /api/friend/request", "to the member", .signedIn(.no(.unknownRequest), [.member: .ok])) {
            world, _ in
            .json(#""requestId":\#(world.friendRequest),"action":"reject""#)
        },
        AccessRow("GET /api/friend/list", account),
        AccessRow("PUT /api/friend/remark", "the member's friend", .signedIn(.no(.unknownUser), [.member: .ok])) {
            world, _ in
            .json(#""userId":\#(world.friend.id),"remark":"Friend""#)
        },
        AccessRow("DELETE /api/friend", "the member's friend", .signedIn(.no(.unknownUser), [.member: .ok])) {
            world, _ in
            query(world.formerFriend)
        },
        AccessRow("POST /api/friend/block", "a user", aboutUser) { world, _ in user(world.victim) },
        AccessRow("DELETE /api/friend/block", "a user", account) { world, _ in query(world.victim) },
        AccessRow("GET /api/friend/block", account),
    ]

    // MARK: Chat

    private static let messages: [AccessRow] =
        AccessRow.places("POST /api/chat/send", .write) { _, _ in messageFields() }
        + AccessRow.places("POST /api/chat/edit", .write, allowed: .no(.unknownMessage)) { _, _ in
            #""target":1000000,"clientId":"\#(randomClientID())","content":{"text":"x"}"#
        }
        + AccessRow.places(
            "POST /api/chat/recall", .read, allowed: .no(.unknownMessage)
        ) { _, _ in #""target":1000000"# }
        + AccessRow.places("POST /api/chat/react", .write, allowed: .no(.unknownMessage)) { _, _ in
            #""target":1000000,"emoji":"x""#
        }
        + [
            AccessRow("POST /api/chat/send", "to a user", aboutUser) { world, _ in
                .json(#""to":\#(world.newcomer.id),\#(messageFields())"#)
            },
            AccessRow("POST /api/chat/send", "to nobody", .signedIn(.no(.unknownUser))) { _, _ in
                .json(#""to":999999,\#(messageFields())"#)
            },
            AccessRow(
                "POST /api/chat/send", "to one who blocked them",
                .signedIn(.no(.blocked), [.foreigner: .no(.unknownUser)])
            ) { world, _ in .json(#""to":\#(world.blocker.id),\#(messageFields())"#) },
            AccessRow(
                "POST /api/chat/send", "to one who takes no strangers",
                .signedIn(.no(.strangersRefused), [.foreigner: .no(.unknownUser)])
            ) { world, _ in .json(#""to":\#(world.recluse.id),\#(messageFields())"#) },
            AccessRow(
                "POST /api/chat/edit", "the member's message",
                .inGroup(
                    member: .ok, admin: .no(.notAllowed), owner: .no(.notAllowed), foreigner: .no(.unknownConversation))
            ) { world, _ in
                .json(
                    #""conversationId":"\#(world.place(.group))","target":\#(world.texts[.member] ?? 0),"#
                        + #""clientId":"\#(randomClientID())","content":{"text":"hello again"}"#)
            },
            AccessRow(
                "POST /api/chat/recall", "the owner's message",
                .inGroup(
                    member: .no(.notAllowed), admin: .no(.notAllowed), owner: .ok, foreigner: .no(.unknownConversation))
            ) { world, _ in
                .json(#""conversationId":"\#(world.place(.group))","target":\#(world.texts[.owner] ?? 0)"#)
            },
            AccessRow(
                "POST /api/chat/react", "a message", .inGroup(member: .ok, foreigner: .no(.unknownConversation))
            ) { world, _ in
                .json(
                    #""conversationId":"\#(world.place(.group))","target":\#(world.texts[.groupAdmin] ?? 0),"emoji":"👍""#
                )
            },
        ]

    private static let conversations: [AccessRow] =
        AccessRow.places("GET /api/chat/messages", .read, asQuery: true) { _, _ in "" }
        + AccessRow.places("PUT /api/chat/read", .follow) { _, _ in #""seq":1"# }
        + AccessRow.places("PUT /api/chat/ack", .follow) { _, _ in #""seq":1"# }
        + AccessRow.places(
            "PUT /api/chat/conversation", .follow, special: [.inbox: [.member: .no(.notAllowed)]]
        ) { _, _ in #""pinned":false"# }
        + AccessRow.places("GET /api/chat/cursors", .read, asQuery: true) { _, _ in "" }
        + [AccessRow("GET /api/chat/conversations", account)]

    // MARK: Groups

    private static func group(_ id: Int64, _ more: String = "") -> AccessRow.Call {
        .json(#""groupId":\#(id)"# + (more.isEmpty ? "" : ",\(more)"))
    }

    private static let leaders = Outcomes.inGroup(member: .no(.notAllowed), admin: .ok)
    private static let ownerOnly = Outcomes.inGroup(member: .no(.notAllowed), admin: .no(.notAllowed), owner: .ok)

    private static let groups: [AccessRow] = [
        AccessRow("POST /api/group/create", "with a user", aboutUser) { world, _ in
            .json(#""name":"Swifts","members":[\#(world.newcomer.id)]"#)
        },
        AccessRow("GET /api/group/list", account),
        AccessRow("GET /api/group/{id}", .signedIn(.ok, [.foreigner: .no(.unknownGroup)])) { world, _ in
            .id(world.group)
        },
        AccessRow("PUT /api/group/{id}", leaders) { world, _ in .id(world.group, json: #""description":"About""#) },
        AccessRow("DELETE /api/group/{id}", ownerOnly) { world, _ in .id(world.dissolving) },
        AccessRow("GET /api/group/{id}/members", .inGroup(member: .ok)) { world, _ in .id(world.group) },
        AccessRow("PUT /api/group/transfer", ownerOnly) { world, _ in
            group(world.transferring, #""userId":\#(world.user(.groupAdmin).id)"#)
        },
        AccessRow("PUT /api/group/mute", "everybody", leaders) { world, _ in group(world.closed, #""until":0"#) },
    ]

    private static let groupMembers: [AccessRow] = [
        AccessRow(
            "POST /api/group/leave", .inGroup(member: .ok, owner: .no(.ownerMustTransfer))
        ) { world, _ in group(world.leaving) },
        AccessRow("POST /api/group/kick", "a member", leaders) { world, asker in
            group(world.group, #""userIds":[\#((world.kickable[asker] ?? world.other).id)]"#)
        },
        AccessRow("POST /api/group/kick", "the owner", .inGroup(member: .no(.notAllowed))) { world, _ in
            group(world.group, #""userIds":[\#(world.user(.owner).id)]"#)
        },
        AccessRow("POST /api/group/kick", "no member", .inGroup(member: .no(.notAllowed), admin: .no(.unknownUser))) {
            world, _ in
            group(world.group, #""userIds":[\#(world.newcomer.id)]"#)
        },
        AccessRow("PUT /api/group/role", "a member", ownerOnly) { world, _ in
            group(world.group, #""userId":\#(world.other.id),"role":"member""#)
        },
        AccessRow("PUT /api/group/mute", "a member", leaders) { world, _ in
            group(world.group, #""userId":\#(world.other.id),"until":0"#)
        },
        AccessRow("PUT /api/group/mute", "the admin", ownerOnly) { world, _ in
            group(world.group, #""userId":\#(world.user(.groupAdmin).id),"until":0"#)
        },
        AccessRow("PUT /api/group/mute", "the owner", .inGroup(member: .no(.notAllowed))) { world, _ in
            group(world.group, #""userId":\#(world.user(.owner).id),"until":0"#)
        },
    ]

    private static let joining: [AccessRow] = [
        AccessRow(
            "POST /api/group/join", "by approval", .inGroup(member: .no(.alreadyMember), outsider: .ok)
        ) { world, _ in group(world.group) },
        AccessRow(
            "POST /api/group/join", "a closed one", .inGroup(member: .no(.alreadyMember), outsider: .no(.groupClosed))
        ) { world, _ in group(world.closed) },
        AccessRow("GET /api/group/requests", leaders) { world, _ in .query("groupId=\(world.group)") },
        AccessRow(
            "PUT /api/group/request",
            .inGroup(
                member: .no(.notAllowed), admin: .ok, outsider: .no(.unknownRequest), foreigner: .no(.unknownRequest))
        ) { world, asker in
            let request = world.applications[asker] ?? world.applications[.owner] ?? 0
            return .json(#""requestId":\#(request),"action":"reject""#)
        },
        AccessRow(
            "POST /api/group/invite", "a user",
            .inGroup(member: .no(.notAllowed), admin: .ok, foreigner: .no(.unknownUser))
        ) { world, _ in group(world.closed, #""userIds":[\#(world.newcomer.id)]"#) },
        AccessRow("POST /api/group/invite", "themselves", leaders) { world, asker in
            group(world.closed, #""userIds":[\#(world.users[asker]?.id ?? 1)]"#)
        },
        AccessRow("GET /api/group/invitations", account),
        AccessRow(
            "PUT /api/group/invitation", "without one",
            .signedIn(.no(.unknownRequest), [.foreigner: .no(.unknownGroup)])
        ) { world, _ in group(world.closed, #""action":"accept""#) },
    ]

    // MARK: Rooms

    private static let rooms: [AccessRow] =
        AccessRow.places(
            "GET /api/room/members", .read,
            special: [
                .group: .signedIn(.no(.notARoom)), .direct: .signedIn(.no(.notARoom)),
                .inbox: .signedIn(.no(.notARoom)), .dissolved: .signedIn(.no(.notARoom)),
                .acrossApps: .signedIn(.no(.notARoom)),
            ], asQuery: true
        ) { _, _ in "" }
        + [AccessRow("GET /api/room/list", account), AccessRow("GET /api/route", .anyone(.ok))]
}
