import NIOCore
import NIOPosix

/// What a stand-in server does with its connections. Everything happens on one event loop.
protocol StandInRules: AnyObject, SendableMetatype {
    /// Takes what is whole out of `bytes`.
    func read(_ bytes: inout ByteBuffer, from connection: StandInConnection)
    func closed(_ connection: StandInConnection)
}

/// A small server on a free loopback port, while `work` runs.
func withStandIn<Rules: StandInRules, Value: Sendable>(
    _ make: @escaping @Sendable () -> Rules, _ work: (_ port: Int) async throws -> Value
) async throws -> Value {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let rules = try await loop.submit { NIOLoopBound(make(), eventLoop: loop) }.get()
    let server = try await ServerBootstrap(group: loop)
        .serverChannelOption(.backlog, value: 256)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(StandInConnection(rules.value))
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    do {
        let value = try await work(server.localAddress?.port ?? 0)
        try await server.close()
        return value
    } catch {
        try? await server.close()
        throw error
    }
}

final class StandInConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Who signed in on it.
    var user: String?
    /// Whether it speaks frames by now.
    var isUpgraded = false

    private let rules: any StandInRules
    private var context: ChannelHandlerContext?
    private var bytes = ByteBuffer()

    init(_ rules: any StandInRules) { self.rules = rules }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var new = unwrapInboundIn(data)
        bytes.writeBuffer(&new)
        rules.read(&bytes, from: self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        rules.closed(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func write(_ bytes: [UInt8]) { context?.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil) }

    func cut() { context?.close(promise: nil) }
}

@available(*, unavailable)
extension StandInConnection: Sendable {}
