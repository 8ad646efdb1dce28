import MartletBus
import MartletCore
import MartletMessaging
import MartletWire
import NIOCore
import Synchronization

// What the session gets: live events, what it missed, and rooms.
extension Session {
    // MARK: Events

    func deliver(_ delivery: inout Delivery) {
        let isOwn = delivery.event.origin == id || cameBack(delivery.event)
        guard catchUp == nil else { return deliverBehind(&delivery, isOwn) }
        guard isPlain else {
            if isOwn { note(delivery.event.conversation, delivery.event.seq) } else { push(&delivery) }
            return
        }
        guard !isOwn, phase == .live, let frame = delivery.frame(for: self) else { return }
        cork(frame)
        loop.delivered += 1
        if !isWritable { becameSlow() }
    }

    /// What the user sent from elsewhere, in a dialect whose clients don't expect it.
    private func isUnheard(_ event: Event) -> Bool {
        guard isDeafToSelf, event.sender == caller?.user else { return false }
        if case .inbox = event.conversation { return false }
        return true
    }

    /// True for a send of this session that was read from the log, which does not know who sent it: it was or will be answered.
    private func cameBack(_ event: Event) -> Bool {
        guard gateway.isLossy, event.origin == .none, event.sender == caller?.user else { return false }
        if ownAnswers.contains(where: { $0.seq == event.seq && $0.conversation == event.conversation }) { return true }
        return sendsInFlight > 0 && loop.isPending(event, self)
    }

    private func deliverBehind(_ delivery: inout Delivery, _ isOwn: Bool) {
        let event = delivery.event
        if catchUp?.arrived(event.conversation, event.seq, isOwn: isOwn) == .push { push(&delivery) }
        if (catchUp?.count ?? 0) > GatewayConfiguration.heldConversations { return close(.slowReader) }
        if isOwn, (catchUp?.ownSends ?? 0) > GatewayConfiguration.heldSends { return close(.slowReader) }
        settle()
    }

    private func push(_ delivery: inout Delivery) {
        guard !isUnheard(delivery.event) else { return note(delivery.event.conversation, delivery.event.seq) }
        push(delivery.event, delivery.frame(for: self))
    }

    private func push(_ event: Event, _ frame: ByteBuffer?) {
        guard phase == .live else { return }
        guard let frame else { return note(event.conversation, event.seq) }
        if stream == nil { write(frame) } else { writeStream(frame, of: event) }
        loop.delivered += 1
        if !isWritable { becameSlow() }
    }

    /// Writes what may be dropped.
    func pass(_ frame: ByteBuffer?) {
        guard phase == .live, let frame else { return }
        guard slowSince == nil, isWritable else { return gateway.metrics.dropped.add() }
        write(frame)
    }

    /// A send of this session has its place; the event must not come to it again.
    func stored(_ conversation: ConversationID, _ seq: Int64) {
        catchUp?.answered(conversation, seq)
        guard gateway.isLossy else { return }
        if ownAnswers.count >= GatewayConfiguration.ownAnswers { ownAnswers.removeFirst() }
        ownAnswers.append((conversation, seq))
    }

    // MARK: Slow readers

    func becameSlow() {
        guard slowSince == nil, phase == .live else { return }
        slowSince = loop.wheel.now
        gateway.metrics.slowReaders.add()
        if catchUp == nil { catchUp = CatchUp() }
        catchUp?.becameSlow()
        scheduleSlowDeadline()
    }

    func writabilityChanged() {
        guard phase == .live, isWritable, slowSince != nil else { return }
        slowSince = nil
        if slowSince == nil, stream?.isFull != true { catchUp?.drained() }
        settle()
        resume()
        loop.flushDirty()
    }

    // MARK: Catching up

