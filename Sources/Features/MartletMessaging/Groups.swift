import MartletBus
import MartletCore
import MartletLog
import MartletSQL

/// A group in a member's list.
package struct GroupSummary: Sendable, Equatable {
    package let group: GroupID
    package let name: String
    package let description: String
    /// How many there are.
    package let members: Int
    /// The role of the one who asked.
    package let role: GroupRole
}

/// A group, as the caller sees it.
package struct GroupDetails: Sendable, Equatable {
    /// The announcement is empty for those who are not members.
    package let group: GroupRecord
    /// How many there are.
    package let members: Int
    /// Nil for those who are not members.
    package let role: GroupRole?
    /// Until when the caller is muted; nil for those who are not members.
    package let myMutedUntil: Instant?
}

/// Groups: every change is one transaction of state, one event in the group and notices in the inboxes of those it concerns. What sessions
/// remember of rights is called back before the change is answered.
package struct Groups: Sendable {
    let log: any EventLog
    let database: any Database
    let access: ConversationAccess
    let users: any UserDirectory
    let relations: any DirectRelations
    let presence: any Presence
    let broker: any Broker
    let clock: any TimeSource

    package init(
        database: any Database, log: any EventLog, access: ConversationAccess, users: any UserDirectory,
        relations: any DirectRelations, presence: any Presence, broker: any Broker, clock: any TimeSource
    ) {
        self.database = database
        self.log = log
        self.access = access
        self.users = users
        self.relations = relations
        self.presence = presence
        self.broker = broker
        self.clock = clock
    }

    // MARK: The group itself

    /// Makes a group that the caller owns. Friends among `members` are in at once, the others are invited.
    package func create(
        _ caller: Caller, name: String, description: String = "", members: [UserID] = [], joinMode: JoinMode = .approval
    ) async throws(Fault) -> GroupID {
        try Policy.requireAccount(caller)
        let others = members.filter { $0 != caller.user }
        let (invitees, names) = try await invitees(others, of: caller, field: "members")
        let (log, now) = (log, clock.now)
        let made = try await log.transact { (connection, drafts) throws(Fault) in
            let store = GroupStore(connection: connection)
            let counts = try store.groupCounts(of: others + [caller.user])
            try GroupRules.requireFurtherGroup(counts[caller.user] ?? 0)
            let plan = GroupRules.inviting(invitees, members: [], groupCounts: counts)
            let group = GroupRecord(
                id: GroupID(unchecked: try connection.next(.group)), app: caller.app, name: name,
                description: description,
                announcement: "", joinMode: joinMode, owner: caller.user, mutedUntil: .distantPast)
            try store.insert(group, now: now)
            let change = GroupTransaction(group: group, by: caller, now: now, log: log, connection: connection)
            drafts += try change.found(with: plan.added, names: names)
            drafts += try change.invite(plan.invited)
            return group.id
        }
        // A session may remember that there is no such group.
        await broker.publish(.rightsChanged(.group(made), nil))
        return made
    }

    /// A group of the caller's app, for anybody who may think of joining it.
    package func get(_ caller: Caller, _ id: GroupID) async throws(Fault) -> GroupDetails {
        try Policy.requireAccount(caller)
        return try await database.read { connection throws(Fault) in
            let store = GroupStore(connection: connection)
            return try Self.details(try store.require(id, app: caller.app), caller, store)
        }
    }

    /// The caller's groups.
    package func list(_ caller: Caller, limit: Int, cursor: String?) async throws(Fault) -> MessagingPage<GroupSummary>
    {
        try Policy.requireAccount(caller)
        let after = try NumberCursor.read(cursor)
        let rows = try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).groups(of: caller.user, after: after, limit: limit + 1)
        }
        return .of(rows, limit: limit) { String($0.group.value) }
    }

    /// Changes name, description, announcement or the way of joining. Nothing is announced where nothing is new.
    package func edit(_ caller: Caller, _ id: GroupID, _ change: GroupChange) async throws(Fault) -> GroupDetails {
        try Policy.requireAccount(caller)
        let log = log
        let now = clock.now
        return try await log.transact(on: .group(id)) { (connection, drafts) throws(Fault) in
            let (transaction, member) = try GroupTransaction.open(
                id, caller, now: now, log: log, connection: connection)
            try Policy.require(.edit, by: member?.role)
            let news = change.differing(from: transaction.group)
            let changed = news.applied(to: transaction.group)
            if !news.isEmpty {
                try transaction.store.update(changed)
                drafts.append(transaction.events.changed(news))
            }
            return try Self.details(changed, caller, transaction.store)
        }
    }

    /// Ends a group: nobody is in it any more, and nobody reads it.
    package func dissolve(_ caller: Caller, _ id: GroupID) async throws(Fault) {
        try Policy.requireAccount(caller)
        let log = log
        let now = clock.now
        try await log.transact(on: .group(id)) { (connection, drafts) throws(Fault) in
            let (transaction, member) = try GroupTransaction.open(
                id, caller, now: now, log: log, connection: connection)
            try Policy.require(.dissolve, by: member?.role)
            let members = try transaction.store.memberIds(of: id)
            try transaction.store.dissolve(id, now: now)
            try ParticipantStore(connection: connection).removeAll(.group(id))
            drafts.append(transaction.events.dissolved())
            drafts += members.map { transaction.events.left($0, .dissolved) }
        }
        await broker.publish(.rightsChanged(.group(id), nil))
    }

    // MARK: For the gateway

    /// The conversations of a user's groups, which their sessions follow.
    package func groupsOf(_ user: UserID) async throws(Fault) -> [ConversationID] {
        let memberships = try await database.read { connection throws(Fault) in
            try GroupStore(connection: connection).memberships(of: user)
        }
        return memberships.keys.map { .group($0) }
    }

    package func memberCount(_ id: GroupID) async throws(Fault) -> Int {
        try await database.read { connection throws(Fault) in try GroupStore(connection: connection).memberCount(of: id)
        }
    }

    // MARK: Parts

    private static func details(_ group: GroupRecord, _ caller: Caller, _ store: GroupStore) throws(Fault)
        -> GroupDetails
    {
        let member = try store.member(caller.user, of: group.id)
        let shown = member == nil ? GroupChange(announcement: "").applied(to: group) : group
        return GroupDetails(
            group: shown, members: try store.memberCount(of: group.id), role: member?.role,
            myMutedUntil: member?.mutedUntil)
    }

    /// Looks up accounts that may be brought into a group of the caller's app, and what they are to the caller.
    func invitees(
        _ ids: [UserID], of caller: Caller, field: String
    ) async throws(Fault) -> (invitees: [GroupRules.Invitee], names: [UserID: String]) {
        let cards = try await users.cards(ids)
        for id in ids {
            guard let card = cards[id], card.app == caller.app else {
                throw Fault(.unknownUser, "there is no user \(id.value)", field: field)
            }
            guard card.role != .guest else { throw Fault(.guestsRefused, "guests may only use rooms", field: field) }
        }
        let relations = try await relations.relations(of: caller.user, to: ids)
        let invitees = ids.map { GroupRules.Invitee(user: $0, relation: relations[$0] ?? .stranger) }
        return (invitees, cards.mapValues(\.name))
    }

    /// What people see of users; empty for those that are gone.
    func names(_ ids: [UserID]) async throws(Fault) -> [UserID: String] { try await users.cards(ids).mapValues(\.name) }
}
