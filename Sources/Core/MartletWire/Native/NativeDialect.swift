import MartletCore
import NIOCore

/// The native protocol over WebSocket.
package final class NativeDialect: Dialect {
    package let name = "native"
    package let transport = Transport.webSocket(path: "/ws")
    package let manners = Manners()

    package init() {}

    // MARK: From the client

    package func head(_ message: Span<UInt8>) throws(UnreadableMessage) -> CommandHead {
        let command: NativeCommand
        do throws(Fault) {
            command = try NativeCommand.scan(message)
        } catch {
            let seq = NativeCommand.seq(message).map { NativeCommand.text($0, message) }
            throw UnreadableMessage(Ticket(NativeCommandName.unknown.rawValue, seq), error)
        }
        let access: CommandHead.Access =
            switch command.name {
            case .login, .unknown: .anyone
            default: .user
            }
        return CommandHead(
            Ticket(command.name.rawValue, command.seqText(message)), access, body: command.data)
    }

    package func command(_ head: CommandHead, _ message: Span<UInt8>) throws(Fault) -> Command {
        switch Self.name(head.ticket) {
        case .send: return .send(try Self.submission(head, message))
        case .heartbeat: return .answer(nil)
        case .login: return .signIn(try Self.signIn(JSONFields(parsing: Self.data(head, message))))
        case .sync:
            let fields = try JSONFields(parsing: Self.data(head, message))
            let cursors = try fields.cursors("cursors", Limits.syncCursors) ?? []
            return .sync(cursors: cursors, limit: try fields.limit(Limits.syncPageSize))
        case .typing: return .typing(try Self.conversation(head, message))
        case .enter: return .enter(try Self.conversation(head, message))
        case .exit: return .exit(try Self.conversation(head, message))
        case .unknown: throw Fault(.unknownCommand, "there is no such command", field: "cmd")
        case .history, .read, .ack, .edit, .recall, .react: return .run(data: Self.data(head, message))
        }
    }

    package static func name(_ ticket: Ticket) -> NativeCommandName {
        NativeCommandName(rawValue: ticket.command) ?? .unknown
    }

    private static func data(_ head: CommandHead, _ message: Span<UInt8>) -> [UInt8] {
        guard let body = head.body else { return [UInt8(ascii: "{"), UInt8(ascii: "}")] }
        return [UInt8](copying: message, body)
    }

    private static func submission(_ head: CommandHead, _ message: Span<UInt8>) throws(Fault) -> Submission {
        guard let body = head.body else { throw .missing("data") }
        let send = try NativeSend.scan(message, data: body)
        return Submission(
            target: send.target, kind: send.kind, clientId: send.clientId,
            content: [UInt8](copying: message, send.content))
    }

    private static func conversation(
        _ head: CommandHead, _ message: Span<UInt8>
    ) throws(Fault) -> ConversationID {
        try JSONFields(parsing: data(head, message)).conversation("conversationId")
    }

    private static func signIn(_ fields: borrowing JSONFields) throws(Fault) -> SignIn {
        let token = try fields.optionalText("token", 1...4096)
        let guest = try fields.optionalText("guest", Limits.nickname)
        let device = try fields.optionalChoice("device", of: DeviceKind.self)
        let app = try fields.optionalInteger("appId", 1...Int64(Int32.max)).flatMap { AppID($0) }
        let start: SignIn.Start = try fields.optionalFlag("resume") ?? false ? .afterSync : .live
        switch (token, guest) {
        case (.some(let token), nil): return SignIn(.token(token), device: device, app: app, start: start)
        case (nil, .some(let guest)): return SignIn(.guest(guest), device: device, app: app, start: start)
        default: throw .missing("token")
        }
    }

    // MARK: Answers

    package func answer(_ ticket: Ticket, _ data: [UInt8]?, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        NativeEncoder.answer(seq: ticket.text, cmd: Self.name(ticket), data: data, allocator: allocator)
    }

    package func welcome(_ ticket: Ticket, _ welcome: Welcome, _ allocator: ByteBufferAllocator) -> WelcomeFrame {
        let data = JSONWriter.object {
            $0.field("userId", welcome.user)
            $0.field("username", welcome.username)
            $0.field("nickname", welcome.nickname)
            $0.field("sessionId", welcome.session.text)
            $0.field("heartbeat", Int(welcome.heartbeat.components.seconds))
            $0.field("serverTime", welcome.now)
        }
        return WelcomeFrame(answer(ticket, data, allocator))
    }

    package func stored(
        _ ticket: Ticket, _ conversation: ConversationID, _ receipt: Receipt, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer? {
        NativeEncoder.sendAnswer(
            seq: ticket.text, conversation: conversation, receipt: receipt, allocator: allocator)
    }

    package func refusal(_ ticket: Ticket, _ fault: Fault, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        NativeEncoder.fault(seq: ticket.text, cmd: Self.name(ticket), fault, allocator: allocator)
    }

    // MARK: What the server sends unasked

    package func push(_ event: Event, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        NativeEncoder.push(event, allocator: allocator)
    }

    package func push(_ notice: Notice, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        switch notice {
        case .typing(let conversation, let user):
            Self.push("typing", allocator) {
                $0.field("conversationId", conversation)
                $0.field("userId", user)
            }
        case .read(let conversation, let user, let seq):
            Self.push("read", allocator) {
                $0.field("conversationId", conversation)
                $0.field("userId", user)
                $0.field("readSeq", seq)
            }
        case .delivered(let conversation, let user, let seq):
            Self.push("delivered", allocator) {
                $0.field("conversationId", conversation)
                $0.field("userId", user)
                $0.field("deliveredSeq", seq)
            }
        case .presence(let user, let isOnline):
            Self.push("presence", allocator) {
                $0.field("userId", user)
                $0.field("online", isOnline)
            }
        case .room(let room, let user, let username, let isHere):
            Self.push("presence", allocator) {
                $0.field("conversationId", room)
                $0.field("userId", user)
                $0.field("username", username)
                $0.field("here", isHere)
            }
        case .goAway(let delay):
            Self.push("goaway", allocator) { $0.field("delayMs", delay.milliseconds) }
        }
    }

    private static func push(
        _ name: StaticString, _ allocator: ByteBufferAllocator, _ fill: (inout JSONObject) -> Void
    ) -> ByteBuffer {
        NativeEncoder.push(cmd: name, data: JSONWriter.object(fill), allocator: allocator)
    }
}

extension [UInt8] {
    /// A copy of a part of a message.
    init(copying bytes: Span<UInt8>, _ range: Range<Int>) {
        let part = bytes.extracting(range)
        self.init(unsafeUninitializedCapacity: part.count) { target, count in
            count = part.count
            part.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
            }
        }
    }
}