    /// Reads the next of what is missing from the log; forgets the state once there is nothing.
    func settle() {
        guard let state = catchUp else { return }
        if state.isDone {
            catchUp = nil
            return
        }
        guard let read = catchUp?.nextRead(page: GatewayConfiguration.catchUpPage) else { return }
        let (source, isCurrent) = (gateway.services.conversations, dialect.manners.isServerResumed)
        loop.leaveLoop(self) { () throws(Fault) in
            try await source.events(
                read.conversation, from: read.from, through: read.through, limit: GatewayConfiguration.catchUpPage,
                isCurrent: isCurrent)
        } then: { (session, result: Result<[Event], Fault>) in
            session.caughtUp(read, result)
        }
    }

    private func caughtUp(_ read: CatchUp.Read, _ result: Result<[Event], Fault>) {
        guard case .success(let events) = result else {
            catchUp?.readFailed()
            return settleLater()
        }
        if let first = events.first, first.seq > read.from {
            // Trimmed meanwhile: a fresh sync tells the client so.
            return close(.slowReader)
        }
        let through = events.last?.seq ?? read.from - 1
        let handover =
            catchUp?.read(read.conversation, through: through, isLast: through < read.through) ?? .nothing
        for event in events where handover.includes(event.seq) && phase == .live {
            push(event, isUnheard(event) ? nil : dialect.push(event, loop.allocator))
        }
        if phase == .live, through >= read.from { note(read.conversation, through) }
        settle()
    }

    /// The log could not be read: it is asked again in a moment. The session stays, and gets nothing out of order.
    private func settleLater() {
        let back = NIOLoopBound((self, id), eventLoop: loop.eventLoop)
        loop.eventLoop.scheduleTask(in: .seconds(1)) {
            let (session, id) = back.value
            guard session.isLive, session.id == id else { return }
            session.settle()
            session.loop.flushDirty()
        }
    }

    func forgetGuards() {
        let gateway = gateway
        catchUp?.forgetGuards { conversation, seq in
            gateway.topics.withLock { $0.sequencer.isPassed(conversation, seq) }
        }
    }

    /// The user came into a group: its events go to the session from `seq` on.
    func follow(_ group: ConversationID, from seq: Int64) {
        if catchUp == nil { catchUp = CatchUp() }
        catchUp?.follow(group, from: seq)
        settle()
    }

    func unfollow(_ group: ConversationID) { catchUp?.unfollow(group) }

    // MARK: Sync

    func sync(
        _ cursors: [(ConversationID, Int64)], _ limit: Int, _ ticket: Ticket, _ caller: Caller
    ) throws(Fault) {
        if catchUp == nil { catchUp = CatchUp() }
        catchUp?.hold()
        let (source, rooms) = (gateway.services.conversations, rooms)
        loop.leaveLoop(self) { () throws(Fault) in
            let result = try await source.sync(caller, cursors: cursors, limit: limit, rooms: rooms)
            return (result, JSONWriter.encode(result))
        } then: { (session, result: Result<(SyncResult, [UInt8]), Fault>) in
            session.synced(result, cursors, ticket)
        }
    }

    private func synced(
        _ result: Result<(SyncResult, [UInt8]), Fault>, _ cursors: [(ConversationID, Int64)], _ ticket: Ticket
    ) {
        catchUp?.release()
        switch result {
        case .success((let answered, let data)):
            answer(ticket, data)
            if isResuming {
                isResuming = false
                catchUp?.release()
            }
            for conversation in answered.conversations {
                catchUp?.synced(conversation.conversation, through: conversation.through, more: conversation.more)
            }
            // What the client has already and the answer left out may still be on its way to this loop. Only there: a cursor beyond the log's
            // end was answered with a reset, and one of a group that the user is not in must not open it.
            let named = Set(answered.conversations.map(\.conversation))
            for (conversation, cursor) in cursors
            where cursor > 0 && !named.contains(conversation) && follows(conversation) {
                catchUp?.synced(conversation, through: cursor, more: false)
            }
        case .failure(let fault):
            refuse(fault, ticket)
        }
        settle()
    }

