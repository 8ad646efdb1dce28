import MartletCore
import NIOCore

/// JSON over TCP, as the "ClusterChatServer" family of console clients speaks it, in either numbering. Its clients take what they read at once for one
/// message of at most 1023 bytes, cannot be told of most failures, and keep nothing.
package final class ClusterChatDialect: StreamDialect {
    package let name: String
    package let transport = Transport.stream
    package let manners: Manners

    private let numbering: ClusterChatNumbering
    private let app: AppID
    private let localTime: @Sendable (Instant) -> String

    /// `app` is where all of its users live; `pace` the time between two messages to a client; `localTime` gives the time of messages whose senders gave
    /// none, in at most 64 bytes (`ClusterChatTime.local`).
    package init(
        _ numbering: ClusterChatNumbering, app: AppID, pace: Duration, signInTimeout: Duration,
        localTime: @escaping @Sendable (Instant) -> String
    ) {
        name = "clusterchat-\(numbering.rawValue)"
        self.numbering = numbering
        self.app = app
        self.localTime = localTime
        var manners = Manners()
        manners.signInTimeout = signInTimeout
        manners.silence = .unlimited
        manners.pace = pace
        manners.device = "clusterchat"
        manners.isExclusive = true
        manners.hearsOwnMessages = false
        manners.isServerResumed = true
        manners.waitsForRates = true
        self.manners = manners
    }

    /// The command that a ticket of this dialect is of.
    package static func command(_ ticket: Ticket) -> ClusterChatCommand {
        ClusterChatCommand(rawValue: ticket.command) ?? .unknown
    }

    // MARK: From the client

    package func cut(_ bytes: Span<UInt8>, _ progress: inout StreamProgress) -> StreamCut {
        ClusterChatFraming.cut(bytes, &progress)
    }

    package func head(_ message: Span<UInt8>) throws(UnreadableMessage) -> CommandHead {
        let command: ClusterChatCommand
        do throws(Fault) {
            guard UTF8Validator.isValid(message) else { throw Fault(.malformedJSON, "not valid UTF-8") }
            command = numbering.command(try ClusterChatFields(message).number(message))
        } catch {
            throw UnreadableMessage(Ticket(ClusterChatCommand.unknown.rawValue, nil), error)
        }
        let access: CommandHead.Access =
            switch command {
            case .login, .register, .unknown: .anyone
            case .chat, .addFriend, .createGroup, .joinGroup, .groupChat, .logout: .user
            }
        return CommandHead(Ticket(command.rawValue, nil), access, body: nil)
    }

    package func command(_ head: CommandHead, _ message: Span<UInt8>) throws(Fault) -> Command {
        switch Self.command(head.ticket) {
        case .login:
            let credentials = try ClusterChatFields(message).credentials(message)
            return .signIn(SignIn(credentials, app: app, start: .roster))
        case .chat:
            let fields = try ClusterChatFields(message)
            return .send(Self.submission(.user(try fields.recipient(message)), try fields.content(message)))
        case .groupChat:
            let fields = try ClusterChatFields(message)
            let group = ConversationID.group(try fields.group(message))
            return .send(Self.submission(.conversation(group), try fields.content(message)))
        case .register, .addFriend, .createGroup, .joinGroup:
            return .run(data: [UInt8](copying: message, 0..<message.count))
        case .logout: return .signOut
        case .unknown: throw Fault(.unknownCommand, "there is no such command", field: "msgid")
        }
    }

    private static func submission(_ target: Submission.Target, _ content: [UInt8]) -> Submission {
        Submission(target: target, kind: .text, clientId: "", content: content)
    }

    // MARK: Answers

    /// Only a registration is answered, with what `ClusterChatRequest.registered` made.
    package func answer(_ ticket: Ticket, _ data: [UInt8]?, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard case .register = Self.command(ticket), let data else { return nil }
        var writer = JSONWriter(capacity: 64)
        writer.raw("{\"errno\":0,\"id\":")
        writer.raw(data)
        writer.raw(",\"msgid\":")
        writer.integer(numbering.registerAnswer)
        writer.raw("}\0")
        return allocator.buffer(bytes: writer.bytes)
    }

    package func welcome(_ ticket: Ticket, _ welcome: Welcome, _ allocator: ByteBufferAllocator) -> WelcomeFrame {
        let answer = ClusterChatWelcome(welcome, numbering, localTime)
        return WelcomeFrame(allocator.buffer(bytes: answer.bytes), missed: answer.missed)
    }

    package func stored(
        _ ticket: Ticket, _ conversation: ConversationID, _ receipt: Receipt, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer? { nil }

    package func refusal(_ ticket: Ticket, _ fault: Fault, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        var writer = JSONWriter(capacity: 96)
        switch Self.command(ticket) {
        case .login:
            let (number, text) = loginRefusal(fault)
            writer.raw("{\"errmsg\":")
            writer.quote(ClusterChatEscape.prefix(text, bytes: 128))
            writer.raw(",\"errno\":")
            writer.integer(number)
            writer.raw(",\"msgid\":")
            writer.integer(numbering.loginAnswer)
        case .register:
            writer.raw("{\"errno\":1,\"msgid\":")
            writer.integer(numbering.registerAnswer)
        case .chat, .addFriend, .createGroup, .joinGroup, .groupChat, .logout, .unknown: return nil
        }
        writer.raw("}\0")
        return allocator.buffer(bytes: writer.bytes)
    }

    private func loginRefusal(_ fault: Fault) -> (Int, String) {
        switch fault.reason {
        case .wrongCredentials, .unknownUser: (1, numbering.wrongCredentials)
        case .limitReached, .alreadySignedIn: (2, numbering.alreadyOnline)
        default: (1, fault.message)
        }
    }

    // MARK: What the server sends unasked

    package func push(_ event: Event, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        ClusterChatMessage(event, numbering, localTime)?.frame(allocator)
    }

    /// These clients know of nothing but messages.
    package func push(_ notice: Notice, _ allocator: ByteBufferAllocator) -> ByteBuffer? { nil }
}
