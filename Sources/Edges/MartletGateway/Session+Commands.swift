import Logging
import MartletBus
import MartletCore
import MartletLog
import MartletMessaging
import MartletWire
import NIOCore

// From a message to what is done about it.
extension Session {
    func obey(_ message: ByteBuffer) {
        let bytes = message.readableBytesUInt8Span
        let head: CommandHead
        do throws(UnreadableMessage) {
            head = try dialect.head(bytes)
        } catch {
            return refuse(limit() ?? error.fault, error.ticket)
        }
        if let fault = limit() { return refuse(fault, head.ticket) }
        if head.access == .user, caller == nil { return refuse(Self.notSignedIn, head.ticket) }
        do throws(Fault) {
            try run(try dialect.command(head, bytes), head.ticket)
        } catch {
            refuse(error, head.ticket)
        }
    }

    private func run(_ command: Command, _ ticket: Ticket) throws(Fault) {
        switch command {
        case .send(let submission): try send(submission, ticket)
        case .answer(let data): answer(ticket, data)
        case .signIn(let input): try signIn(input, ticket)
        case .signOut: signOut()
        case .run(let data): run(data, ticket)
        case .sync(let cursors, let limit): try sync(cursors, limit, ticket, try signedIn())
        case .typing(let conversation): try type(conversation, ticket, try signedIn())
        case .enter(let room): try enter(room, ticket, try signedIn())
        case .exit(let room): try exit(room, ticket)
        }
    }

    private func run(_ data: [UInt8], _ ticket: Ticket) {
        let runner = gateway.services.dialects[Int(dialectIndex)].runner
        let requester = Requester(caller: caller, address: address)
        loop.leaveLoop(self) { () throws(Fault) in
            try await runner.run(ticket.command, by: requester, data: data)
        } then: { session, result in
            session.conclude(ticket, result)
        }
    }

    private static let notSignedIn = Fault(.notSignedIn, "sign in first")

    private func signedIn() throws(Fault) -> Caller {
        guard let caller else { throw Self.notSignedIn }
        return caller
    }

    // MARK: Answers

    func answer(_ ticket: Ticket, _ data: [UInt8]?) { write(dialect.answer(ticket, data, loop.allocator)) }

    func refuse(_ fault: Fault, _ ticket: Ticket) {
        gateway.metrics.rejected(fault.reason)
        if let cause = fault.cause {
            gateway.logger.error(
                "command failed",
                metadata: [
                    "dialect": "\(dialect.name)", "command": "\(ticket.command)", "cause": "\(cause)",
                    "session": "\(id.text)",
                ])
        }
        guard let frame = dialect.refusal(ticket, fault, loop.allocator) else {
            // Whoever can't be told that a message is not stored, is to notice at least that something is wrong.
            if fault.isOurs { close(.internalError) }
            return
        }
        write(frame)
    }

    func conclude(_ ticket: Ticket, _ result: Result<[UInt8], Fault>) {
        switch result {
        case .success(let data): answer(ticket, data)
        case .failure(let fault): refuse(fault, ticket)
        }
    }

    // MARK: Limits

    /// Takes from the session's bucket; nothing where there is less than one.
    func limit(taking count: Double = 1) -> Fault? {
        guard gateway.configuration.isRateLimited else { return nil }
        let rule = gateway.configuration.commands
        let now = loop.wheel.now
        commandTokens = min(rule.burst, commandTokens + Double(now - tokensRefilled) * rule.perSecond)
        tokensRefilled = now
        guard commandTokens < 1 else {
            commandTokens -= count
            return nil
        }
        return Fault(.rateLimited, "too many commands", retryAfter: .seconds(1))
    }

    // MARK: Sending

    private func send(_ submission: Submission, _ ticket: Ticket) throws(Fault) {
        // Not the whole caller, which is a copy of many fields.
        guard let sender = caller?.user, let senderName = caller?.name else { throw Self.notSignedIn }
        if gateway.configuration.isRateLimited, let wait = takeSend(sender) {
            guard dialect.manners.waitsForRates else {
                throw Fault(.rateLimited, "too many messages", retryAfter: wait)
            }
            return rest(for: wait) { $0.retry(submission, ticket) }
        }
        _ = try MessageContent.check(submission.kind, submission.content.span)
        let conversation = try Self.conversation(submission.target, sender)
        try submit(
            Draft(
                conversation: conversation, sender: sender, senderName: senderName, kind: submission.kind,
                clientId: submission.clientId, body: submission.content, origin: id), ticket)
    }

