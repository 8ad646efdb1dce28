import MartletBus
import MartletCore
import MartletSQL

/// Gathers the facts that decide what a caller may do with a conversation, and asks the policy.
package struct ConversationAccess: Sendable {
    private let database: any Database
    private let users: any UserDirectory
    private let relations: any DirectRelations
    private let presence: any Presence
    private let clock: any TimeSource

    package init(
        database: any Database, users: any UserDirectory, relations: any DirectRelations, presence: any Presence,
        clock: any TimeSource
    ) {
        self.database = database
        self.users = users
        self.relations = relations
        self.presence = presence
        self.clock = clock
    }

    /// What the caller is to the conversation.
    package func standing(of caller: Caller, in conversation: ConversationID) async throws(Fault) -> Standing {
        try await view(of: caller, in: conversation).standing
    }

    /// Throws unless the policy allows the caller to do this now.
    package func require(
        _ action: Policy.ConversationAction, _ caller: Caller, _ conversation: ConversationID
    ) async throws(Fault) {
        _ = try await allowed(action, caller, conversation)
    }

    /// The right to write, for a session to remember. In a direct conversation both sides are participants afterwards, so that a send needs
    /// nothing but the log.
    package func sendRight(_ caller: Caller, _ conversation: ConversationID) async throws(Fault) -> SendRight {
        let standing = try await standing(of: caller, in: conversation)
        let now = clock.now
        if case .direct(let low, let high) = conversation, case .direct = standing,
            (try? Policy.require(.write, standing, role: caller.role, now: now)) != nil
        {
            try await meet([low, high], conversation, now: now)
        }
        return SendRight(standing, role: caller.role)
    }

    /// What a decision and a reader need to know.
    struct View: Sendable {
        let standing: Standing
        /// The first event that the caller may read, however much is left of it.
        let firstSeq: Int64

        var groupRole: GroupRole? { if case .member(let role, _, _) = standing { role } else { nil } }
    }

    /// The view of a conversation in which the caller may do this now.
    func allowed(
        _ action: Policy.ConversationAction, _ caller: Caller, _ conversation: ConversationID
    ) async throws(Fault) -> View {
        let view = try await view(of: caller, in: conversation)
        try Policy.require(action, view.standing, role: caller.role, now: clock.now)
        return view
    }

    private func view(of caller: Caller, in conversation: ConversationID) async throws(Fault) -> View {
        switch conversation {
        case .direct:
            guard let peer = conversation.peer(of: caller.user) else { return View(standing: .nothing, firstSeq: 1) }
            // Guests have rooms only: nobody writes to them, as they write to nobody.
            guard let card = try await users.card(peer), card.app == caller.app, card.role != .guest else {
                return View(standing: .nobody, firstSeq: 1)
            }
            let relation = try await relations.relation(of: caller.user, to: peer)
            return View(standing: .direct(relation), firstSeq: 1)
        case .group(let id):
            return try await database.read { connection throws(Fault) in
                let store = GroupStore(connection: connection)
                guard let group = try store.find(id, app: caller.app) else {
                    return View(standing: .nothing, firstSeq: 1)
                }
                guard let member = try store.member(caller.user, of: id) else {
                    return View(standing: .outsider, firstSeq: 1)
                }
                return View(
                    standing: .member(member.role, mutedUntil: member.mutedUntil, allMutedUntil: group.mutedUntil),
                    firstSeq: member.fromSeq)
            }
        case .room(let app, _):
            guard app == caller.app else { return View(standing: .nothing, firstSeq: 1) }
            let isHere = await presence.isHere(caller.user, in: conversation)
            return View(standing: .room(isHere: isHere), firstSeq: 1)
        case .inbox(let user):
            return View(standing: user == caller.user ? .ownInbox : .nothing, firstSeq: 1)
        }
    }

    private func meet(_ sides: [UserID], _ conversation: ConversationID, now: Instant) async throws(Fault) {
        // Most often they have met before: a read then spares the writer.
        let known = try await database.read { connection throws(Fault) in
            try ParticipantStore(connection: connection).count(conversation)
        }
        guard known < sides.count else { return }
        try await database.write { connection throws(Fault) in
            let store = ParticipantStore(connection: connection)
            for side in sides { try store.ensure(side, conversation, now: now) }
        }
    }
}
