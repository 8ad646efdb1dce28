import MartletCore

/// Pure decisions about groups, besides the policy's.
enum GroupRules {
    // MARK: Joining

    enum JoinOutcome: Sendable, Equatable { case join, request }

    /// What becomes of the wish to join. An invitation opens every door.
    static func joining(_ mode: JoinMode, isMember: Bool, isInvited: Bool) throws(Fault) -> JoinOutcome {
        if isMember { throw Fault(.alreadyMember, "already a member of this group") }
        switch mode {
        case _ where isInvited: return .join
        case .open: return .join
        case .approval: return .request
        case .closed: throw Fault(.groupClosed, "this group is joined by invitation only")
        }
    }

    /// What is known of somebody who is to be invited.
    struct Invitee: Sendable {
        let user: UserID
        let relation: Relation
    }

    /// Who joins at once and who is asked first. Members, and those with a block between them and the inviter, are in neither list.
    struct Invitation: Sendable, Equatable {
        var added: [UserID] = []
        var invited: [UserID] = []
    }

    /// `groupCounts` says in how many groups each is already; a friend who is in as many as allowed is asked instead of added.
    static func inviting(_ invitees: [Invitee], members: Set<UserID>, groupCounts: [UserID: Int]) -> Invitation {
        var result = Invitation()
        for invitee in invitees where !members.contains(invitee.user) {
            switch invitee.relation {
            case .friend where (groupCounts[invitee.user] ?? 0) < Limits.groupsPerUser:
                result.added.append(invitee.user)
            case .friend, .stranger, .strangerRefused: result.invited.append(invitee.user)
            case .blockedByMe, .blockedByThem: continue
            }
        }
        return result
    }

    static func requireRoom(members: Int, joining: Int) throws(Fault) {
        guard members + joining <= Limits.groupMembers else { throw Fault(.limitReached, "the group is full") }
    }

    static func requireFurtherGroup(_ groups: Int) throws(Fault) {
        guard groups < Limits.groupsPerUser else { throw Fault(.limitReached, "no more groups for this user") }
    }

    // MARK: Mutes

    /// The end of a mute: absent means without an end, 0 lifts it.
    static func muteEnd(_ until: Instant?, now: Instant) throws(Fault) -> Instant {
        guard let until else { return .distantFuture }
        guard until > now || until == .distantPast else { throw .invalid("until", "a time to come, or 0, is expected") }
        return until
    }
}

/// What somebody changes of a group; nil leaves a field as it is.
package struct GroupChange: Sendable, Equatable {
    package var name: String?
    package var description: String?
    package var announcement: String?
    package var joinMode: JoinMode?
    /// `.distantPast` lifts a mute.
    var mutedUntil: Instant?

    package init(
        name: String? = nil, description: String? = nil, announcement: String? = nil, joinMode: JoinMode? = nil
    ) {
        self.name = name
        self.description = description
        self.announcement = announcement
        self.joinMode = joinMode
    }

    /// What of it is news to `group`.
    func differing(from group: GroupRecord) -> GroupChange {
        var change = self
        if name == group.name { change.name = nil }
        if description == group.description { change.description = nil }
        if announcement == group.announcement { change.announcement = nil }
        if joinMode == group.joinMode { change.joinMode = nil }
        if mutedUntil == group.mutedUntil { change.mutedUntil = nil }
        return change
    }

    var isEmpty: Bool { self == GroupChange() }

    func applied(to group: GroupRecord) -> GroupRecord {
        GroupRecord(
            id: group.id, app: group.app, name: name ?? group.name, description: description ?? group.description,
            announcement: announcement ?? group.announcement, joinMode: joinMode ?? group.joinMode, owner: group.owner,
            mutedUntil: mutedUntil ?? group.mutedUntil)
    }
}