    private static func conversation(
        _ target: Submission.Target, _ sender: UserID
    ) throws(Fault) -> ConversationID {
        switch target {
        case .conversation(let conversation): return conversation
        case .user(let user):
            guard let conversation = ConversationID.between(sender, user) else {
                throw .invalid("to", "a message to oneself goes nowhere")
            }
            return conversation
        }
    }

    private func retry(_ submission: Submission, _ ticket: Ticket) {
        do throws(Fault) { try send(submission, ticket) } catch { refuse(error, ticket) }
    }

    /// Takes one from the user's bucket; otherwise says how long to wait.
    private func takeSend(_ sender: UserID) -> Duration? {
        let services = gateway.services
        return services.limiter.take(.send(sender), gateway.configuration.sends, now: services.clock.now)
    }

    /// Sends at once where the right is known, else behind a look-up.
    private func submit(_ draft: consuming Draft, _ ticket: Ticket) throws(Fault) {
        let conversation = draft.conversation
        if awaitingRight[conversation] != nil {
            sendsInFlight += 1
            awaitingRight[conversation]?.append((draft, ticket))
        } else if let right = user?.right(conversation, tick: loop.wheel.now) {
            try right.check(now: gateway.services.clock.now)
            loop.submit(draft, self, ticket)
        } else {
            guard let caller else { throw Self.notSignedIn }
            sendsInFlight += 1
            awaitingRight[conversation] = [(draft, ticket)]
            lookUpRight(conversation, caller)
        }
    }

    private func lookUpRight(_ conversation: ConversationID, _ caller: Caller, triesLeft: Int = 3) {
        let (rights, epoch) = (gateway.services.rights, loop.rightsEpoch)
        loop.leaveLoop(self) { () throws(Fault) in
            try await rights.sendRight(caller, conversation)
        } then: { session, result in
            // Somebody's rights changed while this one was read: it may be the old one.
            if session.loop.rightsEpoch != epoch, triesLeft > 0 {
                return session.lookUpRight(conversation, caller, triesLeft: triesLeft - 1)
            }
            session.sendAwaiting(conversation, result)
        }
    }

    /// Whose connection breaks behind something that was said has said it, where the dialect's clients hear of no send: what still waits for its right is
    /// sent without the session. (A sign-out waits for it.)
    func sendOrphans() {
        guard dialect.manners.waitsForRates, let caller, !awaitingRight.isEmpty else { return }
        let (services, waiting) = (gateway.services, awaitingRight.mapValues { $0.map(\.draft) })
        _ = gateway.pool.submit {
            for (conversation, drafts) in waiting {
                guard let right = try? await services.rights.sendRight(caller, conversation),
                    (try? right.check(now: services.clock.now)) != nil
                else { continue }
                for draft in drafts { _ = try? await services.log.append(draft) }
            }
        }
    }

    private func sendAwaiting(_ conversation: ConversationID, _ result: Result<SendRight, Fault>) {
        let sends = awaitingRight.removeValue(forKey: conversation) ?? []
        sendsInFlight -= sends.count
        if case .success(let right) = result { user?.remember(right, conversation, tick: loop.wheel.now) }
        for (draft, ticket) in sends {
            do throws(Fault) {
                try result.get().check(now: gateway.services.clock.now)
                loop.submit(draft, self, ticket)
            } catch {
                refuse(error, ticket)
            }
        }
    }

    // MARK: Typing

    private func type(_ conversation: ConversationID, _ ticket: Ticket, _ caller: Caller) throws(Fault) {
        if let right = user?.right(conversation, tick: loop.wheel.now) {
            try right.check(now: gateway.services.clock.now)
            gateway.services.broker.post(.typing(conversation, by: caller.user, to: .followers))
            return answer(ticket, nil)
        }
        let services = gateway.services
        loop.leaveLoop(self) { () throws(Fault) in
            let right = try await services.rights.sendRight(caller, conversation)
            try right.check(now: services.clock.now)
            services.broker.post(.typing(conversation, by: caller.user, to: .followers))
        } then: { (session, result: Result<Void, Fault>) in
            switch result {
            case .success: session.answer(ticket, nil)
            case .failure(let fault): session.refuse(fault, ticket)
            }
        }
    }
}
