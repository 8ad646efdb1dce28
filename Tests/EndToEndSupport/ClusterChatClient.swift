import MartletWire
import NIOCore
import NIOPosix

/// A client of the clusterchat dialect that takes everything apart that the server sends, however it arrives; or breaks the protocol on purpose.
package final class ClusterChatClient: Sendable {
    struct Inbox: Sendable {
        let family: ClusterChatFamily
        var messages: [JSONValue] = []
        var lines: [ClusterChatLine] = []
        /// As they came, without their zero bytes.
        var texts: [String] = []
        /// The size of each message, with its zero byte.
        var sizes: [Int] = []
        /// Messages that nobody has taken.
        var fresh: [Int] = []
        /// What the server must never do, and did.
        var breach: String?
        var isClosed = false
    }

    package let family: ClusterChatFamily
    private let channel: any Channel
    private let inbox: Watched<Inbox>

    private init(_ family: ClusterChatFamily, _ channel: any Channel, _ inbox: Watched<Inbox>) {
        self.family = family
        self.channel = channel
        self.inbox = inbox
    }

    deinit { channel.close(promise: nil) }

    /// Connects; `receiveBuffer` (bytes of the socket) is for readers that are to be slow.
    package static func connect(
        port: Int, _ family: ClusterChatFamily, receiveBuffer: Int? = nil
    ) async throws -> ClusterChatClient {
        let inbox = Watched(Inbox(family: family))
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ClusterChatHandler(inbox))
                }
            }
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        return ClusterChatClient(family, try await bootstrap.connect(host: "127.0.0.1", port: port).get(), inbox)
    }

    // MARK: Saying

    /// Sends an object with the zero byte behind it, as these clients do.
    package func send(_ object: String) { sendRaw(Array(object.utf8) + [0]) }

    package func sendRaw(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Sends bytes, and waits until the socket has taken them.
    package func sendAndWait(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Registers a name; the answer, whatever it is.
    package func register(_ name: String, _ password: String = testPassword) async throws -> JSONValue {
        send(family.register(name, password))
        let number = Int64(family.registered)
        return try await next("the answer to a registration") { $0["msgid"]?.integer == number }
    }

    /// Signs in; the answer, whatever it is.
    package func logIn(_ id: Int64, _ password: String = testPassword) async throws -> ClusterChatLogin {
        send(family.login(id, password))
        return try await loginAnswer()
    }

    package func loginAnswer() async throws -> ClusterChatLogin {
        let family = family
        return try await inbox.wait("the answer to a login") { inbox in
            try Self.check(inbox)
            let index = inbox.fresh.firstIndex { inbox.messages[$0]["msgid"]?.integer == 2 }
            if let index {
                let place = inbox.fresh.remove(at: index)
                return ClusterChatLogin(json: inbox.messages[place], family: family, bytes: inbox.sizes[place])
            }
            if inbox.isClosed { throw ConnectionLost("the answer to a login") }
            return nil
        }
    }

    // MARK: Hearing

    /// Takes the next message for which `matches` holds.
    package func next(
        _ what: String, where matches: @escaping @Sendable (JSONValue) -> Bool
    ) async throws -> JSONValue {
        try await inbox.wait(what) { inbox in
            try Self.check(inbox)
            if let index = inbox.fresh.firstIndex(where: { matches(inbox.messages[$0]) }) {
                return inbox.messages[inbox.fresh.remove(at: index)]
            }
            if inbox.isClosed { throw ConnectionLost(what) }
            return nil
        }
    }

    /// Everything that came so far, taken or not.
    package var messages: [JSONValue] { inbox.value.messages }
    package var texts: [String] { inbox.value.texts }
    /// Of each of them, with its zero byte.
    package var sizes: [Int] { inbox.value.sizes }
    /// The chat messages that came so far, in order.
    package var lines: [ClusterChatLine] { inbox.value.lines }

    /// Waits until `condition` holds for all chat messages so far; returns them.
    @discardableResult
    package func waitLines(
        _ what: String, _ condition: @escaping @Sendable ([ClusterChatLine]) -> Bool
    ) async throws -> [ClusterChatLine] {
        let family = family
        return try await inbox.wait("\(what) at a \(family) client") { inbox in
            try Self.check(inbox)
            if condition(inbox.lines) { return inbox.lines }
            if inbox.isClosed { throw ConnectionLost(what) }
            return nil
        }
    }

    /// Waits for the message with this text, and returns all that came up to then.
    @discardableResult
    package func wait(for text: String) async throws -> [ClusterChatLine] {
        try await waitLines("`\(text)`") { lines in lines.contains { $0.text == text } }
    }

    /// What the server wrote before has come once this returns: it writes to a connection in order, and this is answered.
    package func settle() async throws {
        // A registration that is refused, whoever asks.
        let answer = try await register("", "x")
        guard answer["errno"]?.integer == 1 else { throw ConnectionLost("a refusal") }
    }

    private static func check(_ inbox: Inbox) throws {
        if let breach = inbox.breach { throw ClusterChatBreach(description: breach) }
    }

    // MARK: The end

    package var isClosed: Bool { inbox.value.isClosed }

    /// Waits for the end of the connection.
    package func waitClosed() async throws {
        _ = try await inbox.wait("the end of a clusterchat connection") { $0.isClosed ? true : nil }
    }

    /// Ends the connection without a word.
    package func drop() async { try? await channel.close().get() }

    /// Says that nothing more will come, and goes on reading, unless the server has ended the connection already.
    package func finishWriting() async { try? await channel.close(mode: .output).get() }

    /// From here on the socket is not read, until `goOnReading`.
    package func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    package func goOnReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
        channel.read()
    }
}

/// The server did what its clients could not stand.
package struct ClusterChatBreach: Error, CustomStringConvertible {
    package let description: String
}

private final class ClusterChatHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: Watched<ClusterChatClient.Inbox>
    private var rest: [UInt8] = []

    init(_ inbox: Watched<ClusterChatClient.Inbox>) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        rest += unwrapInboundIn(data).readableBytesView
        var messages: [(JSONValue?, [UInt8])] = []
        while let end = rest.firstIndex(of: 0) {
            let message = Array(rest[..<end])
            rest.removeSubrange(...end)
            messages.append((try? JSONValue(parsing: message, depth: 64), message))
        }
        guard !messages.isEmpty else { return }
        let taken = messages
        inbox.update { inbox in
            for (value, bytes) in taken { inbox.take(value, bytes) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let left = rest.count
        inbox.update { inbox in
            if left > 0, inbox.breach == nil { inbox.breach = "\(left) bytes without a zero byte behind them" }
            inbox.isClosed = true
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension ClusterChatHandler: Sendable {}

extension ClusterChatClient.Inbox {
    fileprivate mutating func take(_ value: JSONValue?, _ bytes: [UInt8]) {
        guard let value, case .object = value else {
            breach = breach ?? "not an object: \(String(decoding: bytes, as: UTF8.self))"
            return
        }
        if bytes.count + 1 > 1023 { breach = breach ?? "a message of \(bytes.count + 1) bytes" }
        fresh.append(messages.count)
        messages.append(value)
        if let line = ClusterChatLine(value, family) { lines.append(line) }
        texts.append(String(decoding: bytes, as: UTF8.self))
        sizes.append(bytes.count + 1)
    }
}
