import MartletBus
import MartletCore
import MartletWire
import NIOCore

/// An event on its way to the loop's sessions: encoded once for all of them in each dialect that somebody needs it in. Each loop encodes for itself,
/// since cores that count references to the same bytes would slow one another down.
struct Delivery {
    let event: Event
    let allocator: ByteBufferAllocator
    private var frames = Frames()

    init(event: Event, allocator: ByteBufferAllocator) {
        self.event = event
        self.allocator = allocator
    }

    mutating func frame(for session: Session) -> ByteBuffer? {
        if frames.dialect == session.dialectIndex { return frames.frame }
        let (event, allocator) = (event, allocator)
        return frames.frame(for: session) { $0.push(event, allocator) }
    }
}

/// The frames of one thing, by dialect, each made when it is first needed. Nil where a dialect has none.
struct Frames {
    /// The first dialect that asked, and its frame.
    private(set) var dialect = UInt8.max
    private(set) var frame: ByteBuffer?
    /// Of the other dialects, where there are any.
    private var others: [(dialect: UInt8, frame: ByteBuffer?)] = []

    mutating func frame(for session: Session, _ make: (any Dialect) -> ByteBuffer?) -> ByteBuffer? {
        if session.dialectIndex == dialect { return frame }
        if dialect == .max {
            dialect = session.dialectIndex
            frame = make(session.dialect)
            return frame
        }
        if let known = others.first(where: { $0.dialect == session.dialectIndex }) { return known.frame }
        let made = make(session.dialect)
        others.append((session.dialectIndex, made))
        return made
    }
}

// Local fan-out: writes events to this loop's sessions, and flushes each socket once.
extension GatewayLoop {
    func deliver(_ event: Event) {
        if case .groupJoined = event.kind { joined(event) }
        var delivery = Delivery(event: event, allocator: allocator)
        forEachFollower(event.conversation) { $0.deliver(&delivery) }
        switch event.kind {
        case .membership: membersChanged(event)
        case .groupLeft: left(event)
        case .profileChanged: profileChanged(event)
        default: break
        }
    }

    /// The inbox says that its user is in a group now: the user's sessions follow it, from the event that let them in.
    private func joined(_ event: Event) {
        guard case .inbox(let id) = event.conversation, let user = users[id], let content = content(of: event),
            let group = content["conversationId"]?.string.flatMap({ ConversationID($0) }),
            let from = content["fromSeq"]?.integer
        else { return }
        user.leftMeanwhile.remove(group)
        guard user.groups[group] == nil else { return }
        if follow(group, user, from: from) { gateway.start(group, from: from) }
        for session in user.sessions { session.follow(group, from: from) }
    }

    /// Whom the event takes out of the group does not get the one behind it, even where the word in their own inbox is slower.
    private func membersChanged(_ event: Event) {
        guard let content = content(of: event), let action = content["action"]?.string,
            action == "kick" || action == "leave"
        else { return }
        for id in content["userIds"]?.array ?? [] {
            // One who came in again since, by a faster way, stays.
            guard let user = id.integer.flatMap({ users[UserID(unchecked: $0)] }),
                let from = user.groups[event.conversation],
                from < event.seq
            else { continue }
            leave(event.conversation, user)
        }
    }

    private func left(_ event: Event) {
        guard case .inbox(let id) = event.conversation, let user = users[id], let content = content(of: event),
            let group = content["conversationId"]?.string.flatMap({ ConversationID($0) })
        else { return }
        leave(group, user)
    }

    /// A token keeps the name that it was made with: the sessions take the new one from here, so that no send has to look it up.
    private func profileChanged(_ event: Event) {
        guard case .inbox(let id) = event.conversation, let user = users[id],
            let nickname = content(of: event)?["nickname"]?.string
        else { return }
        user.nickname = nickname
        for session in user.sessions { session.rename(nickname) }
    }

    private func leave(_ group: ConversationID, _ user: LocalUser) {
        user.leftMeanwhile.insert(group)
        user.forgetRight(group)
        unfollow(group, user)
        for session in user.sessions { session.unfollow(group) }
    }

    private func content(of event: Event) -> JSONValue? { event.body.flatMap { try? JSONValue(parsing: $0) } }

    // MARK: Signals

    /// Takes a signal from any thread; `done` runs on the loop behind it.
    func receive(_ signal: Signal, done: @escaping @Sendable () -> Void) {
        eventLoop.execute { [self] in
            handle(signal)
            flushDirty()
            done()
        }
    }

    private func handle(_ signal: Signal) {
        switch signal {
        case .typing(let conversation, let user, let audience):
            pass(.typing(conversation, by: user), conversation, user, audience, includesSelf: false)
        case .read(let conversation, let user, let seq, let audience):
            pass(.read(conversation, by: user, seq: seq), conversation, user, audience, includesSelf: true)
        case .delivered(let conversation, let user, let seq, let audience):
            pass(.delivered(conversation, by: user, seq: seq), conversation, user, audience, includesSelf: true)
        case .presence(let user, let online, let friends): presence(user, online, friends)
        case .room(let room, let user, let username, let here):
            pass(
                .room(room, user: user, username: username, isHere: here), room, user, .followers, includesSelf: false)
        case .rightsChanged(let conversation, let user): forgetRights(conversation, user)
        case .revoked(let user, let family, let except, let reason): revoke(user, family, except, reason)
        case .replaced(_, let replaced): for session in replaced { sessions[session]?.close(.replaced) }
        // The gateway asks the log itself.
        case .missed: break
        }
    }

    /// Writes a push that may be dropped.
    private func pass(
        _ notice: Notice, _ conversation: ConversationID, _ by: UserID, _ audience: Audience, includesSelf: Bool
    ) {
        var frames = Frames()
        let allocator = allocator
        let write: (Session) -> Void = { session in
            guard includesSelf || session.caller?.user != by else { return }
            session.pass(frames.frame(for: session) { $0.push(notice, allocator) })
        }
        switch audience {
        case .followers: forEachFollower(conversation, write)
        case .users(let ids): for id in ids { users[id]?.sessions.forEach(write) }
        }
    }

    private func presence(_ user: UserID, _ online: Bool, _ friends: [UserID]) {
        var frames = Frames()
        let (notice, allocator) = (Notice.presence(user, isOnline: online), allocator)
        for friend in friends {
            for session in users[friend]?.sessions ?? [] {
                session.pass(frames.frame(for: session) { $0.push(notice, allocator) })
            }
        }
    }

    private func forgetRights(_ conversation: ConversationID, _ user: UserID?) {
        rightsEpoch += 1
        if let user { return users[user]?.forgetRight(conversation) ?? () }
        if case .inbox(let changed) = conversation {
            // The user now takes, or refuses, messages of strangers: that concerns whoever may write to them.
            for other in users.values { ConversationID.between(other.id, changed).map { other.forgetRight($0) } }
        }
        forEachFollower(conversation) { $0.user?.forgetRight(conversation) }
    }

    private func revoke(_ id: UserID, _ family: Int64, _ except: Int64, _ reason: RevocationReason) {
        guard let user = users[id] else { return }
        let code: WebSocketCloseCode =
            switch reason {
            case .signedOut: .signedOut
            case .banned: .banned
            case .passwordChanged: .passwordChanged
            }
        for session in Array(user.sessions) {
            guard let own = session.caller?.family else { continue }
            let isMeant =
                switch family {
                case 0: except == 0 || own != except
                // Those that belong to no sign-in; the others hear of their own.
                case ..<0: own == 0
                default: own == family
                }
            if isMeant { session.close(code) }
        }
    }
}
