import MartletCore
import MartletWire

// Typical values, which the edges show in their documentation.

extension HistoryPage {
    package static let example = HistoryPage(items: [.example], nextCursor: 42, firstSeq: 1, lastSeq: 42)
}

extension ConversationSummary {
    package static let example = ConversationSummary(
        conversation: .direct(UserID(unchecked: 5), UserID(unchecked: 9)), title: "Bob", avatar: "/files/b1",
        peer: UserID(unchecked: 9), group: nil, firstSeq: 1, lastSeq: 42, readSeq: 41, unread: 1,
        lastMessage: .example, lastTime: Instant(milliseconds: 1_640_995_200_123), pinned: false, muted: false,
        peerCursor: .example)
}

extension ConversationSettings {
    package static let example = ConversationSettings(pinned: true, muted: false, hidden: false)
}

extension MemberCursor {
    package static let example = MemberCursor(user: UserID(unchecked: 9), readSeq: 40, deliveredSeq: 42)
}

extension RoomSummary {
    package static let example = RoomSummary(
        conversation: .room(AppID(unchecked: 1), "lobby"), name: "lobby", people: 3)
}

extension GroupSummary {
    package static let example = GroupSummary(
        group: GroupID(unchecked: 12), name: "Swifts", description: "We never land", members: 3, role: .owner)
}

extension GroupDetails {
    package static let example = GroupDetails(
        group: GroupRecord(
            id: GroupID(unchecked: 12), app: AppID(unchecked: 1), name: "Swifts", description: "We never land",
            announcement: "Welcome", joinMode: .approval, owner: UserID(unchecked: 5), mutedUntil: .distantPast),
        members: 3, role: .owner, myMutedUntil: .distantPast)
}

extension GroupRequestSummary {
    package static let example = GroupRequestSummary(
        request: 7, user: UserID(unchecked: 9), username: "bob", nickname: "Bob", message: "Let me in",
        time: Instant(milliseconds: 1_640_995_200_000))
}

extension GroupInviteResult {
    package static let example = GroupInviteResult(added: [UserID(unchecked: 9)], invited: [UserID(unchecked: 11)])
}

extension GroupInvitation {
    package static let example = GroupInvitation(
        group: GroupID(unchecked: 12), name: "Swifts", by: UserID(unchecked: 5), byName: "Alice",
        time: Instant(milliseconds: 1_640_995_200_000))
}

extension GroupMemberSummary {
    package static let example = GroupMemberSummary(
        user: UserID(unchecked: 9), username: "bob", nickname: "Bob", role: .member, mutedUntil: .distantPast,
        isOnline: true)
}
