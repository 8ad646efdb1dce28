import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// A push of the gowebsocket dialect: a message, or somebody's coming or going.
package struct GoWebSocketPush: Sendable, Equatable {
    /// `msg`, `enter` or `exit`.
    package let cmd: String
    package let seq: String
    /// A conversation; empty for the room and for what is to the user alone.
    package let target: String
    package let type: String
    package let text: String
    package let from: String

    fileprivate init?(_ json: JSONValue) {
        guard let cmd = json["cmd"]?.string, ["msg", "enter", "exit"].contains(cmd), let seq = json["seq"]?.string,
            let data = json["response"]?["data"], json["response"]?["codeMsg"]?.string == "Ok",
            let target = data["target"]?.string, let type = data["type"]?.string, let text = data["msg"]?.string,
            let from = data["from"]?.string
        else { return nil }
        (self.cmd, self.seq, self.target, self.type) = (cmd, seq, target, type)
        (self.text, self.from) = (text, from)
    }
}

/// A client of the gowebsocket dialect, over a WebSocket at `/acc`; or one that breaks it on purpose.
package final class GoWebSocketClient: Sendable {
    struct Inbox: Sendable {
        var isUpgraded = false
        var answers: [String: WireAnswer] = [:]
        var pushes: [GoWebSocketPush] = []
        /// Texts that are not JSON.
        var plain: [String] = []
        var closeCode: UInt16?
        var isClosed = false
    }

    private let channel: any Channel
    private let inbox: Watched<Inbox>
    private let count = Atomic<Int>(0)

    private init(_ channel: any Channel, _ inbox: Watched<Inbox>) {
        self.channel = channel
        self.inbox = inbox
    }

    deinit { channel.close(promise: nil) }

    package static func connect(port: Int) async throws -> GoWebSocketClient {
        let (inbox, key) = (Watched(Inbox()), UpgradeRequest.randomKey())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(GoWebSocketHandler(inbox, key: key))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let client = GoWebSocketClient(channel, inbox)
        client.sendRaw(UpgradeRequest.client(host: "127.0.0.1:\(port)", path: "/acc", key: key, headers: []))
        try await inbox.wait("the upgrade") { inbox -> Bool? in
            if inbox.isUpgraded { return true }
            if inbox.isClosed { throw ConnectionLost("the upgrade") }
            return nil
        }
        return client
    }

    /// Connects and signs in to a room; `serviceToken` makes it somebody's with an account.
    package static func signedIn(
        port: Int, as name: String, app: Int = 101, serviceToken: String? = nil
    ) async throws -> GoWebSocketClient {
        let client = try await connect(port: port)
        let answer = try await client.login(name, app: app, serviceToken: serviceToken)
        guard answer.code == 200 else { throw Refused(answer) }
        return client
    }

    // MARK: Asking

    package func login(_ name: String, app: Int = 101, serviceToken: String? = nil) async throws -> WireAnswer {
        let token = serviceToken.map { #","serviceToken":\#(quoted($0))"# } ?? ""
        return try await request("login", #"{"userId":\#(quoted(name)),"appId":\#(app)\#(token)}"#)
    }

    package func request(_ cmd: String, _ data: String) async throws -> WireAnswer {
        let seq = "q\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
        sendText(WireClient.command(cmd, data, seq: seq))
        return try await inbox.wait("the answer to \(cmd)") { inbox in
            if let answer = inbox.answers.removeValue(forKey: seq) { return answer }
            if inbox.isClosed { throw ConnectionLost("the answer to \(cmd)") }
            return nil
        }
    }

    package func sendText(_ text: String) { sendRaw(WireClient.frame(.text, Array(text.utf8))) }

    package func sendRaw(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// All that the server wrote before has come once this returns.
    package func settle() async throws {
        let answer = try await request("heartbeat", "{}")
        guard answer.code == 200 else { throw Refused(answer) }
    }

    // MARK: Hearing

    /// All pushes so far.
    package var pushes: [GoWebSocketPush] { inbox.value.pushes }
    /// All messages so far.
    package var messages: [GoWebSocketPush] { pushes.filter { $0.cmd == "msg" } }

    /// Waits until `condition` holds for all pushes so far; returns them.
    @discardableResult
    package func waitPushes(
        _ what: String, _ condition: @escaping @Sendable ([GoWebSocketPush]) -> Bool
    ) async throws -> [GoWebSocketPush] {
        try await inbox.wait("\(what) at a gowebsocket client") { inbox in
            if condition(inbox.pushes) { return inbox.pushes }
            if inbox.isClosed { throw ConnectionLost(what) }
            return nil
        }
    }

    /// Waits for the message with this text; returns it.
    @discardableResult
    package func wait(for text: String) async throws -> GoWebSocketPush {
        let pushes = try await waitPushes("`\(text)`") { $0.contains { $0.cmd == "msg" && $0.text == text } }
        guard let push = pushes.first(where: { $0.cmd == "msg" && $0.text == text }) else {
            throw ConnectionLost("`\(text)`")
        }
        return push
    }

    /// Takes the next text that is not JSON.
    package func nextPlain() async throws -> String {
        try await inbox.wait("a text that is not JSON") { inbox in
            if !inbox.plain.isEmpty { return inbox.plain.removeFirst() }
            if inbox.isClosed { throw ConnectionLost("a text that is not JSON") }
            return nil
        }
    }

    // MARK: The end

    package var isClosed: Bool { inbox.value.isClosed }

    /// Waits for the end of the connection; returns the close frame's code.
    @discardableResult
    package func waitClosed() async throws -> UInt16? {
        try await inbox.wait("the end of a gowebsocket connection") { $0.isClosed ? .some($0.closeCode) : nil }
    }

    /// Ends the connection without a word.
    package func drop() async { try? await channel.close().get() }
}

private final class GoWebSocketHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let inbox: Watched<GoWebSocketClient.Inbox>
    private let key: String
    private var decoder = WebSocketDecoder(role: .client, maximumMessage: 1 << 20)
    private var bytes = ByteBuffer()
    private var isUpgraded = false

    init(_ inbox: Watched<GoWebSocketClient.Inbox>, key: String) {
        self.inbox = inbox
        self.key = key
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var arrived = unwrapInboundIn(data)
        bytes.writeBuffer(&arrived)
        if !isUpgraded {
            switch UpgradeAnswer.read(bytes.readableBytesUInt8Span, key: key) {
            case .incomplete: return
            case .refused: return context.close(promise: nil)
            case .accepted(let headBytes):
                bytes.moveReaderIndex(forwardBy: headBytes)
                isUpgraded = true
                inbox.update { $0.isUpgraded = true }
            }
        }
        do {
            while let item = try decoder.next(&bytes) { take(item, context) }
        } catch {
            context.close(promise: nil)
        }
        bytes.discardReadBytes()
    }

    private func take(_ item: WebSocketDecoder.Item, _ context: ChannelHandlerContext) {
        switch item {
        case .text(let text):
            let message = Array(text.readableBytesView)
            inbox.update { $0.take(message) }
        case .ping(let payload): write(.pong, Array(payload.readableBytesView), context)
        case .close(let code, _):
            inbox.update { $0.closeCode = code?.rawValue }
            let number = code?.rawValue ?? 1000
            write(.close, [UInt8(number >> 8), UInt8(number & 0xFF)], context)
        case .pong, .binary: break
        }
    }

    private func write(_ opcode: WebSocketOpcode, _ payload: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: WireClient.frame(opcode, payload))), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.update { $0.isClosed = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension GoWebSocketHandler: Sendable {}

extension GoWebSocketClient.Inbox {
    fileprivate mutating func take(_ message: [UInt8]) {
        guard let json = try? JSONValue(parsing: message, depth: 64) else {
            plain.append(String(decoding: message, as: UTF8.self))
            return
        }
        if let push = GoWebSocketPush(json) {
            pushes.append(push)
            return
        }
        let response = json["response"]
        answers[json["seq"]?.string ?? ""] = WireAnswer(
            cmd: json["cmd"]?.string ?? "", code: Int(response?["code"]?.integer ?? 0),
            data: response?["data"] ?? .null)
    }
}
