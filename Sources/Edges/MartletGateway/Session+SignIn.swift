import MartletBus
import MartletCore
import MartletWire
import NIOCore

/// The data of `login`.
struct LoginInput: JSONInput {
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

    /// Joins the user's other sessions, then loads what to follow. From here on revocations reach the session, and events are held for it.
    private func admit(_ signedIn: SessionUser, _ input: LoginInput, _ seq: String?) {
        let configuration = gateway.configuration
        let caller = signedIn.caller
        let entry = SessionRegistry.Entry(session: id, loop: loop.index, device: caller.device)
        let admission = gateway.registry.admit(
            caller.user, entry, configuration.sameDevice, limit: configuration.sessionsPerUser)
        guard case .admitted(let replaced) = admission else {
            return signInFailed(Fault(.limitReached, "this device kind is signed in already"), seq)
        }
        for old in replaced { gateway.loop(old.loop).replace(old.session) }

        self.caller = caller
        username = signedIn.username
        let user = loop.join(self, caller.user)
        self.user = user
        user.leftMeanwhile = []
        loop.sessions[id] = self
        gateway.metrics.sessions.add()
        catchUp = CatchUp()
        catchUp?.hold()
        let becameOnline = gateway.services.presenceWriter.opened(caller.user)
        let services = gateway.services
        loop.leaveLoop(self) { () throws(Fault) in
            let confirmed = try await services.authenticator.confirm(signedIn)
            return (confirmed, caller.role == .guest ? [] : try await services.conversations.groups(of: caller.user))
        } then: { (session, result: Result<(SessionUser, [ConversationID]), Fault>) in
            switch result {
            case .success((let confirmed, let groups)):
                session.welcome(confirmed, groups, input, seq, becameOnline: becameOnline)
            case .failure(let fault):
                session.leave()
                session.signInFailed(fault, seq)
            }
        }
    }

    private func welcome(
        _ signedIn: SessionUser, _ groups: [ConversationID], _ input: LoginInput, _ seq: String?, becameOnline: Bool
    ) {
        guard let user else { return }
        for group in groups where !user.leftMeanwhile.contains(group) { loop.follow(group, user) }
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
        if becameOnline { announce(signedIn.caller.user, online: true) }
    }

    /// What the session sends goes out under the new name from here on.
    func rename(_ nickname: String) { caller = caller?.named(nickname.isEmpty ? username : nickname) }

    private func announce(_ user: UserID, online: Bool) {
        let announcer = gateway.services.announcer
        // Presence may be dropped: where the pool is full, it is.
        _ = gateway.pool.submit { await announcer.announce(user, online: online) }
    }

    /// Undoes a login; harmless without one.
    func leave() {
        guard let caller, let user else { return }
        for room in rooms { leaveRoom(room, caller) }
        rooms = []
        loop.leave(self, user)
        loop.sessions[id] = nil
        gateway.registry.remove(caller.user, id)
        gateway.metrics.sessions.add(-1)
        self.caller = nil
        self.user = nil
        catchUp = nil
        isResuming = false
        awaitingRight = [:]
        if gateway.services.presenceWriter.closed(caller.user) { announce(caller.user, online: false) }
    }
}

extension GatewayLoop {
    /// A newer sign-in takes this session's place.
    func replace(_ session: SessionID) {
        eventLoop.execute { [self] in
            sessions[session]?.close(.replaced)
            flushDirty()
        }
    }
}
