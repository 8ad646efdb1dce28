import MartletBus
import MartletCore
import MartletLog
import MartletSQL

/// A member of a group, as the other members see them.
package struct GroupMemberSummary: Sendable {
    package let user: UserID
    package let username: String
    package let nickname: String
    package let role: GroupRole
    package let mutedUntil: Instant
    package let isOnline: Bool
}

extension Groups {
    /// Members by ascending id.
    package func members(
        _ caller: Caller, _ id: GroupID, limit: Int, cursor: String?
    ) async throws(Fault) -> MessagingPage<GroupMemberSummary> {
        try Policy.requireAccount(caller)
        let after = try NumberCursor.read(cursor)
        _ = try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).require(id, app: caller.app)
        }
        try await access.require(.read, caller, .group(id))
        let rows = try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).members(of: id, after: after, limit: limit + 1)
        }
        let page = MessagingPage.of(rows, limit: limit) { String($0.user.value) }
        let ids = page.items.map(\.user)
        let cards = try await users.cards(ids)
        let online = await presence.online(among: ids)
        return page.map {
            GroupMemberSummary(
                user: $0.user, username: cards[$0.user]?.username ?? "", nickname: cards[$0.user]?.nickname ?? "",
                role: $0.role, mutedUntil: $0.mutedUntil, isOnline: online.contains($0.user))
        }
    }

    /// Leaves a group; its owner hands it over or dissolves it first.
    package func leave(_ caller: Caller, _ id: GroupID) async throws(Fault) {
        try await change(caller, id, affecting: caller.user) { (transaction, role) throws(Fault) in
            try Policy.require(.leave, by: role)
            return try transaction.remove([caller.user], names: [caller.user: caller.name], .left)
        }
    }

    /// Puts members out; all of them or, where one is out of the caller's reach, none.
    package func kick(_ caller: Caller, _ id: GroupID, _ userIds: [UserID]) async throws(Fault) {
        let names = try await names(userIds)
        try await change(caller, id, affecting: userIds.count == 1 ? userIds.first : nil) {
            (transaction, role) throws(Fault) in
            // Whoever may kick nobody need not learn who is a member.
            try Policy.require(.kick, by: role, on: .member)
            let members = try transaction.store.members(userIds, of: id)
            for user in userIds {
                guard let member = members[user] else { throw Self.notInGroup("userIds") }
                try Policy.require(.kick, by: role, on: member.role)
            }
            return try transaction.remove(userIds, names: names, .kicked)
        }
    }

    /// Makes a member an admin, or a plain member again.
    package func setRole(_ caller: Caller, _ id: GroupID, _ user: UserID, _ role: GroupRole) async throws(Fault) {
        guard role != .owner else { throw .invalid("role", "groups are handed over by a transfer") }
        let names = try await names([user])
        try await change(caller, id, affecting: user) { (transaction, mine) throws(Fault) in
            try Policy.require(.setRole, by: mine, on: .member)
            guard let member = try transaction.store.member(user, of: id) else { throw Self.notInGroup("userId") }
            try Policy.require(.setRole, by: mine, on: member.role)
            guard member.role != role else { return [] }
            try transaction.store.setRole(role, of: user, in: id)
            return [transaction.events.membership(.role, transaction.people([user], names), role: role)]
        }
    }

    /// Mutes one member. `until` nil means without an end, `.distantPast` lifts it.
    package func mute(_ caller: Caller, _ id: GroupID, _ user: UserID, until: Instant?) async throws(Fault) {
        let end = try GroupRules.muteEnd(until, now: clock.now)
        let names = try await names([user])
        try await change(caller, id, affecting: user) { (transaction, role) throws(Fault) in
            try Policy.require(.muteOne, by: role, on: .member)
            guard let member = try transaction.store.member(user, of: id) else { throw Self.notInGroup("userId") }
            try Policy.require(.muteOne, by: role, on: member.role)
            guard member.mutedUntil != end else { return [] }
            try transaction.store.setMute(end, of: user, in: id)
            let people = transaction.people([user], names)
            return end == .distantPast
                ? [transaction.events.membership(.unmute, people)]
                : [transaction.events.membership(.mute, people, until: end)]
        }
    }

    /// Mutes all plain members. `until` nil means without an end, `.distantPast` lifts it.
    package func muteAll(_ caller: Caller, _ id: GroupID, until: Instant?) async throws(Fault) {
        let end = try GroupRules.muteEnd(until, now: clock.now)
        try await change(caller, id, affecting: nil) { (transaction, role) throws(Fault) in
            try Policy.require(.muteAll, by: role)
            var change = GroupChange()
            change.mutedUntil = end
            let news = change.differing(from: transaction.group)
            guard !news.isEmpty else { return [] }
            try transaction.store.update(news.applied(to: transaction.group))
            return [transaction.events.changed(news)]
        }
    }

    /// Hands the group to another member; the caller becomes a plain one.
    package func transfer(_ caller: Caller, _ id: GroupID, to user: UserID) async throws(Fault) {
        let names = try await names([user])
        try await change(caller, id, affecting: nil) { (transaction, role) throws(Fault) in
            try Policy.require(.transfer, by: role, on: .member)
            guard let member = try transaction.store.member(user, of: id) else { throw Self.notInGroup("userId") }
            try Policy.require(.transfer, by: role, on: member.role)
            let store = transaction.store
            try store.setRole(.member, of: caller.user, in: id)
            try store.setRole(.owner, of: user, in: id)
            // Nobody could lift the mute of an owner.
            try store.setMute(.distantPast, of: user, in: id)
            try store.setOwner(user, of: id)
            return [transaction.events.membership(.transfer, transaction.people([user], names), role: .owner)]
        }
    }

    private static func notInGroup(_ field: String) -> Fault {
        Fault(.unknownUser, "not a member of this group", field: field)
    }

    /// One change by a member, and the recall of remembered rights: those of `user`, or everybody's.
    private func change(
        _ caller: Caller, _ id: GroupID, affecting user: UserID?,
        _ body: @escaping @Sendable (GroupTransaction, GroupRole?) throws(Fault) -> [Draft]
    ) async throws(Fault) {
        try Policy.requireAccount(caller)
        let log = log
        let now = clock.now
        try await log.transact(on: .group(id)) { (connection, drafts) throws(Fault) in
            let (transaction, member) = try GroupTransaction.open(
                id, caller, now: now, log: log, connection: connection)
            drafts += try body(transaction, member?.role)
        }
        await broker.publish(.rightsChanged(.group(id), user))
    }
}
