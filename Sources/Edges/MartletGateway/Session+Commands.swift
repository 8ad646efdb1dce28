import Logging
import MartletBus
import MartletCore
import MartletMessaging
import MartletWire
import NIOCore

// From a text frame to what is done about it.
extension Session {
    func obey(_ text: ByteBuffer) {
        let bytes = text.readableBytesUInt8Span
        let command: NativeCommand
        do throws(Fault) {
            command = try NativeCommand.scan(bytes)
        } catch {
            let seq = NativeCommand.seq(bytes).map { NativeCommand.text($0, bytes) }
            return refuse(limit() ?? error, seq: seq, .unknown)
        }
        let seq = command.seqText(bytes)
        if let fault = limit() { return refuse(fault, seq: seq, command.name) }
        do throws(Fault) {
            try run(command, seq, text)
        } catch {
            refuse(error, seq: seq, command.name)
        }
    }

    private func run(_ command: NativeCommand, _ seq: String?, _ text: ByteBuffer) throws(Fault) {
        switch command.name {
        case .heartbeat:
            guard caller != nil else { throw Self.notSignedIn }
            answer(.heartbeat, seq, nil)
        case .login: try signIn(try fields(command, text), seq)
        case .unknown: throw Fault(.unknownCommand, "there is no such command", field: "cmd")
        case .send: try send(command, seq, text)
        default:
            guard let caller else { throw Self.notSignedIn }
            try runSlowly(command, seq, text, caller)
        }
    }

    private func runSlowly(_ command: NativeCommand, _ seq: String?, _ text: ByteBuffer, _ caller: Caller)
        throws(Fault)
    {
        switch command.name {
        case .sync: try sync(try fields(command, text), seq, caller)
        case .typing: try type(try fields(command, text).conversation("conversationId"), seq, caller)
        case .enter: try enter(try fields(command, text).conversation("conversationId"), seq, caller)
        case .exit: try exit(try fields(command, text).conversation("conversationId"), seq)
        default:
            let (name, commands, data) = (command.name, gateway.services.commands, data(command, text))
            loop.leaveLoop(self) { () throws(Fault) in
                try await commands.run(name, caller, data: data)
            } then: { session, result in
                session.conclude(name, seq, result)
            }
        }
    }

    static let notSignedIn = Fault(.notSignedIn, "sign in first")

    private func data(_ command: NativeCommand, _ text: ByteBuffer) -> [UInt8] {
        command.data.map { Array(text.readableBytesView[offset: $0]) } ?? [UInt8(ascii: "{"), UInt8(ascii: "}")]
    }

    private func fields(_ command: NativeCommand, _ text: ByteBuffer) throws(Fault) -> JSONFields {
        try JSONFields(parsing: data(command, text))
    }

    // MARK: Answers

    /// `data` nil is an empty object.
    func answer(_ name: NativeCommandName, _ seq: String?, _ data: [UInt8]?) {
        write(NativeEncoder.answer(seq: seq, cmd: name, data: data, allocator: loop.allocator))
    }

    func refuse(_ fault: Fault, seq: String?, _ name: NativeCommandName) {
        gateway.metrics.rejected(fault.reason)
        if let cause = fault.cause {
            gateway.logger.error(
                "command failed", metadata: ["command": "\(name)", "cause": "\(cause)", "session": "\(id.text)"])
        }
        write(NativeEncoder.fault(seq: seq, cmd: name, fault, allocator: loop.allocator))
    }

    func conclude(_ name: NativeCommandName, _ seq: String?, _ result: Result<[UInt8], Fault>) {
        switch result {
        case .success(let data): answer(name, seq, data)
        case .failure(let fault): refuse(fault, seq: seq, name)
        }
    }

    // MARK: Limits

