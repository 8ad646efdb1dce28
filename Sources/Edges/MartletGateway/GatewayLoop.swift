import MartletCore
import MartletLog
import MartletWire
import NIOCore
import Synchronization

/// One event loop's share of the gateway: its sessions, what they follow, and the topics that it owns. All of its state is confined to the
/// loop, which is why it may call itself Sendable; the entrances from outside hop to the loop.
final class GatewayLoop: @unchecked Sendable {
    let index: Int
    let eventLoop: any EventLoop
    let allocator = ByteBufferAllocator()
    private var attached: Gateway?

    var wheel = TimerWheel<Session>()
    var sessions: [SessionID: Session] = [:]
    var users: [UserID: LocalUser] = [:]
    var topics: [ConversationID: LoopTopic] = [:]
    /// Where a read's frames are unmasked and obeyed. Whoever uses it takes it, and gives it back.
    private var workspace = ByteBuffer()
    /// Sessions with something written and not flushed.
    private var dirty: ContiguousArray<Session> = []
    /// Those that are being flushed; empty otherwise.
    private var flushing: ContiguousArray<Session> = []
    /// The last one in this turn.
    private var joint: Joint?
    /// Events written since the last flush. Counted here, since a counter that all loops share is slow.
    var delivered = 0

    // GatewayLoop+Arrivals.swift
    let arrivals = Mutex(Arrivals())

    // GatewayLoop+Streams.swift
    var streamWork = StreamWork()

    // GatewayLoop+Sends.swift
    var outgoing: [AppendRequest] = []
    var isSubmitScheduled = false
    var pendingSends: ContiguousArray<PendingSend?> = []
    var freeSends: ContiguousArray<Int> = []
    let inFlight = Atomic<Int>(0)

    /// Grows whenever somebody's rights change, so that a look-up that was under way is not believed.
    var rightsEpoch: UInt64 = 0

    init(_ index: Int, _ eventLoop: any EventLoop) {
        self.index = index
        self.eventLoop = eventLoop
    }

