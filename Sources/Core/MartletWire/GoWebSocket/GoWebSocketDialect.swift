import MartletCore
import NIOCore

/// The protocol of link1st/gowebsocket as of 2022: JSON in the text frames of a WebSocket at `/acc`. A client signs in
/// to an app's room, hears what is said there, and says something itself over HTTP.
///
/// Messages are read as Go's JSON decoder read them (`GoWebSocketRequest`), answers are written byte for byte as the
/// old server wrote them, but for characters that Go escapes and JSON need not.
package final class GoWebSocketDialect: Dialect {
    package let name = "gowebsocket"
    package let transport = Transport.webSocket(path: "/acc")
    package let manners: Manners

    private let rooms: [AppID]
    private let now: @Sendable () -> Instant

    /// `rooms`: the apps whose world rooms clients may sign in to. `now` numbers the comings and goings.
    package init(rooms: [AppID], now: @escaping @Sendable () -> Instant) {
        self.rooms = rooms
        self.now = now
        var manners = Manners()
        // The old server's patience: it swept away what was silent for six minutes, signed in or not.
        manners.signInTimeout = .seconds(360)
        manners.silence = .atMost(.seconds(360))
        manners.hearsOwnMessages = false
        // It took whatever a frame held.
        manners.takesBinaryFrames = true
        self.manners = manners
    }

    // MARK: From the client

    package func head(_ message: Span<UInt8>) throws(UnreadableMessage) -> CommandHead {
        let request: GoWebSocketRequest
        do throws(Fault) {
            request = try GoWebSocketRequest.scan(message)
        } catch {
            throw UnreadableMessage(Ticket(GoWebSocketCommand.unreadable.rawValue, nil), error)
        }
        let ticket = Ticket(request.command.rawValue, Self.prefix(request, message))
        return CommandHead(ticket, request.command == .heartbeat ? .user : .anyone, body: request.data)
    }

    /// The beginning of the answer, up to `"response":`, with `seq` and `cmd` as they came.
    private static func prefix(_ request: GoWebSocketRequest, _ message: Span<UInt8>) -> String {
        var prefix: [UInt8] = []
        prefix.reserveCapacity(32 + request.seq.count + request.cmd.count)
        prefix.append(contentsOf: "{\"seq\":\"".utf8)
        for index in request.seq { prefix.append(message[index]) }
        prefix.append(contentsOf: "\",\"cmd\":\"".utf8)
        for index in request.cmd { prefix.append(message[index]) }
        prefix.append(contentsOf: "\",\"response\":".utf8)
        return String(decoding: prefix, as: UTF8.self)
    }

    package func command(_ head: CommandHead, _ message: Span<UInt8>) throws(Fault) -> Command {
        switch GoWebSocketCommand(rawValue: head.ticket.command) {
        case .ping: return .answer(Self.pong)
        case .login: return .signIn(try GoWebSocketLogin.signIn(head.body, message, rooms: rooms))
        case .heartbeat:
            if let data = head.body, message[data.lowerBound] != UInt8(ascii: "{") {
                throw .invalid("data", "an object is expected")
            }
            return .answer(nil)
        case .unknown, .unreadable, nil: throw Fault(.unknownCommand, "there is no such command", field: "cmd")
        }
    }

    private static let pong = Array("\"pong\"".utf8)

    // MARK: Answers

    package func answer(_ ticket: Ticket, _ data: [UInt8]?, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        ticket.text.map { GoWebSocketEncoder.answer($0, .success, data, allocator) }
    }

    package func welcome(_ ticket: Ticket, _ welcome: Welcome, _ allocator: ByteBufferAllocator) -> WelcomeFrame {
        WelcomeFrame(answer(ticket, nil, allocator))
    }

    package func stored(
        _ ticket: Ticket, _ conversation: ConversationID, _ receipt: Receipt, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer? { nil }

    package func refusal(_ ticket: Ticket, _ fault: Fault, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard let prefix = ticket.text else { return GoWebSocketEncoder.unreadable(allocator) }
        // The room is another app's than the token's.
        if ticket.command == GoWebSocketCommand.login.rawValue, fault.code == .notFound {
            return GoWebSocketEncoder.answer(prefix, .notAllowed, nil, allocator)
        }
        return GoWebSocketEncoder.answer(prefix, GoWebSocketCode(fault), nil, allocator)
    }

    // MARK: What the server sends unasked

    package func push(_ event: Event, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        GoWebSocketEncoder.push(event, allocator)
    }

    package func push(_ notice: Notice, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard case .room(_, user: _, username: let username, isHere: let isHere) = notice else { return nil }
        return GoWebSocketEncoder.presence(username, isHere: isHere, number: now().milliseconds, allocator)
    }
}
