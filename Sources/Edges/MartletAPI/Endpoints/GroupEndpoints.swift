import MartletCore
import MartletMessaging
import MartletWire

/// Groups: the protocol's table "Groups and rooms". Inputs and outputs are in `GroupMessages.swift`.
package struct GroupEndpoints: Sendable {
    private let groups: Groups

    package init(groups: Groups) { self.groups = groups }

    package var all: [Endpoint] { themselves + joining + members }

    private var themselves: [Endpoint] {
        let tag = "Groups"
        return [
            Endpoint(.post, "/api/group/create", tag: tag, "Make a group", create),
            Endpoint(.get, "/api/group/list", tag: tag, "List one's groups", list),
            Endpoint(.get, "/api/group/{id}", tag: tag, "Show a group", get),
            Endpoint(.put, "/api/group/{id}", tag: tag, "Change a group (owner, admins)", edit),
            Endpoint(.delete, "/api/group/{id}", tag: tag, "Dissolve a group (owner)", dissolve),
        ]
    }

    private var joining: [Endpoint] {
        let tag = "Groups"
        return [
            Endpoint(.post, "/api/group/join", tag: tag, "Join a group, or ask to", join),
            Endpoint(.get, "/api/group/requests", tag: tag, "List who asks to join (owner, admins)", requests),
            Endpoint(.put, "/api/group/request", tag: tag, "Let somebody in, or not (owner, admins)", answerRequest),
            Endpoint(.post, "/api/group/invite", tag: tag, "Bring friends in and invite others", invite),
            Endpoint(.get, "/api/group/invitations", tag: tag, "List the invitations one got", invitations),
            Endpoint(.put, "/api/group/invitation", tag: tag, "Follow or decline an invitation", answerInvitation),
        ]
    }

    private var members: [Endpoint] {
        let tag = "Groups"
        return [
            Endpoint(.post, "/api/group/leave", tag: tag, "Leave a group", leave),
            Endpoint(.post, "/api/group/kick", tag: tag, "Put members out (owner, admins)", kick),
            Endpoint(.put, "/api/group/role", tag: tag, "Make a member an admin, or not (owner)", setRole),
            Endpoint(.put, "/api/group/mute", tag: tag, "Mute a member, or all (owner, admins)", mute),
            Endpoint(.put, "/api/group/transfer", tag: tag, "Hand a group over (owner)", transfer),
            Endpoint(.get, "/api/group/{id}/members", tag: tag, "List the members of a group", listMembers),
        ]
    }

    // MARK: The group itself

    @Sendable
    private func create(_ caller: Caller, _ input: CreateInput) async throws(Fault) -> CreatedOutput {
        let group = try await groups.create(
            caller, name: input.name, description: input.description, members: input.members, joinMode: input.joinMode)
        return CreatedOutput(group: group)
    }

    @Sendable
    private func list(_ caller: Caller, _ input: PageInput) async throws(Fault) -> PageOutput<SummaryOutput> {
        let page = try await groups.list(caller, limit: input.limit, cursor: input.cursor)
        return PageOutput(page) { SummaryOutput(summary: $0) }
    }

    @Sendable
    private func get(_ caller: Caller, _ input: PathInput) async throws(Fault) -> DetailsOutput {
        DetailsOutput(try await groups.get(caller, input.group))
    }

    @Sendable
    private func edit(_ caller: Caller, _ input: EditInput) async throws(Fault) -> DetailsOutput {
        DetailsOutput(try await groups.edit(caller, input.group, input.change))
    }

    @Sendable
    private func dissolve(_ caller: Caller, _ input: PathInput) async throws(Fault) -> EmptyOutput {
        try await groups.dissolve(caller, input.group)
        return EmptyOutput()
    }

    // MARK: Joining

    @Sendable
    private func join(_ caller: Caller, _ input: JoinInput) async throws(Fault) -> StatusOutput {
        StatusOutput(status: try await groups.join(caller, input.group, message: input.message))
    }

    @Sendable
    private func requests(_ caller: Caller, _ input: GroupPageInput) async throws(Fault) -> PageOutput<RequestOutput> {
        let page = try await groups.requests(
            caller, input.group, limit: input.page.limit, cursor: input.page.cursor)
        return PageOutput(page) { RequestOutput(request: $0) }
    }

    @Sendable
    private func answerRequest(_ caller: Caller, _ input: AnswerRequestInput) async throws(Fault) -> EmptyOutput {
        try await groups.answerRequest(caller, input.request, input.answer)
        return EmptyOutput()
    }

    @Sendable
    private func invite(_ caller: Caller, _ input: UsersInput) async throws(Fault) -> InvitedOutput {
        InvitedOutput(result: try await groups.invite(caller, input.group, input.users))
    }

    @Sendable
    private func invitations(_ caller: Caller, _ input: PageInput) async throws(Fault) -> PageOutput<InvitationOutput> {
        let page = try await groups.invitations(caller, limit: input.limit, cursor: input.cursor)
        return PageOutput(page) { InvitationOutput(invitation: $0) }
    }

    @Sendable
    private func answerInvitation(_ caller: Caller, _ input: AnswerInvitationInput) async throws(Fault) -> EmptyOutput {
        try await groups.answerInvitation(caller, input.group, input.answer)
        return EmptyOutput()
    }

    // MARK: Members

    @Sendable
    private func leave(_ caller: Caller, _ input: GroupInput) async throws(Fault) -> EmptyOutput {
        try await groups.leave(caller, input.group)
        return EmptyOutput()
    }

    @Sendable
    private func kick(_ caller: Caller, _ input: UsersInput) async throws(Fault) -> EmptyOutput {
        try await groups.kick(caller, input.group, input.users)
        return EmptyOutput()
    }

    @Sendable
    private func setRole(_ caller: Caller, _ input: RoleInput) async throws(Fault) -> EmptyOutput {
        try await groups.setRole(caller, input.group, input.user, input.role)
        return EmptyOutput()
    }

    @Sendable
    private func mute(_ caller: Caller, _ input: MuteInput) async throws(Fault) -> EmptyOutput {
        if let user = input.user {
            try await groups.mute(caller, input.group, user, until: input.until)
        } else {
            try await groups.muteAll(caller, input.group, until: input.until)
        }
        return EmptyOutput()
    }

    @Sendable
    private func transfer(_ caller: Caller, _ input: MemberInput) async throws(Fault) -> EmptyOutput {
        try await groups.transfer(caller, input.group, to: input.user)
        return EmptyOutput()
    }

    @Sendable
    private func listMembers(_ caller: Caller, _ input: MembersInput) async throws(Fault) -> PageOutput<MemberOutput> {
        let page = try await groups.members(caller, input.group, limit: input.page.limit, cursor: input.page.cursor)
        return PageOutput(page) { MemberOutput(member: $0) }
    }
}