    /// Called once, before the first connection.
    func attach(_ gateway: Gateway) {
        attached = gateway
        eventLoop.execute { [self] in
            // Not weakly held, which would make all counting of references to the loop slow: it lives as long as its event loop.
            eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in self.tick() }
        }
    }

    /// The gateway lives as long as its server; nothing calls a loop before it is attached.
    var gateway: Gateway {
        guard let attached else { preconditionFailure("a loop is used before it is attached") }
        return attached
    }

    private func tick() {
        for session in wheel.advance() { session.deadlineCameUp() }
        flushDirty()
        confirmStreams()
        saveReceived()
    }

    // MARK: Reading

    /// An empty buffer that nobody else holds, so that it may be changed in place.
    func takeWorkspace() -> ByteBuffer {
        defer { workspace = ByteBuffer() }
        workspace.clear(minimumCapacity: Self.workspaceBytes)
        return workspace
    }

    /// A buffer that grew is not kept.
    func giveBack(_ workspace: ByteBuffer) {
        if workspace.capacity <= 2 * Self.workspaceBytes { self.workspace = workspace }
    }

    private static let workspaceBytes = 16 * 1024

    // MARK: Writing

    /// Puts a small frame behind what waits, which costs less than a way through the channel for each. Followers of a conversation get the same
    /// frames, each behind the same: they share the buffer too. False where it is better to write both.
    func join(_ waiting: inout ByteBuffer, _ frame: ByteBuffer) -> Bool {
        if let joint, joint.isOf(waiting, frame) {
            waiting = joint.both
            return true
        }
        guard waiting.readableBytes + frame.readableBytes <= Joint.maximum else { return false }
        // What nobody else has, nobody else will come with.
        if waiting.modifyIfUniquelyOwned({ _ = $0.writeImmutableBuffer(frame) }) == nil {
            let made = Joint(waiting, frame, allocator)
            joint = made
            waiting = made.both
        }
        return true
    }

    func markDirty(_ session: Session) { dirty.append(session) }

    /// Flushes each socket once per turn.
    func flushDirty() {
        joint = nil
        if delivered > 0 { gateway.metrics.deliveries.add(delivered) }
        delivered = 0
        guard !dirty.isEmpty else { return }
        swap(&dirty, &flushing)
        for session in flushing { session.flush() }
        flushing.removeAll(keepingCapacity: flushing.count <= 1024)
    }

    // MARK: Following

    /// The user's entry on this loop, made with its first session. `isFresh`: the node did not follow the user's topic.
    func join(_ session: Session, _ id: UserID) -> (user: LocalUser, isFresh: Bool) {
        let user = users[id] ?? LocalUser(id)
        var isFresh = false
        if user.sessions.isEmpty {
            users[id] = user
            isFresh = gateway.follow(.inbox(id), index)
        } else {
            isFresh = gateway.isStarting(.inbox(id))
        }
        user.sessions.append(session)
        return (user, isFresh)
    }

    func leave(_ session: Session, _ user: LocalUser) {
        user.sessions.removeAll { $0 === session }
        guard user.sessions.isEmpty else { return }
        for group in user.groups.keys { unfollow(group, user) }
        users[user.id] = nil
        gateway.unfollow(.inbox(user.id), index)
    }

    private func topic(_ conversation: ConversationID) -> (topic: LoopTopic, isFresh: Bool) {
        if let topic = topics[conversation] { return (topic, gateway.isStarting(conversation)) }
        let topic = LoopTopic()
        topics[conversation] = topic
        return (topic, gateway.follow(conversation, index))
    }

    private func dropIfEmpty(_ topic: LoopTopic, _ conversation: ConversationID) {
        guard topic.isEmpty else { return }
        topics[conversation] = nil
        gateway.unfollow(conversation, index)
    }

    /// True where the node did not follow the group: then it has to be started.
    func follow(_ group: ConversationID, _ user: LocalUser, from seq: Int64 = 0) -> Bool {
        guard user.groups.updateValue(seq, forKey: group) == nil else { return false }
        let (topic, isFresh) = topic(group)
        topic.users.append(user)
        return isFresh
    }

    func unfollow(_ group: ConversationID, _ user: LocalUser) {
        guard user.groups.removeValue(forKey: group) != nil, let topic = topics[group] else { return }
        if let index = topic.users.firstIndex(where: { $0 === user }) { topic.users.remove(at: index) }
        dropIfEmpty(topic, group)
    }

    /// True where the node did not follow the room: then it has to be started.
    func enter(_ room: ConversationID, _ session: Session) -> Bool {
        let (topic, isFresh) = topic(room)
        topic.sessions.append(session)
        return isFresh
    }

    func exit(_ room: ConversationID, _ session: Session) {
        guard let topic = topics[room] else { return }
        if let index = topic.sessions.firstIndex(where: { $0 === session }) { topic.sessions.remove(at: index) }
        dropIfEmpty(topic, room)
    }

    /// Every session on this loop that follows a conversation.
    func forEachFollower(_ conversation: ConversationID, _ body: (Session) -> Void) {
        switch conversation {
        case .direct(let low, let high):
            users[low]?.sessions.forEach(body)
            users[high]?.sessions.forEach(body)
        case .inbox(let id):
            users[id]?.sessions.forEach(body)
        case .group, .room:
            guard let topic = topics[conversation] else { return }
            for user in topic.users { user.sessions.forEach(body) }
            topic.sessions.forEach(body)
        }
    }

    // MARK: Work beyond the loop

    /// Runs `work` in the command pool and comes back to the loop with its result. `then` is not called for a session that has ended meanwhile, nor
    /// where somebody else has signed in on its connection. Where the pool is full, the result is `overloaded`.
    func leaveLoop<Value: Sendable>(
        _ session: Session, _ work: @escaping @Sendable () async throws(Fault) -> Value,
        then: @escaping (Session, Result<Value, Fault>) -> Void
    ) {
        let asked = session.id
        let then: (Session, Result<Value, Fault>) -> Void = { if $0.id == asked { then($0, $1) } }
        let back = NIOLoopBound((session, then), eventLoop: eventLoop)
        session.commandsInFlight += 1
        gateway.metrics.commandsAtWork.add()
        let isTaken = gateway.pool.submit { [self] in
            let result: Result<Value, Fault>
            do throws(Fault) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            eventLoop.execute { self.comeBack(back, result) }
        }
        if !isTaken {
            comeBack(back, .failure(Fault(.overloaded, "too many commands at once", retryAfter: .seconds(1))))
        }
    }

    private func comeBack<Value: Sendable>(
        _ back: NIOLoopBound<(Session, (Session, Result<Value, Fault>) -> Void)>, _ result: Result<Value, Fault>
    ) {
        let (session, then) = back.value
        gateway.metrics.commandsAtWork.add(-1)
        session.commandsInFlight -= 1
        if session.isOpen { then(session, result) }
        session.resume()
        flushDirty()
    }

    // MARK: Leaving

    func announceLeaving(_ delay: Duration) {
        eventLoop.execute { [self] in
            for session in sessions.values where session.isLive { session.goAway(within: delay) }
            flushDirty()
        }
    }

    func closeAll(_ code: WebSocketCloseCode) {
        eventLoop.execute { [self] in
            for session in Array(sessions.values) { session.close(code) }
            flushDirty()
        }
    }
}
