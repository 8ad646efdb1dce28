import MartletBus
import MartletCore
import MartletWire
import NIOCore

/// A sign-in that is answered in a room.
struct RoomStart {
    let becameOnline: Bool
}

// Letting somebody in, and out again.
extension Session {
    func signIn(_ input: SignIn, _ ticket: Ticket) throws(Fault) {
        guard caller == nil else { throw Fault(.alreadySignedIn, "this session has signed in already") }
        phase = .signingIn
        id = gateway.nextSession()
        let (authenticator, session, address) = (gateway.services.authenticator, id, address)
        loop.leaveLoop(self) { () throws(Fault) in
            try await authenticator.signIn(input, address: address, session: session)
        } then: { (session, result: Result<SessionUser, Fault>) in
            switch result {
            case .success(let signedIn): session.admit(signedIn, input, ticket)
            case .failure(let fault): session.signInFailed(fault, ticket)
            }
        }
    }

    private func signInFailed(_ fault: Fault, _ ticket: Ticket) {
        phase = .anonymous
        refuse(fault, ticket)
        // A server that is too busy to look has not refused anybody.
        if !fault.isOurs { signInTries += 1 }
        // People at a console try again on the connection that they have; the rates hold them back.
        if signInTries >= GatewayConfiguration.signInTries, stream == nil { close(.refused) }
    }

    /// Joins the user's other sessions. From here on revocations reach the session, and events are held for it.
    private func admit(_ signedIn: SessionUser, _ input: SignIn, _ ticket: Ticket) {
        let configuration = gateway.configuration
        let caller = signedIn.caller
        self.caller = caller
        username = signedIn.username
        let (user, isFresh) = loop.join(self, caller.user)
        self.user = user
        if !user.sessions.contains(where: { $0 !== self && $0.phase == .signingIn }) { user.leftMeanwhile = [] }
        loop.sessions[id] = self
        gateway.metrics.sessions.add()
        catchUp = CatchUp()
        catchUp?.hold()
        let manners = dialect.manners
        let opening = SessionOpening(
            user: caller.user, session: id, device: manners.device ?? caller.device.rawValue,
            sameDevice: manners.isExclusive ? .refuse : configuration.sameDevice,
            limit: configuration.sessionsPerUser)
        let back = NIOLoopBound((self, input), eventLoop: loop.eventLoop)
        let (eventLoop, broker) = (loop.eventLoop, gateway.services.broker)
        gateway.services.presenceWriter.opened(opening) { admission in
            // Those who make room are told, whatever became of this one.
            if case .admitted(_, let replaced) = admission, !replaced.isEmpty {
                broker.post(.replaced(opening.user, replaced))
                // Said again, since a signal may be lost and nobody would notice.
                for pause in [TimeAmount.seconds(3), .seconds(15)] where broker.isLossy {
                    eventLoop.scheduleTask(in: pause) { broker.post(.replaced(opening.user, replaced)) }
                }
            }
            let go: @Sendable () -> Void = {
                let (session, input) = back.value
                session.opened(admission, signedIn, input, ticket, isFresh ? [.inbox(opening.user)] : [])
                session.resume()
                session.loop.flushDirty()
            }
            if eventLoop.inEventLoop { go() } else { eventLoop.execute(go) }
        }
    }

    /// The directory of sessions has answered: loads what to follow.
    private func opened(
        _ admission: Admission, _ signedIn: SessionUser, _ input: SignIn, _ ticket: Ticket, _ fresh: [ConversationID]
    ) {
        guard caller != nil, phase == .signingIn, id == signedIn.caller.session else {
            return gateway.abandonStart(fresh)
        }
        guard case .admitted(let isFirst, _) = admission else {
            gateway.abandonStart(fresh)
            leave()
            return signInFailed(Fault(.limitReached, "this device kind is signed in already"), ticket)
        }
        let (gateway, caller) = (gateway, signedIn.caller)
        loop.leaveLoop(self) { () throws(Fault) in
            try await gateway.start(fresh)
            let services = gateway.services
            let confirmed = try await services.authenticator.confirm(signedIn)
            return (confirmed, caller.role == .guest ? [] : try await services.conversations.groups(of: caller.user))
        } then: { (session, result: Result<(SessionUser, [ConversationID]), Fault>) in
            switch result {
            case .success((let confirmed, let groups)):
                session.follow(groups, confirmed, input, ticket, becameOnline: isFirst)
            case .failure(let fault):
                session.signInFailed(leaving: fault, ticket, fresh)
            }
        }
    }

    func signInFailed(leaving fault: Fault, _ ticket: Ticket, _ fresh: [ConversationID] = []) {
        gateway.abandonStart(fresh)
        leave()
        signInFailed(fault, ticket)
    }

    /// Follows the user's groups; those that nobody here followed have to be started first.
    private func follow(
        _ groups: [ConversationID], _ signedIn: SessionUser, _ input: SignIn, _ ticket: Ticket, becameOnline: Bool
    ) {
        guard let user else { return }
        var fresh: [ConversationID] = []
        for group in groups where !user.leftMeanwhile.contains(group) {
            if loop.follow(group, user) { fresh.append(group) }
        }
        guard !fresh.isEmpty else { return prepare(signedIn, input, ticket, becameOnline: becameOnline) }
        let (gateway, started) = (gateway, fresh)
        loop.leaveLoop(self) { () throws(Fault) in
            try await gateway.start(started)
        } then: { (session, result: Result<Void, Fault>) in
            switch result {
            case .success: session.prepare(signedIn, input, ticket, becameOnline: becameOnline)
            case .failure(let fault): session.signInFailed(leaving: fault, ticket, started)
            }
        }
    }