    func follows(_ conversation: ConversationID) -> Bool {
        guard let user else { return false }
        return switch conversation {
        case .direct(let low, let high): user.id == low || user.id == high
        case .inbox(let id): user.id == id
        case .group: user.groups[conversation] != nil
        case .room: rooms.contains(conversation)
        }
    }

    // MARK: Rooms

    /// `start`: without the room there is no session.
    func enter(_ room: ConversationID, _ ticket: Ticket, _ caller: Caller, start: RoomStart? = nil) throws(Fault) {
        guard case .room = room else { throw Fault(.notARoom, "only rooms are entered", field: "conversationId") }
        guard rooms.contains(room) || rooms.count < GatewayConfiguration.roomsPerSession else {
            throw Fault(.limitReached, "a session can be in \(GatewayConfiguration.roomsPerSession) rooms")
        }
        let source = gateway.services.conversations
        loop.leaveLoop(self) { () throws(Fault) in
            try await source.enter(caller, room)
        } then: { (session, result: Result<Int64, Fault>) in
            switch result {
            case .success(let last): session.entered(room, after: last, ticket, caller, start)
            case .failure(let fault) where start != nil: session.signInFailed(leaving: fault, ticket)
            case .failure(let fault): session.refuse(fault, ticket)
            }
        }
    }

    private func entered(
        _ room: ConversationID, after last: Int64, _ ticket: Ticket, _ caller: Caller, _ start: RoomStart?
    ) {
        guard !rooms.contains(room) else {
            return welcome(to: room, after: last, ticket, caller, isFirst: false, start)
        }
        rooms.append(room)
        if loop.enter(room, self) { gateway.start(room, from: last + 1) }
        user?.forgetRight(room)
        follow(room, from: last + 1)
        let back = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        gateway.services.presenceWriter.entered(room, caller.user) { isFirst in
            let go: @Sendable () -> Void = {
                guard back.value.isOpen else { return }
                back.value.welcome(to: room, after: last, ticket, caller, isFirst: isFirst, start)
            }
            if eventLoop.inEventLoop { go() } else { eventLoop.execute(go) }
        }
    }

    private func welcome(
        to room: ConversationID, after last: Int64, _ ticket: Ticket, _ caller: Caller, isFirst: Bool,
        _ start: RoomStart?
    ) {
        let (services, username) = (gateway.services, username)
        loop.leaveLoop(self) { () throws(Fault) in
            let count = await services.presence.people(in: room, limit: 1).count
            if isFirst, count <= Limits.announcedRoom {
                services.broker.post(.room(room, user: caller.user, username: username, here: true))
            }
            return JSONWriter.object {
                $0.field("lastSeq", last)
                $0.field("people", count)
            }
        } then: { (session, result: Result<[UInt8], Fault>) in
            // A sign-in is answered as one, whatever is known of the people.
            if let start { session.welcome(ticket, start) } else { session.conclude(ticket, result) }
        }
    }

    func exit(_ room: ConversationID, _ ticket: Ticket) throws(Fault) {
        guard let caller, let index = rooms.firstIndex(of: room) else {
            throw Fault(.notAMember, "this session is not in the room", field: "conversationId")
        }
        rooms.remove(at: index)
        leaveRoom(room, caller)
        answer(ticket, nil)
    }

    func leaveRoom(_ room: ConversationID, _ caller: Caller) {
        loop.exit(room, self)
        user?.forgetRight(room)
        catchUp?.unfollow(room)
        let (gateway, username) = (gateway, username)
        gateway.services.presenceWriter.left(room, caller.user) { isLast in
            guard isLast else { return }
            let services = gateway.services
            _ = gateway.pool.submit {
                guard await services.presence.people(in: room, limit: 1).count <= Limits.announcedRoom else { return }
                services.broker.post(.room(room, user: caller.user, username: username, here: false))
            }
        }
    }
}
