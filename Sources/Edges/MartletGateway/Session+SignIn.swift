import MartletBus
import MartletCore
import MartletWire
import NIOCore

/// The data of `login`.
struct LoginInput: JSONInput, Sendable {
    let token, guest: String?
    let device: DeviceKind?
    let app: AppID?
    /// Pushes wait until the first `sync` is answered.
    let resumes: Bool

    init(_ fields: borrowing JSONFields) throws(Fault) {
        token = try fields.optionalText("token", 1...4096)
        guest = try fields.optionalText("guest", Limits.nickname)
        device = try fields.optionalChoice("device", of: DeviceKind.self)
        app = try fields.optionalInteger("appId", 1...Int64(Int32.max)).flatMap { AppID($0) }
        resumes = try fields.optionalFlag("resume") ?? false
    }
}

// Letting somebody in, and out again.
extension Session {
    func signIn(_ fields: borrowing JSONFields, _ seq: String?) throws(Fault) {
        guard caller == nil else { throw Fault(.alreadySignedIn, "this session has signed in already") }
        let input = try LoginInput(fields)
        guard (input.token == nil) != (input.guest == nil) else { throw .missing("token") }
        phase = .signingIn
        id = gateway.nextSession()
        let (authenticator, session, address) = (gateway.services.authenticator, id, address)
        loop.leaveLoop(self) { () throws(Fault) in
            if let token = input.token {
                return try await authenticator.signIn(token: token, device: input.device, session: session)
            }
            return try await authenticator.signIn(
                guest: input.guest ?? "", app: input.app, device: input.device, address: address, session: session)
        } then: { (session, result: Result<SessionUser, Fault>) in
            switch result {
            case .success(let signedIn): session.admit(signedIn, input, seq)
            case .failure(let fault): session.signInFailed(fault, seq)
            }
        }
    }

    private func signInFailed(_ fault: Fault, _ seq: String?) {
        phase = .anonymous
        refuse(fault, seq: seq, .login)
        // A server that is too busy to look has not refused anybody.
        if !fault.isOurs { signInTries += 1 }
        if signInTries >= GatewayConfiguration.signInTries { close(.refused) }
    }

    /// Joins the user's other sessions. From here on revocations reach the session, and events are held for it.
    private func admit(_ signedIn: SessionUser, _ input: LoginInput, _ seq: String?) {
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
        let opening = SessionOpening(
            user: caller.user, session: id, device: caller.device, sameDevice: configuration.sameDevice,
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
                session.opened(admission, signedIn, input, seq, isFresh ? [.inbox(opening.user)] : [])
                session.resume()
                session.loop.flushDirty()
            }
            if eventLoop.inEventLoop { go() } else { eventLoop.execute(go) }
        }
    }

    /// The directory of sessions has answered: loads what to follow.
    private func opened(
        _ admission: Admission, _ signedIn: SessionUser, _ input: LoginInput, _ seq: String?, _ fresh: [ConversationID]
    ) {
        guard caller != nil, phase == .signingIn, id == signedIn.caller.session else {
            return gateway.abandonStart(fresh)
        }
        guard case .admitted(let isFirst, _) = admission else {
            gateway.abandonStart(fresh)
            leave()
            return signInFailed(Fault(.limitReached, "this device kind is signed in already"), seq)
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
                session.follow(groups, confirmed, input, seq, becameOnline: isFirst)
            case .failure(let fault):
                session.signInFailed(leaving: fault, seq, fresh)
            }
        }
    }

    private func signInFailed(leaving fault: Fault, _ seq: String?, _ fresh: [ConversationID]) {
        gateway.abandonStart(fresh)
        leave()
        signInFailed(fault, seq)
    }

    /// Follows the user's groups; those that nobody here followed have to be started first.
    private func follow(
        _ groups: [ConversationID], _ signedIn: SessionUser, _ input: LoginInput, _ seq: String?, becameOnline: Bool
    ) {
        guard let user else { return }
        var fresh: [ConversationID] = []
        for group in groups where !user.leftMeanwhile.contains(group) {
            if loop.follow(group, user) { fresh.append(group) }
        }
        guard !fresh.isEmpty else { return welcome(signedIn, input, seq, becameOnline: becameOnline) }
        let (gateway, started) = (gateway, fresh)
        loop.leaveLoop(self) { () throws(Fault) in
            try await gateway.start(started)
        } then: { (session, result: Result<Void, Fault>) in
            switch result {
            case .success: session.welcome(signedIn, input, seq, becameOnline: becameOnline)
            case .failure(let fault): session.signInFailed(leaving: fault, seq, started)
            }
        }
    }

    private func welcome(_ signedIn: SessionUser, _ input: LoginInput, _ seq: String?, becameOnline: Bool) {
        guard let user else { return }
        caller = signedIn.caller
        // What an event said since the session joined is no older than what was read.
        if let nickname = user.nickname { rename(nickname) }
        phase = .live
        lastHeard = loop.wheel.now
        let data = JSONWriter.object {
            $0.field("userId", signedIn.caller.user)
            $0.field("username", signedIn.username)
            $0.field("nickname", user.nickname ?? signedIn.nickname)
            $0.field("sessionId", id.text)
            $0.field("heartbeat", Int(gateway.configuration.heartbeat.components.seconds))
            $0.field("serverTime", gateway.services.clock.now)
        }
        answer(.login, seq, data)
        // It came in while the others were told already.
        if let left = gateway.services.departure.timeLeft(now: .now) { goAway(within: left) }
        isResuming = input.resumes
        if !isResuming {
            catchUp?.release()
            settle()
        }
        if becameOnline { gateway.announce(signedIn.caller.user, online: true) }
    }

    /// What the session sends goes out under the new name from here on.
    func rename(_ nickname: String) { caller = caller?.named(nickname.isEmpty ? username : nickname) }

    /// Undoes a login; harmless without one.
    func leave() {
        guard let caller, let user else { return }
        for room in rooms { leaveRoom(room, caller) }
        rooms = []
        loop.leave(self, user)
        loop.sessions[id] = nil
        gateway.metrics.sessions.add(-1)
        self.caller = nil
        self.user = nil
        catchUp = nil
        isResuming = false
        awaitingRight = [:]
        let gateway = gateway
        gateway.services.presenceWriter.closed(caller.user, id) { isLast in
            if isLast { gateway.announce(caller.user, online: false) }
        }
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
