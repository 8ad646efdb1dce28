import EndToEndSupport
import MartletWire
import NIOCore
import NIOPosix

/// A connection whose bytes are the test's own.
final class RawConnection: Sendable {
    private struct State: Sendable {
        var bytes: [UInt8] = []
        var isClosed = false
    }

    private let channel: any Channel
    private let state: Watched<State>

    private init(_ channel: any Channel, _ state: Watched<State>) {
        self.channel = channel
        self.state = state
    }

    deinit { channel.close(promise: nil) }

    static func connect(port: Int) async throws -> RawConnection {
        let state = Watched(State())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(state))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel, state)
    }

    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Nothing more will be sent.
    func finish() { channel.close(mode: .output, promise: nil) }

    func close() { channel.close(promise: nil) }

    var isClosed: Bool { state.value.isClosed }
    var received: [UInt8] { state.value.bytes }

    /// Waits for the end of the connection.
    func waitClosed() async throws {
        _ = try await state.wait("the end of a connection") { $0.isClosed ? true : nil } as Bool
    }

    /// Takes the next HTTP answer; nil where the connection ended before it.
    func answer() async throws -> HTTPAnswer? {
        try await state.wait("an answer of HTTP") { state -> HTTPAnswer?? in
            if let (answer, count) = HTTPAnswer.read(state.bytes) {
                state.bytes.removeFirst(count)
                return .some(answer)
            }
            return state.isClosed ? .some(nil) : nil
        }
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let state: Watched<State>

        init(_ state: Watched<State>) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            state.update { $0.bytes.append(contentsOf: bytes.readableBytesView) }
        }

        func channelInactive(context: ChannelHandlerContext) { state.update { $0.isClosed = true } }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// An answer as it came over the wire.
struct HTTPAnswer: Sendable {
    let status: Int
    let closes: Bool
    let body: [UInt8]

    var json: JSONValue? { try? JSONValue(parsing: body, depth: 64) }
    var reason: String? { json?["data"]?["reason"]?.string }
    var field: String? { json?["data"]?["field"]?.string }
    var text: String { String(decoding: body, as: UTF8.self) }

    /// Reads an answer with a length from the begin of `bytes`; nil where it is not whole.
    static func read(_ bytes: [UInt8]) -> (answer: HTTPAnswer, count: Int)? {
        let end = Array("\r\n\r\n".utf8)
        guard bytes.count >= 4,
            let at = (0...(bytes.count - 4)).first(where: { bytes[$0..<($0 + 4)].elementsEqual(end) })
        else {
            return nil
        }
        let lines = String(decoding: bytes[..<at], as: UTF8.self).split(separator: "\r\n").map { $0.lowercased() }
        guard let first = lines.first, let status = Int(first.split(separator: " ").dropFirst().first ?? "") else {
            return nil
        }
        func value(_ name: String) -> Substring? {
            lines.first { $0.hasPrefix("\(name):") }.map { $0.dropFirst(name.count + 1).drop { $0 == " " } }
        }
        let length = value("content-length").flatMap { Int($0) } ?? 0
        guard bytes.count >= at + 4 + length else { return nil }
        let answer = HTTPAnswer(
            status: status, closes: value("connection") == "close", body: Array(bytes[(at + 4)..<(at + 4 + length)]))
        return (answer, at + 4 + length)
    }
}

/// One request after the other on one connection, for as long as HTTP allows it.
struct KeptConnection: ~Copyable {
    private let port: Int
    private var connection: RawConnection?
    /// How often the server ended the connection.
    private(set) var endings = 0

    init(port: Int) { self.port = port }

    /// A request's bytes with the length of its body.
    static func request(
        _ method: String, _ target: String, token: String? = nil, type: String? = "application/json",
        body: [UInt8]? = nil
    ) -> [UInt8] {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        if let body {
            if let type { head += "Content-Type: \(type)\r\n" }
            head += "Content-Length: \(body.count)\r\n"
        } else if method == "POST" || method == "PUT" {
            head += "Content-Length: 0\r\n"
        }
        return Array((head + "\r\n").utf8) + (body ?? [])
    }

    /// Sends and waits for the answer; nil where the server ended the connection without one.
    mutating func exchange(_ bytes: [UInt8]) async throws -> HTTPAnswer? {
        if connection?.isClosed != false { connection = try await RawConnection.connect(port: port) }
        guard let connection else { return nil }
        connection.send(bytes)
        let answer = try await connection.answer()
        if answer == nil || answer?.closes == true {
            endings += 1
            connection.close()
            self.connection = nil
        }
        return answer
    }
}