    /// Everything is followed; what the session has missed is looked up where it asks for it.
    private func prepare(_ signedIn: SessionUser, _ input: SignIn, _ ticket: Ticket, becameOnline: Bool) {
        guard input.start == .roster, let device = dialect.manners.device else {
            return welcome(signedIn, input, ticket, becameOnline: becameOnline, nil)
        }
        let (rosters, caller) = (gateway.services.rosters, signedIn.caller)
        loop.leaveLoop(self) { () throws(Fault) in
            try await rosters.roster(of: caller, device: device)
        } then: { (session, result: Result<Roster, Fault>) in
            // It may have ended meanwhile.
            guard session.caller != nil, session.phase == .signingIn else { return }
            switch result {
            case .success(let roster):
                session.welcome(signedIn, input, ticket, becameOnline: becameOnline, roster)
            case .failure(let fault): session.signInFailed(leaving: fault, ticket)
            }
        }
    }

    private func welcome(
        _ signedIn: SessionUser, _ input: SignIn, _ ticket: Ticket, becameOnline: Bool, _ roster: Roster?
    ) {
        guard let user else { return }
        caller = signedIn.caller
        // What an event said since the session joined is no older than what was read.
        if let nickname = user.nickname { rename(nickname) }
        if case .room(let room) = input.start {
            return comeIn(room, ticket, signedIn.caller, RoomStart(becameOnline: becameOnline))
        }
        goLive()
        let answer = dialect.welcome(ticket, greeting(signedIn.nickname, roster), loop.allocator)
        write(answer.frame)
        tellToGo()
        isResuming = input.start == .afterSync
        if let roster { take(roster, answered: answer.missed) }
        if !isResuming { start() }
        if becameOnline { gateway.announce(signedIn.caller.user, online: true) }
    }

    private func goLive() {
        phase = .live
        lastHeard = loop.wheel.now
        signInTries = 0
    }

    /// It came in while the others were told already.
    private func tellToGo() {
        if let left = gateway.services.departure.timeLeft(now: .now) { goAway(within: left) }
    }

    /// What is sent from here on goes to the session.
    private func start() {
        catchUp?.release()
        settle()
    }

    private func greeting(_ nickname: String, _ roster: Roster? = nil) -> Welcome {
        Welcome(
            user: caller?.user ?? .system, username: username, nickname: user?.nickname ?? nickname, session: id,
            heartbeat: gateway.configuration.heartbeat, now: gateway.services.clock.now, roster: roster)
    }

    /// Its sign-in is answered once it is in the room; until then it gets nothing.
    private func comeIn(_ room: ConversationID, _ ticket: Ticket, _ caller: Caller, _ start: RoomStart) {
        do throws(Fault) { try enter(room, ticket, caller, start: start) } catch {
            signInFailed(leaving: error, ticket)
        }
    }

    /// The session is in the room that it signed in to.
    func welcome(_ ticket: Ticket, _ roomStart: RoomStart) {
        guard let caller, phase == .signingIn else { return }
        goLive()
        write(dialect.welcome(ticket, greeting(caller.name), loop.allocator).frame)
        tellToGo()
        start()
        if roomStart.becameOnline { gateway.announce(caller.user, online: true) }
    }

    /// What the answer did not hold comes behind it.
    private func take(_ roster: Roster, answered count: Int) {
        var positions = roster.positions
        for event in roster.missed.prefix(count) {
            positions[event.conversation] = event.seq
            note(event.conversation, event.seq)
        }
        flushStream()
        pauseStream()
        // The user may have left a group since.
        for (conversation, seq) in positions where follows(conversation) {
            catchUp?.resume(conversation, after: seq)
        }
    }

    /// What the session sends goes out under the new name from here on.
    func rename(_ nickname: String) { caller = caller?.named(nickname.isEmpty ? username : nickname) }

    /// The session ends and the connection stays.
    func signOut() {
        leave()
        clearStream()
        phase = .anonymous
        opened = loop.wheel.now
        schedule(opened + signInTicks)
    }

    /// Undoes a login; harmless without one.
    func leave() {
        guard let caller, let user else { return }
        confirmStream()
        for room in rooms { leaveRoom(room, caller) }
        rooms = []
        loop.leave(self, user)
        loop.sessions[id] = nil
        gateway.metrics.sessions.add(-1)
        self.caller = nil
        self.user = nil
        catchUp = nil
        slowSince = nil
        isResuming = false
        sendsInFlight -= awaitingRight.values.reduce(0) { $0 + $1.count }
        awaitingRight = [:]
        let (gateway, id) = (gateway, id)
        let close: @Sendable () -> Void = {
            gateway.services.presenceWriter.closed(caller.user, id) { isLast in
                if isLast { gateway.announce(caller.user, online: false) }
            }
        }
        if dialect.manners.isServerResumed { loop.saveReceived(then: close) } else { close() }
    }
}

extension Gateway {
    /// Tells a user's friends.
    func announce(_ user: UserID, online: Bool) {
        let announcer = services.announcer
        // Presence may be dropped: where the pool is full, it is.
        _ = pool.submit { await announcer.announce(user, online: online) }
    }
}
