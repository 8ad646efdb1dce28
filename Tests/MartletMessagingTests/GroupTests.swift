import MartletBus
import MartletCore
import MartletSQL
import MartletTestServices
import MartletWire
import Testing

@testable import MartletMessaging

@Suite("Groups", .everyEngine)
struct GroupTests {
    private let village: Village
    private let owner: Caller
    private let admin: Caller
    private let member: Caller
    private let outsider: Caller
    private let group: GroupID
    private var conversation: ConversationID { .group(group) }

    init() async throws {
        village = try await Village()
        owner = try await village.person("Owner")
        admin = try await village.person("Admin")
        member = try await village.person("Member")
        outsider = try await village.person("Outsider")
        group = try await village.group(of: owner, admin, member)
        try await village.groups.setRole(owner, group, admin.user, .admin)
        _ = village.broker.heard()
    }

    private func refusals(_ body: (Caller) async throws(Fault) -> Void) async -> [Fault.Reason?] {
        var reasons: [Fault.Reason?] = []
        for caller in [outsider, member, admin, owner] {
            reasons.append(await reason { () throws(Fault) in try await body(caller) })
        }
        return reasons
    }

    // MARK: Making, changing and ending

    @Test("Creating tells the group once and each member in their inbox")
    func create() async throws {
        let made = try await village.groups.create(
            owner, name: "Two", description: "d", members: [member.user, outsider.user], joinMode: .open)
        let name = ConversationID.group(made).text
        #expect(
            try await village.events(.group(made)) == [
                """
                membership {"action":"create","userIds":[\(owner.user.value),\(member.user.value)],\
                "names":["Owner","Member"],"by":\(owner.user.value),"byName":"Owner"}
                """
            ])
        #expect(
            try await village.inbox(member).last == """
                group_joined {"groupId":\(made.value),"conversationId":"\(name)","name":"Two","fromSeq":1}
                """)
        #expect(
            try await village.inbox(outsider) == [
                """
                group_invitation {"groupId":\(made.value),"name":"Two","by":\(owner.user.value),"byName":"Owner"}
                """
            ])
        let details = try await village.groups.get(owner, made)
        #expect(details.members == 2 && details.role == .owner && details.group.joinMode == .open)
    }

    @Test("Who is not there, is of another app, or is a guest can't be brought in")
    func strangeMembers() async throws {
        let foreigner = try await village.person("Foreigner", app: Village.otherApp)
        let guest = try await village.person("Guest", role: .guest)
        func make(_ user: UserID) async -> Fault.Reason? {
            await reason { () throws(Fault) in
                _ = try await village.groups.create(owner, name: "x", members: [user])
            }
        }
        #expect(await make(foreigner.user) == .unknownUser)
        #expect(await make(UserID(unchecked: 999)) == .unknownUser)
        #expect(await make(guest.user) == .guestsRefused)
        #expect(
            await reason { () throws(Fault) in _ = try await village.groups.create(guest, name: "x") } == .guestsRefused
        )
    }

    @Test("Owner and admins edit; what changed is announced, what did not is not")
    func edit() async throws {
        let refusals = await refusals { caller throws(Fault) in
            _ = try await village.groups.edit(caller, group, GroupChange(name: "By \(caller.name)"))
        }
        #expect(refusals == [.notAMember, .notAllowed, nil, nil])
        #expect(
            try await village.events(conversation).last == """
                group {"name":"By Owner","by":\(owner.user.value),"byName":"Owner"}
                """)
        let count = try await village.events(conversation).count
        let details = try await village.groups.edit(owner, group, GroupChange(name: "By Owner"))
        #expect(details.group.name == "By Owner")
        #expect(try await village.events(conversation).count == count)
    }

    @Test("Strangers see a group of their app without its announcement, other apps nothing")
    func get() async throws {
        _ = try await village.groups.edit(owner, group, GroupChange(announcement: "Tea at five"))
        #expect(try await village.groups.get(member, group).group.announcement == "Tea at five")
        let seen = try await village.groups.get(outsider, group)
        #expect(seen.group.announcement == "" && seen.role == nil && seen.myMutedUntil == nil)
        let foreigner = try await village.person("Foreigner", app: Village.otherApp)
        #expect(
            await reason { () throws(Fault) in _ = try await village.groups.get(foreigner, group) } == .unknownGroup)
        #expect(
            await reason { () throws(Fault) in
                try await village.access.require(.read, foreigner, conversation)
            } == .unknownConversation)
    }

    @Test("Only the owner dissolves; then nobody is in it and nobody finds it")
    func dissolve() async throws {
        let refusals = await refusals { caller throws(Fault) in try await village.groups.dissolve(caller, group) }
        #expect(refusals == [.notAMember, .notAllowed, .notAllowed, nil])
        #expect(
            try await village.events(conversation).last == """
                group {"dissolved":true,"by":\(owner.user.value),"byName":"Owner"}
                """)
        for caller in [owner, admin, member] {
            #expect(
                try await village.inbox(caller).last == """
                    group_left {"groupId":\(group.value),"conversationId":"\(conversation.text)","reason":"dissolved"}
                    """)
            #expect(try await village.groups.groupsOf(caller.user).isEmpty)
        }
        #expect(
            await reason { () throws(Fault) in _ = try await village.groups.get(owner, group) } == .unknownGroup)
        #expect(
            await reason { () throws(Fault) in try await village.say("x", owner, in: conversation) }
                == .unknownConversation)
        #expect(village.broker.heard() == ["rights \(conversation.text) all"])
    }

    @Test("A user's groups, page by page, with role and members")
    func list() async throws {
        let second = try await village.group(of: member)
        let first = try await village.groups.list(member, limit: 1, cursor: nil)
        #expect(first.items.map(\.group) == [group] && first.items.map(\.members) == [3])
        let rest = try await village.groups.list(member, limit: 1, cursor: first.nextCursor)
        #expect(rest.items.map(\.group) == [second] && rest.items.map(\.role) == [.owner])
        #expect(rest.nextCursor == nil)
        #expect(try await Set(village.groups.groupsOf(member.user)) == [.group(group), .group(second)])
    }

    @Test("Members with their roles and whether they are online; for members")
    func members() async throws {
        village.presence.opened(
            SessionOpening(user: admin.user, session: SessionID(7), device: "web", sameDevice: .allow, limit: 9)
        ) { _ in }
        let page = try await village.groups.members(member, group, limit: 2, cursor: nil)
        #expect(page.items.map(\.username) == ["owner", "admin"])
        #expect(page.items.map(\.role) == [.owner, .admin])
        #expect(page.items.map(\.isOnline) == [false, true])
        let rest = try await village.groups.members(member, group, limit: 2, cursor: page.nextCursor)
        #expect(rest.items.map(\.nickname) == ["Member"] && rest.nextCursor == nil)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.members(outsider, group, limit: 2, cursor: nil)
            } == .notAMember)
    }

    // MARK: Members

    @Test("Members leave, the owner can't")
    func leave() async throws {
        let refusals = await refusals { caller throws(Fault) in try await village.groups.leave(caller, group) }
        #expect(refusals == [.notAMember, nil, nil, .ownerMustTransfer])
        #expect(
            try await village.inbox(member).last == """
                group_left {"groupId":\(group.value),"conversationId":"\(conversation.text)","reason":"left"}
                """)
        #expect(try await village.groups.memberCount(group) == 1)
        #expect(village.broker.heard().first == "rights \(conversation.text) \(member.user.value)")
    }

    @Test("Kicking goes downwards, all or none")
    func kick() async throws {
        func kick(_ caller: Caller, _ users: Caller...) async -> Fault.Reason? {
            await reason { () throws(Fault) in try await village.groups.kick(caller, group, users.map(\.user)) }
        }
        #expect(await kick(outsider, member) == .notAMember)
        #expect(await kick(member, admin) == .notAllowed)
        #expect(await kick(admin, owner) == .notAllowed)
        #expect(await kick(admin, member, owner) == .notAllowed)
        #expect(await kick(owner, outsider) == .unknownUser)
        #expect(try await village.groups.memberCount(group) == 3)
        #expect(await kick(admin, member) == nil)
        #expect(try await village.role(of: member, in: group) == nil)
        #expect(
            try await village.events(conversation).last == """
                membership {"action":"kick","userIds":[\(member.user.value)],"names":["Member"],\
                "by":\(admin.user.value),"byName":"Admin"}
                """)
        #expect(try await village.inbox(member).last?.contains(#""reason":"kicked""#) == true)
        #expect(
            await reason { () throws(Fault) in try await village.say("x", member, in: conversation) } == .notAMember)
        #expect(await kick(owner, admin) == nil)
    }

    @Test("Only the owner gives roles, never away their own")
    func roles() async throws {
        let refusals = await refusals { caller throws(Fault) in
            try await village.groups.setRole(caller, group, member.user, .admin)
        }
        #expect(refusals == [.notAMember, .notAllowed, .notAllowed, nil])
        #expect(try await village.role(of: member, in: group) == .admin)
        let count = try await village.events(conversation).count
        try await village.groups.setRole(owner, group, member.user, .admin)
        #expect(try await village.events(conversation).count == count)
        #expect(
            await reason { () throws(Fault) in
                try await village.groups.setRole(owner, group, owner.user, .member)
            } == .notAllowed)
        #expect(
            await reason { () throws(Fault) in
                try await village.groups.setRole(owner, group, outsider.user, .admin)
            } == .unknownUser)
    }

    @Test("The owner hands the group over and is a plain member then")
    func transfer() async throws {
        try await village.groups.mute(owner, group, member.user, until: nil)
        let refusals = await refusals { caller throws(Fault) in
            try await village.groups.transfer(caller, group, to: member.user)
        }
        #expect(refusals == [.notAMember, .notAllowed, .notAllowed, nil])
        #expect(try await village.role(of: owner, in: group) == .member)
        #expect(try await village.role(of: member, in: group) == .owner)
        #expect(try await village.groups.get(owner, group).group.owner == member.user)
        try await village.say("I may speak", member, in: conversation)
        try await village.groups.leave(owner, group)
    }

    // MARK: Mutes

    @Test("Muting goes downwards and ends by itself or by word")
    func muteOne() async throws {
        let end = village.clock.now + .seconds(60)
        func mute(_ caller: Caller, _ user: Caller, until: Instant?) async -> Fault.Reason? {
            await reason { () throws(Fault) in
                try await village.groups.mute(caller, group, user.user, until: until)
            }
        }
        func speaks(_ caller: Caller) async -> Fault.Reason? {
            await reason { () throws(Fault) in try await village.say("x", caller, in: conversation) }
        }
        #expect(await mute(outsider, member, until: nil) == .notAMember)
        #expect(await mute(member, admin, until: nil) == .notAllowed)
        #expect(await mute(admin, owner, until: nil) == .notAllowed)
        #expect(await mute(admin, member, until: end) == nil)
        #expect(
            try await village.events(conversation).last == """
                membership {"action":"mute","userIds":[\(member.user.value)],"names":["Member"],\
                "by":\(admin.user.value),"byName":"Admin","until":\(end.milliseconds)}
                """)
        #expect(await speaks(member) == .muted)
        village.clock.advance(.seconds(60))
        #expect(await speaks(member) == nil)
        #expect(await mute(owner, admin, until: nil) == nil)
        #expect(try await village.events(conversation).last?.contains("until") == false)
        #expect(await speaks(admin) == .muted)
        #expect(await mute(owner, admin, until: .distantPast) == nil)
        #expect(try await village.events(conversation).last?.contains(#""action":"unmute""#) == true)
        #expect(await speaks(admin) == nil)
        #expect(await mute(owner, member, until: Instant(milliseconds: 5)) == .invalidField)
    }

    @Test("When all are muted, owner and admins speak")
    func muteAll() async throws {
        let refusals = await refusals { caller throws(Fault) in
            try await village.groups.muteAll(caller, group, until: nil)
        }
        #expect(refusals == [.notAMember, .notAllowed, nil, nil])
        #expect(
            try await village.events(conversation).last == """
                group {"mutedUntil":\(maximumIdentifier),"by":\(admin.user.value),"byName":"Admin"}
                """)
        for caller in [owner, admin] { try await village.say("x", caller, in: conversation) }
        #expect(
            await reason { () throws(Fault) in try await village.say("x", member, in: conversation) } == .muted)
        try await village.groups.muteAll(admin, group, until: .distantPast)
        try await village.say("x", member, in: conversation)
    }
}