    /// Takes one from the session's bucket.
    private func limit() -> Fault? {
        guard gateway.configuration.isRateLimited else { return nil }
        let rule = gateway.configuration.commands
        let now = loop.wheel.now
        commandTokens = min(rule.burst, commandTokens + Double(now - tokensRefilled) * rule.perSecond)
        tokensRefilled = now
        guard commandTokens < 1 else {
            commandTokens -= 1
            return nil
        }
        return Fault(.rateLimited, "too many commands", retryAfter: .seconds(1))
    }

    // MARK: Sending

    private func send(_ command: NativeCommand, _ seq: String?, _ text: ByteBuffer) throws(Fault) {
        // Not the whole caller, which is a copy of many fields.
        guard let sender = caller?.user, let senderName = caller?.name else { throw Self.notSignedIn }
        guard let data = command.data else { throw .missing("data") }
        if gateway.configuration.isRateLimited, let wait = takeSend(sender) {
            throw Fault(.rateLimited, "too many messages", retryAfter: wait)
        }
        let bytes = text.readableBytesUInt8Span
        let send = try NativeSend.scan(bytes, data: data)
        _ = try MessageContent.check(send.kind, bytes.extracting(send.content))
        let target = send.conversation ?? send.to.flatMap { .between(sender, $0) }
        guard let conversation = target else { throw .invalid("to", "a message to oneself goes nowhere") }
        try submit(
            Draft(
                conversation: conversation, sender: sender, senderName: senderName, kind: send.kind,
                clientId: send.clientId, body: Array(text.readableBytesView[offset: send.content]), origin: id), seq)
    }

    /// Takes one from the user's bucket; otherwise says how long to wait.
    private func takeSend(_ sender: UserID) -> Duration? {
        let services = gateway.services
        return services.limiter.take(.send(sender), gateway.configuration.sends, now: services.clock.now)
    }

    /// Sends at once where the right is known, else behind a look-up.
    private func submit(_ draft: consuming Draft, _ seq: String?) throws(Fault) {
        let conversation = draft.conversation
        if awaitingRight[conversation] != nil {
            sendsInFlight += 1
            awaitingRight[conversation]?.append((draft, seq))
        } else if let right = user?.right(conversation, tick: loop.wheel.now) {
            try right.check(now: gateway.services.clock.now)
            loop.submit(draft, self, seq: seq)
        } else {
            guard let caller else { throw Self.notSignedIn }
            sendsInFlight += 1
            awaitingRight[conversation] = [(draft, seq)]
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

    private func sendAwaiting(_ conversation: ConversationID, _ result: Result<SendRight, Fault>) {
        let sends = awaitingRight.removeValue(forKey: conversation) ?? []
        sendsInFlight -= sends.count
        if case .success(let right) = result { user?.remember(right, conversation, tick: loop.wheel.now) }
        for (draft, seq) in sends {
            do throws(Fault) {
                try result.get().check(now: gateway.services.clock.now)
                loop.submit(draft, self, seq: seq)
            } catch {
                refuse(error, seq: seq, .send)
            }
        }
    }

    // MARK: Typing

    private func type(_ conversation: ConversationID, _ seq: String?, _ caller: Caller) throws(Fault) {
        if let right = user?.right(conversation, tick: loop.wheel.now) {
            try right.check(now: gateway.services.clock.now)
            gateway.services.broker.post(.typing(conversation, by: caller.user, to: .followers))
            return answer(.typing, seq, nil)
        }
        let services = gateway.services
        loop.leaveLoop(self) { () throws(Fault) in
            let right = try await services.rights.sendRight(caller, conversation)
            try right.check(now: services.clock.now)
            services.broker.post(.typing(conversation, by: caller.user, to: .followers))
            return []
        } then: { (session, result: Result<[UInt8], Fault>) in
            session.conclude(.typing, seq, result.map { _ in [UInt8(ascii: "{"), UInt8(ascii: "}")] })
        }
    }
}

extension ByteBufferView {
    /// The bytes at these offsets from the view's start.
    subscript(offset range: Range<Int>) -> ByteBufferView {
        self[(startIndex + range.lowerBound)..<(startIndex + range.upperBound)]
    }
}
