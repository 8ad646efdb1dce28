import MartletBench
import NIOCore
import NIOPosix

/// One connection that says something and waits for what comes back: for what is done before a run.
struct ClusterChatClient {
    private let channel: any Channel
    private var inbound: AsyncStream<ByteBuffer>.Iterator
    /// What came behind the last answer.
    private var rest = ByteBuffer()

    /// Connects, does `work`, and closes. After half a minute the connection is cut, whatever `work` waits for.
    static func connected<Value>(
        port: Int, _ work: (inout ClusterChatClient) async throws -> Value
    ) async throws -> Value {
        let (stream, arrivals) = AsyncStream<ByteBuffer>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(20))
            .channelInitializer { $0.pipeline.addHandler(ArrivalHandler(arrivals)) }
            .connect(host: "127.0.0.1", port: port).get()
        let limit = channel.eventLoop.scheduleTask(in: .seconds(30)) { channel.close(promise: nil) }
        defer {
            limit.cancel()
            channel.close(promise: nil)
        }
        var client = ClusterChatClient(channel: channel, inbound: stream.makeAsyncIterator())
        return try await work(&client)
    }

    func say(_ request: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: request)).get() }

    /// Says `request`, and returns the next message of the kind `answer`. Chats that come in between are dropped.
    mutating func ask(_ request: [UInt8], _ answer: Int) async throws -> ClusterChatAnswer {
        try await say(request)
        while true {
            while let message = try rest.readClusterChatMessage() {
                let found = try ClusterChatAnswer(message)
                if found.msgid == answer { return found }
            }
            guard var bytes = await inbound.next(isolation: #isolation) else {
                throw BenchFailure("the server closed the connection instead of answering")
            }
            rest.writeBuffer(&bytes)
        }
    }
}

/// Hands on what arrives.
private final class ArrivalHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let arrivals: AsyncStream<ByteBuffer>.Continuation

    init(_ arrivals: AsyncStream<ByteBuffer>.Continuation) { self.arrivals = arrivals }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { arrivals.yield(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { arrivals.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