@Suite("Joining groups", .everyEngine)
struct GroupJoiningTests {
    private let village: Village
    private let owner: Caller
    private let member: Caller
    private let other: Caller

    init() async throws {
        village = try await Village()
        owner = try await village.person("Owner")
        member = try await village.person("Member")
        other = try await village.person("Other")
    }

    private func requestId(_ caller: Caller, _ group: GroupID) async throws(Fault) -> Int64 {
        let page = try await village.groups.requests(caller, group, limit: 10, cursor: nil)
        return page.items.first?.request ?? 0
    }

    @Test("Everybody joins an open group; the join event is the first that they read")
    func open() async throws {
        let group = try await village.group(of: owner, mode: .open)
        #expect(try await village.groups.join(other, group, message: "") == .joined)
        #expect(
            try await village.events(.group(group)).last == """
                membership {"action":"join","userIds":[\(other.user.value)],"names":["Other"],\
                "by":\(other.user.value),"byName":"Other"}
                """)
        #expect(try await village.inbox(other).last?.contains(#""fromSeq":2"#) == true)
        #expect(village.broker.heard().last == "rights g:\(group.value) \(other.user.value)")
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.join(other, group, message: "")
            } == .alreadyMember)
    }

    @Test("By approval: one request, to owner and admins, until it is answered")
    func approval() async throws {
        let group = try await village.group(of: owner, member)
        try await village.groups.setRole(owner, group, member.user, .admin)
        #expect(try await village.groups.join(other, group, message: "please") == .requested)
        #expect(try await village.groups.join(other, group, message: "pretty please") == .requested)
        let request = try await requestId(owner, group)
        for leader in [owner, member] {
            let told = try await village.inbox(leader).filter { $0.hasPrefix("group_request") }
            #expect(
                told == [
                    """
                    group_request {"groupId":\(group.value),"requestId":\(request),"userId":\(other.user.value),\
                    "username":"other","message":"please"}
                    """
                ])
        }
        let page = try await village.groups.requests(member, group, limit: 10, cursor: nil)
        #expect(page.items.map(\.message) == ["pretty please"] && page.items.map(\.username) == ["other"])
        try await village.groups.answerRequest(member, request, .accept)
        #expect(try await village.role(of: other, in: group) == .member)
        #expect(
            await reason { () throws(Fault) in
                try await village.groups.answerRequest(owner, request, .accept)
            } == .unknownRequest)
    }

    @Test("A rejected request is told to the one who asked, who may ask again")
    func rejected() async throws {
        let group = try await village.group(of: owner)
        _ = try await village.groups.join(other, group, message: "")
        let request = try await requestId(owner, group)
        try await village.groups.answerRequest(owner, request, .reject)
        #expect(
            try await village.inbox(other).last == """
                group_rejected {"groupId":\(group.value),"requestId":\(request)}
                """)
        #expect(try await village.groups.join(other, group, message: "") == .requested)
        #expect(try await requestId(owner, group) != request)
    }

    @Test("Plain members and strangers neither see nor answer requests")
    func requestsAreForLeaders() async throws {
        let group = try await village.group(of: owner, member)
        _ = try await village.groups.join(other, group, message: "")
        let request = try await requestId(owner, group)
        let stranger = try await village.person("Stranger")
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.requests(member, group, limit: 1, cursor: nil)
            } == .notAllowed)
        #expect(
            await reason { () throws(Fault) in
                try await village.groups.answerRequest(member, request, .accept)
            } == .notAllowed)
        #expect(
            await reason { () throws(Fault) in
                try await village.groups.answerRequest(stranger, request, .accept)
            } == .unknownRequest)
    }

    @Test("A closed group is joined by invitation only")
    func closed() async throws {
        let group = try await village.group(of: owner, mode: .closed)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.join(other, group, message: "")
            } == .groupClosed)
        let result = try await village.groups.invite(owner, group, [other.user])
        #expect(result == GroupInviteResult(added: [], invited: [other.user]))
        #expect(try await village.groups.join(other, group, message: "") == .joined)
        #expect(try await village.groups.invitations(other, limit: 10, cursor: nil).items.isEmpty)
    }

    @Test("Friends of the inviter join by one event, others are asked once, members and blocked ones passed over")
    func invite() async throws {
        let group = try await village.group(of: owner, member)
        let friend = try await village.person("Friend")
        let blocked = try await village.person("Blocked")
        village.relations.befriend(owner, friend)
        village.relations.set(owner, blocked, .blockedByThem)
        let everybody = [friend, other, member, blocked, owner].map(\.user)
        for _ in 1...2 {
            let result = try await village.groups.invite(owner, group, everybody)
            #expect(result.invited == [other.user])
        }
        #expect(try await village.events(.group(group)).count == 2)
        #expect(try await village.inbox(other).count == 1)
        #expect(try await village.inbox(blocked).isEmpty)
        #expect(try await village.role(of: friend, in: group) == .member)
    }

    @Test("Plain members invite into open groups only")
    func whoInvites() async throws {
        let group = try await village.group(of: owner, member)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.invite(member, group, [other.user])
            } == .notAllowed)
        _ = try await village.groups.edit(owner, group, GroupChange(joinMode: .open))
        #expect(try await village.groups.invite(member, group, [other.user]).invited == [other.user])
    }

    @Test("An invitation is listed, followed or declined")
    func answer() async throws {
        let first = try await village.group(of: owner)
        let second = try await village.group(of: owner)
        for group in [first, second] { _ = try await village.groups.invite(owner, group, [other.user]) }
        let page = try await village.groups.invitations(other, limit: 1, cursor: nil)
        #expect(page.items.map(\.group) == [first] && page.items.map(\.byName) == ["Owner"])
        let rest = try await village.groups.invitations(other, limit: 1, cursor: page.nextCursor)
        #expect(rest.items.map(\.group) == [second] && rest.nextCursor == nil)
        try await village.groups.answerInvitation(other, first, .accept)
        try await village.groups.answerInvitation(other, second, .reject)
        #expect(try await village.groups.groupsOf(other.user) == [.group(first)])
        #expect(
            await reason { () throws(Fault) in
                try await village.groups.answerInvitation(other, second, .accept)
            } == .unknownRequest)
    }

    @Test("Nobody is in more groups than allowed")
    func limit() async throws {
        let group = try await village.group(of: owner, mode: .open)
        let id = other.user
        try await village.database.write { connection throws(Fault) in
            for number in 1...Limits.groupsPerUser {
                let group = GroupID(unchecked: 100_000 + Int64(number))
                let record = GroupChange().applied(to: GroupDetails.example.group)
                try GroupStore(connection: connection).insert(
                    GroupRecord(
                        id: group, app: record.app, name: "", description: "", announcement: "", joinMode: .open,
                        owner: id,
                        mutedUntil: .distantPast), now: .distantPast)
                try GroupStore(connection: connection).insert(
                    GroupMember(user: id, role: .owner, mutedUntil: .distantPast, fromSeq: 1), into: group,
                    now: .distantPast)
            }
        }
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.join(other, group, message: "")
            } == .limitReached)
        #expect(
            await reason { () throws(Fault) in
                _ = try await village.groups.create(other, name: "one more")
            } == .limitReached)
    }
}
