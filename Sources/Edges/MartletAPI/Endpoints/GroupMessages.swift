import MartletCore
import MartletMessaging
import MartletWire

// What the endpoints of groups read and write.

// MARK: Inputs

extension GroupEndpoints {
    struct CreateInput: JSONInput {
        let name: String
        let description: String
        let members: [UserID]
        let joinMode: JoinMode

        init(_ fields: borrowing JSONFields) throws(Fault) {
            name = try fields.text("name", Limits.groupName)
            description = try fields.optionalText("description", Limits.groupDescription, lines: true) ?? ""
            members = try fields.optionalUsers("members", 0...100) ?? []
            joinMode = try fields.optionalChoice("join", of: JoinMode.self) ?? .approval
        }
    }

    /// A group that the path names.
    struct PathInput: JSONInput {
        let group: GroupID
        init(_ fields: borrowing JSONFields) throws(Fault) { group = try fields.group("id") }
    }

    struct EditInput: JSONInput {
        let group: GroupID
        let change: GroupChange

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("id")
            change = GroupChange(
                name: try fields.optionalText("name", Limits.groupName),
                description: try fields.optionalText("description", Limits.groupDescription, lines: true),
                announcement: try fields.optionalText("announcement", Limits.announcement, lines: true),
                joinMode: try fields.optionalChoice("join", of: JoinMode.self))
        }
    }

    /// A group that the request names.
    struct GroupInput: JSONInput {
        let group: GroupID
        init(_ fields: borrowing JSONFields) throws(Fault) { group = try fields.group("groupId") }
    }

    struct JoinInput: JSONInput {
        let group: GroupID
        let message: String

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            message = try fields.optionalText("message", Limits.requestMessage, lines: true) ?? ""
        }
    }

    struct GroupPageInput: JSONInput {
        let group: GroupID
        let page: PageInput

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            page = try PageInput(fields)
        }
    }

    struct MembersInput: JSONInput {
        let group: GroupID
        let page: PageInput

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("id")
            page = try PageInput(fields)
        }
    }

    struct AnswerRequestInput: JSONInput {
        let request: Int64
        let answer: JoinAnswer

        init(_ fields: borrowing JSONFields) throws(Fault) {
            request = try fields.integer("requestId", 1...maximumIdentifier)
            answer = try fields.choice("action", among: JoinAnswer.allCases)
        }
    }

    struct AnswerInvitationInput: JSONInput {
        let group: GroupID
        let answer: JoinAnswer

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            answer = try fields.choice("action", among: JoinAnswer.allCases)
        }
    }

    struct UsersInput: JSONInput {
        let group: GroupID
        let users: [UserID]

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            users = try fields.users("userIds", 1...100)
        }
    }

    struct MemberInput: JSONInput {
        let group: GroupID
        let user: UserID

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            user = try fields.user("userId")
        }
    }

    struct RoleInput: JSONInput {
        let group: GroupID
        let user: UserID
        let role: GroupRole

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            user = try fields.user("userId")
            role = try fields.choice("role", among: [.admin, .member])
        }
    }

    struct MuteInput: JSONInput {
        let group: GroupID
        /// Nil for all members.
        let user: UserID?
        /// Nil for a mute without an end, 0 to lift one.
        let until: Instant?

        init(_ fields: borrowing JSONFields) throws(Fault) {
            group = try fields.group("groupId")
            user = try fields.optionalUser("userId")
            until = try fields.optionalInteger("until", 0...maximumIdentifier).map { Instant(milliseconds: $0) }
        }
    }
}

// MARK: Outputs

extension GroupEndpoints {
    struct CreatedOutput: JSONOutput {
        let group: GroupID

        static let example = CreatedOutput(group: GroupID(unchecked: 12))

        func write(to object: inout JSONObject) {
            object.field("groupId", group)
            object.field("conversationId", ConversationID.group(group))
        }
    }

    struct SummaryOutput: JSONOutput {
        let summary: GroupSummary

        static let example = SummaryOutput(summary: .example)

        func write(to object: inout JSONObject) {
            object.field("groupId", summary.group)
            object.field("conversationId", ConversationID.group(summary.group))
            object.field("name", summary.name)
            object.field("description", summary.description)
            object.field("members", summary.members)
            object.choice("role", summary.role)
        }
    }

    struct DetailsOutput: JSONOutput {
        let details: GroupDetails

        init(_ details: GroupDetails) { self.details = details }

        static let example = DetailsOutput(.example)

        func write(to object: inout JSONObject) {
            let group = details.group
            object.field("groupId", group.id)
            object.field("conversationId", group.conversation)
            object.field("name", group.name)
            object.field("description", group.description)
            object.field("announcement", group.announcement)
            object.choice("join", group.joinMode)
            object.field("owner", group.owner)
            object.field("members", details.members)
            object.optional("role", details.role?.rawValue)
            object.field("mutedUntil", group.mutedUntil)
            object.optional("myMutedUntil", details.myMutedUntil)
        }
    }

    struct StatusOutput: JSONOutput {
        let status: JoinStatus
        static let example = StatusOutput(status: .joined)
        func write(to object: inout JSONObject) { object.choice("status", status) }
    }

    struct RequestOutput: JSONOutput {
        let request: GroupRequestSummary

        static let example = RequestOutput(request: .example)

        func write(to object: inout JSONObject) {
            object.field("requestId", request.request)
            object.field("userId", request.user)
            object.field("username", request.username)
            object.field("nickname", request.nickname)
            object.field("message", request.message)
            object.field("time", request.time)
        }
    }

    struct InvitedOutput: JSONOutput {
        let result: GroupInviteResult

        static let example = InvitedOutput(result: .example)

        func write(to object: inout JSONObject) {
            object.field("added", result.added)
            object.field("invited", result.invited)
        }
    }

    struct InvitationOutput: JSONOutput {
        let invitation: GroupInvitation

        static let example = InvitationOutput(invitation: .example)

        func write(to object: inout JSONObject) {
            object.field("groupId", invitation.group)
            object.field("name", invitation.name)
            object.field("by", invitation.by)
            object.field("byName", invitation.byName)
            object.field("time", invitation.time)
        }
    }

    struct MemberOutput: JSONOutput {
        let member: GroupMemberSummary

        static let example = MemberOutput(member: .example)

        func write(to object: inout JSONObject) {
            object.field("userId", member.user)
            object.field("username", member.username)
            object.field("nickname", member.nickname)
            object.choice("role", member.role)
            object.field("mutedUntil", member.mutedUntil)
            object.field("online", member.isOnline)
        }
    }
}
