import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// A WebSocket client that speaks the native protocol, or breaks it on purpose.
package final class WireClient: Sendable {
    struct Inbox: Sendable {
        var isUpgraded = false
        var plainAnswers = 0
        var answers: [String: WireAnswer] = [:]
        var pushes: [JSONValue] = []
        /// Indexes of `pushes` that `nextPush` has not handed out.
        var fresh: [Int] = []
        /// Answers without a `seq`.
        var anonymous: [WireAnswer] = []
        var pongs: [[UInt8]] = []
        var refusedStatus: Int?
        var closeCode: UInt16?
        var closeReason: String?
        var isClosed = false
        var ending: String { "\(closeCode.map { String($0) } ?? "no close frame") \(closeReason ?? "")" }
    }

    private let channel: any Channel
    private let inbox: Watched<Inbox>
    private let count = Atomic<Int>(0)

    private init(_ channel: any Channel, _ inbox: Watched<Inbox>) {
        self.channel = channel
        self.inbox = inbox
    }

    deinit { channel.close(promise: nil) }

    /// Connects and upgrades. `onMessage` hears each JSON message in the order of arrival, before anybody else does, on
    /// the connection's loop. `receiveBuffer` (bytes of the socket) is for readers that are to be slow.
    package static func connect(
        port: Int, path: String = "/ws", headers: [(name: String, value: String)] = [], receiveBuffer: Int? = nil,
        timeout: Duration = patience, onMessage: (@Sendable (JSONValue) -> Void)? = nil
    ) async throws -> WireClient {
        let key = UpgradeRequest.randomKey()
        let client = try await connectRaw(port: port, key: key, receiveBuffer: receiveBuffer, onMessage: onMessage)
        client.sendRaw(UpgradeRequest.client(host: "127.0.0.1:\(port)", path: path, key: key, headers: headers))
        do { try await client.waitUpgraded(timeout: timeout) } catch {
            await client.drop()
            throw error
        }
        return client
    }

    /// Connects without a word: the handshake is the caller's, by `sendRaw`. `source` is another address of loopback to come from.
    /// `plainAnswers`: those to requests that the caller sends before the handshake.
    package static func connectRaw(
        port: Int, key: String? = nil, receiveBuffer: Int? = nil, source: String? = nil, plainAnswers: Int = 0,
        onMessage: (@Sendable (JSONValue) -> Void)? = nil
    ) async throws -> WireClient {
        let inbox = Watched(Inbox())
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        WireHandler(inbox, key: key, plainAnswers: plainAnswers, onMessage))
                }
            }
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
        return WireClient(try await bootstrap.connect(host: "127.0.0.1", port: port).get(), inbox)
    }

    /// Waits for an answer to a request before the handshake; counted from 1.
    package func waitPlainAnswer(_ number: Int) async throws {
        try await inbox.wait("the answer to request \(number)") { inbox -> Bool? in
            if inbox.isClosed || inbox.refusedStatus != nil { throw UpgradeRefused(status: inbox.refusedStatus ?? 0) }
            return inbox.plainAnswers >= number ? true : nil
        }
    }

    /// Waits for `101`; throws where the handshake was refused.
    package func waitUpgraded(timeout: Duration = patience) async throws {
        try await inbox.wait("the upgrade", for: timeout) { inbox -> Bool? in
            if inbox.isUpgraded { return true }
            if inbox.isClosed || inbox.refusedStatus != nil { throw UpgradeRefused(status: inbox.refusedStatus ?? 0) }
            return nil
        }
    }

    // MARK: Asking

    /// Sends a command without waiting for its answer; returns its seq.
    @discardableResult
    package func post(_ cmd: String, _ data: String) -> String {
        let seq = nextSeq()
        sendText(Self.command(cmd, data, seq: seq))
        return seq
    }

    /// Waits for the answer to what `post` sent. Throws `ConnectionLost` if it does not come before the end.
    package func answer(to seq: String, timeout: Duration = patience) async throws -> WireAnswer {
        try await inbox.wait("the answer to \(seq)", for: timeout) { inbox in
            if let answer = inbox.answers.removeValue(forKey: seq) { return answer }
            if inbox.isClosed { throw ConnectionLost("the answer to \(seq), with \(inbox.ending)") }
            return nil
        }
    }

    package func request(_ cmd: String, _ data: String, timeout: Duration = patience) async throws -> WireAnswer {
        try await answer(to: post(cmd, data), timeout: timeout)
    }

    /// Answers that carry no `seq`, as they come.
    package func anonymousAnswer() async throws -> WireAnswer {
        try await inbox.wait("an answer without a seq") { inbox in
            if inbox.anonymous.isEmpty, inbox.isClosed { throw ConnectionLost() }
            return inbox.anonymous.isEmpty ? nil : inbox.anonymous.removeFirst()
        }
    }

    package func nextSeq() -> String { String(count.wrappingAdd(1, ordering: .relaxed).newValue) }

    package static func command(_ cmd: String, _ data: String, seq: String) -> String {
        #"{"seq":"\#(seq)","cmd":"\#(cmd)","data":\#(data)}"#
    }

    /// A command that must be answered with 200; returns the answer's data.
    @discardableResult
    package func succeed(_ cmd: String, _ data: String) async throws -> JSONValue {
        let answer = try await request(cmd, data)
        guard answer.code == 200 else { throw Refused(answer) }
        return answer.data
    }

    @discardableResult
    package func login(_ user: TestUser, device: String = "web", resume: Bool = false) async throws -> JSONValue {
        try await succeed("login", Self.loginData(user.token, device: device, resume: resume))
    }

    package static func loginData(_ token: String, device: String = "web", resume: Bool = false) -> String {
        #"{"token":"\#(token)","device":"\#(device)"\#(resume ? #","resume":true"# : "")}"#
    }

    /// Connects and signs in.
    package static func signedIn(
        port: Int, _ user: TestUser, device: String = "web", resume: Bool = false
    ) async throws -> WireClient {
        let client = try await connect(port: port)
        try await client.login(user, device: device, resume: resume)
        return client
    }

    /// Sends a text message; returns its seq.
    @discardableResult
    package func say(_ text: String, in conversation: String, clientId: String = randomClientID()) async throws -> Int64
    {
        let sent = try await succeed("send", textMessage(text, in: conversation, clientId: clientId))
        guard let seq = sent["seq"]?.integer else { throw ConnectionLost() }
        return seq
    }

    // MARK: Bytes

    package func sendText(_ text: String) { sendFrame(.text, Array(text.utf8)) }

    /// A masked frame as it should be.
    package func sendFrame(_ opcode: WebSocketOpcode, _ payload: [UInt8]) { sendRaw(Self.frame(opcode, payload)) }

    /// The bytes of a frame; not the last of its message where `isFinal` is false.
    package static func frame(_ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        var buffer = ByteBuffer()
        WebSocketEncoder.masked(opcode, payload, mask: UInt32.random(in: .min ... .max), into: &buffer)
        var bytes = Array(buffer.readableBytesView)
        if !isFinal { bytes[0] &= 0x7F }
        return bytes
    }

    package func sendRaw(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// From here on the socket is not read, until `goOnReading`.
    package func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    package func goOnReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
        channel.read()
    }

    // MARK: Hearing

    /// Takes the next push, of `cmd` or of any kind, that was not taken before.
    package func nextPush(_ cmd: String? = nil) async throws -> JSONValue {
        try await nextPush(cmd) { _ in true }
    }

    package func nextPush(
        _ cmd: String? = nil, where matches: @escaping @Sendable (JSONValue) -> Bool
    ) async throws -> JSONValue {
        try await inbox.wait("a push \(cmd ?? "")") { inbox in
            let index = inbox.fresh.firstIndex { index in
                let push = inbox.pushes[index]
                return (cmd == nil || push["cmd"]?.string == cmd) && matches(push)
            }
            if let index { return inbox.pushes[inbox.fresh.remove(at: index)] }
            if inbox.isClosed { throw ConnectionLost("a push \(cmd ?? ""), with \(inbox.ending)") }
            return nil
        }
    }

    /// All pushes so far, taken or not.
    package func pushes(_ cmd: String? = nil) -> [JSONValue] {
        let all = inbox.value.pushes
        return cmd == nil ? all : all.filter { $0["cmd"]?.string == cmd }
    }

    /// Waits until `condition` holds for all pushes so far.
    package func waitPushes(_ what: String, _ condition: @escaping @Sendable ([JSONValue]) -> Bool) async throws {
        try await inbox.wait(what) { inbox -> Bool? in
            if condition(inbox.pushes) { return true }
            if inbox.isClosed { throw ConnectionLost() }
            return nil
        }
    }

    /// All that the server wrote before has come once this returns: answers and pushes of one session stay in order.
    package func settle() async throws { try await succeed("heartbeat", "{}") }

    package func nextPong() async throws -> [UInt8] {
        try await inbox.wait("a pong") { inbox in
            if !inbox.pongs.isEmpty { return inbox.pongs.removeFirst() }
            if inbox.isClosed { throw ConnectionLost() }
            return nil
        }
    }

    // MARK: The end

    /// What the server's close frame said; nil where none came.
    package var closeCode: UInt16? { inbox.value.closeCode }
    package var closeReason: String? { inbox.value.closeReason }
    package var isClosed: Bool { inbox.value.isClosed }

    /// Waits for the end of the connection; returns the close frame's code.
    @discardableResult
    package func waitClosed(timeout: Duration = patience) async throws -> UInt16? {
        try await inbox.wait("the close", for: timeout) { $0.isClosed ? .some($0.closeCode) : nil }
    }

    /// Sends a close frame; the server answers it and ends the connection.
    package func close() { sendFrame(.close, [0x03, 0xE8]) }

    /// Ends the connection without a word.
    package func drop() async { try? await channel.close().get() }
}

/// The answer to a command.
package struct WireAnswer: Sendable {
    package let cmd: String
    package let code: Int
    package let data: JSONValue

    package var reason: String? { data["reason"]?.string }
}

package struct UpgradeRefused: Error {
    /// The HTTP status; 0 where the connection just ended.
    package let status: Int
}

/// A name for one send.
package func randomClientID() -> String { String(UInt64.random(in: .min ... .max), radix: 36) }

/// The data of a `send`.
package func textMessage(_ text: String, in conversation: String, clientId: String = randomClientID()) -> String {
    #"{"conversationId":"\#(conversation)","clientId":"\#(clientId)","type":"text","content":{"text":"\#(text)"}}"#
}
