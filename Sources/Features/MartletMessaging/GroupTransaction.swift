import MartletCore
import MartletLog
import MartletSQL

/// One change of a group inside the log's transaction: the rows it writes, and the drafts that go with them.
struct GroupTransaction {
    let group: GroupRecord
    let by: Caller
    let now: Instant
    let log: any EventLog
    let connection: any SQLConnection

    /// Begins a change of a group of the caller's app; `member` is the caller's place in it.
    static func open(
        _ id: GroupID, _ caller: Caller, now: Instant, log: any EventLog, connection: any SQLConnection
    ) throws(Fault) -> (transaction: GroupTransaction, member: GroupMember?) {
        let store = GroupStore(connection: connection)
        let group = try store.require(id, app: caller.app)
        let transaction = GroupTransaction(group: group, by: caller, now: now, log: log, connection: connection)
        return (transaction, try store.member(caller.user, of: id))
    }

    var store: GroupStore { GroupStore(connection: connection) }
    var events: GroupEvents { GroupEvents(group: group.id, by: .init(id: by.user, name: by.name)) }

    /// The first members of a new group: the caller as its owner, and `others`.
    func found(with others: [UserID], names: [UserID: String]) throws(Fault) -> [Draft] {
        let everybody = [by.user] + others
        let fromSeq = try enter(everybody, owner: by.user)
        let people = people(everybody, names.merging([by.user: by.name]) { _, mine in mine })
        return [events.membership(.create, people)]
            + everybody.map { events.joined($0, name: group.name, fromSeq: fromSeq) }
    }

    /// Brings users in by one event, the first that they may read.
    func join(_ users: [UserID], names: [UserID: String]) throws(Fault) -> [Draft] {
        guard !users.isEmpty else { return [] }
        try GroupRules.requireRoom(members: try store.memberCount(of: group.id), joining: users.count)
        let fromSeq = try enter(users, owner: nil)
        try store.closeRequests(of: users, to: group.id, accepted: true, now: now)
        try store.removeInvitations(of: users, to: group.id)
        return [events.membership(.join, people(users, names))]
            + users.map { events.joined($0, name: group.name, fromSeq: fromSeq) }
    }

    /// Asks users; those who were asked already hear nothing new.
    func invite(_ users: [UserID]) throws(Fault) -> [Draft] {
        var drafts: [Draft] = []
        for user in users where try store.invite(user, to: group.id, by: by.user, now: now) {
            drafts.append(events.invited(user, name: group.name))
        }
        return drafts
    }

    /// Puts users out, or lets the caller go.
    func remove(_ users: [UserID], names: [UserID: String], _ reason: GroupEvents.LeaveReason) throws(Fault) -> [Draft]
    {
        try store.remove(users, from: group.id)
        let participants = ParticipantStore(connection: connection)
        for user in users { try participants.remove(user, group.conversation) }
        let action: GroupEvents.Action = reason == .left ? .leave : .kick
        return [events.membership(action, people(users, names))] + users.map { events.left($0, reason) }
    }

    func people(_ users: [UserID], _ names: [UserID: String]) -> [GroupEvents.Person] {
        users.map { .init(id: $0, name: names[$0] ?? "") }
    }

    /// Writes the rows of new members. Returns the seq of the event that must be the next one in the group.
    private func enter(_ users: [UserID], owner: UserID?) throws(Fault) -> Int64 {
        let last = try log.lastSeq(group.conversation, in: connection)
        let participants = ParticipantStore(connection: connection)
        for user in users {
            let role: GroupRole = user == owner ? .owner : .member
            let member = GroupMember(user: user, role: role, mutedUntil: .distantPast, fromSeq: last + 1)
            try store.insert(member, into: group.id, now: now)
            try participants.begin(user, group.conversation, after: last, now: now)
        }
        return last + 1
    }
}
