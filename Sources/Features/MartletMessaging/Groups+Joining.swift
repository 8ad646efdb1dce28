import MartletBus
import MartletCore
import MartletLog
import MartletSQL

/// What became of the wish to join.
package enum JoinStatus: String, Sendable, CaseIterable { case joined, requested }

/// The answer to a request or an invitation.
package enum JoinAnswer: String, Sendable, CaseIterable { case accept, reject }

/// A wish to join, as those who answer it see it.
package struct GroupRequestSummary: Sendable {
    package let request: Int64
    package let user: UserID
    package let username: String
    package let nickname: String
    package let message: String
    package let time: Instant
}

/// Who came in and who was asked, in the order given.
package struct GroupInviteResult: Sendable, Equatable {
    package let added: [UserID]
    package let invited: [UserID]
}

extension Groups {
    // MARK: By oneself

    /// Joins an open group, or one that invited the caller; asks to join one that takes members by approval.
    package func join(_ caller: Caller, _ id: GroupID, message: String) async throws(Fault) -> JoinStatus {
        try Policy.requireAccount(caller)
        let username = try await users.card(caller.user)?.username ?? ""
        let log = log
        let now = clock.now
        let status = try await log.transact(on: .group(id)) { (connection, drafts) throws(Fault) -> JoinStatus in
            let (transaction, member) = try GroupTransaction.open(
                id, caller, now: now, log: log, connection: connection)
            let store = transaction.store
            let outcome = try GroupRules.joining(
                transaction.group.joinMode, isMember: member != nil, isInvited: try store.isInvited(caller.user, to: id)
            )
            try GroupRules.requireFurtherGroup(try store.groupCounts(of: [caller.user])[caller.user] ?? 0)
            switch outcome {
            case .join:
                drafts += try transaction.join([caller.user], names: [caller.user: caller.name])
                return .joined
            case .request:
                let request = try store.request(caller.user, to: id, message: message, now: now)
                guard request.isNew else { return .requested }
                drafts += try store.leaders(of: id).map {
                    transaction.events.requested($0, request: request.id, username: username, message: message)
                }
                return .requested
            }
        }
        if status == .joined { await broker.publish(.rightsChanged(.group(id), caller.user)) }
        return status
    }

    /// The invitations that wait for the caller's answer.
    package func invitations(
        _ caller: Caller, limit: Int, cursor: String?
    ) async throws(Fault) -> MessagingPage<GroupInvitation> {
        try Policy.requireAccount(caller)
        let after = try NumberCursor.read(cursor)
        let rows = try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).invitations(of: caller.user, after: after, limit: limit + 1)
        }
        let names = try await names(rows.map(\.by))
        return MessagingPage.of(rows, limit: limit) { String($0.group.value) }.map {
            GroupInvitation(group: $0.group, name: $0.name, by: $0.by, byName: names[$0.by] ?? "", time: $0.time)
        }
    }

    /// Follows an invitation into the group, or declines it without a word.
    package func answerInvitation(_ caller: Caller, _ id: GroupID, _ answer: JoinAnswer) async throws(Fault) {
        try Policy.requireAccount(caller)
        let log = log
        let now = clock.now
        try await log.transact(on: .group(id)) { (connection, drafts) throws(Fault) in
            let (transaction, member) = try GroupTransaction.open(
                id, caller, now: now, log: log, connection: connection)
            let store = transaction.store
            guard try store.isInvited(caller.user, to: id) else {
                throw Fault(.unknownRequest, "there is no such invitation", field: "groupId")
            }
            try store.removeInvitations(of: [caller.user], to: id)
            guard answer == .accept, member == nil else { return }
            try GroupRules.requireFurtherGroup(try store.groupCounts(of: [caller.user])[caller.user] ?? 0)
            drafts += try transaction.join([caller.user], names: [caller.user: caller.name])
        }
        if answer == .accept { await broker.publish(.rightsChanged(.group(id), caller.user)) }
    }

    // MARK: By members

    /// Brings friends of the caller in and asks the others. Members, and users with a block between them and the caller, are passed over.
    package func invite(_ caller: Caller, _ id: GroupID, _ userIds: [UserID]) async throws(Fault) -> GroupInviteResult {
        try Policy.requireAccount(caller)
        let others = userIds.filter { $0 != caller.user }
        let (invitees, names) = try await invitees(others, of: caller, field: "userIds")
        let log = log
        let now = clock.now
        let plan = try await log.transact(on: .group(id)) {
            (connection, drafts) throws(Fault) -> GroupRules.Invitation in
            let (transaction, member) = try GroupTransaction.open(
                id, caller, now: now, log: log, connection: connection)
            try Policy.require(.invite, by: member?.role, joinMode: transaction.group.joinMode)
            let store = transaction.store
            let present = Set(try store.members(others, of: id).keys)
            let plan = GroupRules.inviting(invitees, members: present, groupCounts: try store.groupCounts(of: others))
            drafts += try transaction.join(plan.added, names: names)
            drafts += try transaction.invite(plan.invited)
            return plan
        }
        for user in plan.added { await broker.publish(.rightsChanged(.group(id), user)) }
        return GroupInviteResult(added: plan.added, invited: plan.invited)
    }

    /// Requests that wait, oldest first; for owner and admins.
    package func requests(
        _ caller: Caller, _ id: GroupID, limit: Int, cursor: String?
    ) async throws(Fault) -> MessagingPage<GroupRequestSummary> {
        try Policy.requireAccount(caller)
        let after = try NumberCursor.read(cursor)
        let rows = try await database.read { connection throws(Fault) in
            let store = GroupStore(connection: connection)
            _ = try store.require(id, app: caller.app)
            try Policy.require(.answerRequests, by: try store.member(caller.user, of: id)?.role)
            return try store.waitingRequests(to: id, after: after, limit: limit + 1)
        }
        let cards = try await users.cards(rows.map(\.user))
        return MessagingPage.of(rows, limit: limit) { String($0.id) }.map {
            GroupRequestSummary(
                request: $0.id, user: $0.user, username: cards[$0.user]?.username ?? "",
                nickname: cards[$0.user]?.nickname ?? "", message: $0.message, time: $0.time)
        }
    }

    /// Lets the one who asked in, or not; for owner and admins. Nobody else learns that the request exists.
    package func answerRequest(_ caller: Caller, _ request: Int64, _ answer: JoinAnswer) async throws(Fault) {
        try Policy.requireAccount(caller)
        let unknown = Fault(.unknownRequest, "there is no such request", field: "requestId")
        let found = try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).waitingRequest(request)
        }
        guard let found else { throw unknown }
        let names = try await names([found.user])
        let log = log
        let now = clock.now
        try await log.transact { (connection, drafts) throws(Fault) in
            let store = GroupStore(connection: connection)
            // Looked up again: somebody else may have answered by now.
            guard try store.waitingRequest(request) != nil, let group = try store.find(found.group, app: caller.app),
                let member = try store.member(caller.user, of: group.id)
            else { throw unknown }
            try Policy.require(.answerRequests, by: member.role)
            let transaction = GroupTransaction(group: group, by: caller, now: now, log: log, connection: connection)
            switch answer {
            case .accept:
                try GroupRules.requireFurtherGroup(try store.groupCounts(of: [found.user])[found.user] ?? 0)
                drafts += try transaction.join([found.user], names: names)
            case .reject:
                try store.closeRequests(of: [found.user], to: group.id, accepted: false, now: now)
                drafts.append(transaction.events.rejected(found.user, request: request))
            }
        }
        if answer == .accept { await broker.publish(.rightsChanged(.group(found.group), found.user)) }
    }
}
