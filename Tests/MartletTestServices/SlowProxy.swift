import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on a free port of 127.0.0.1, in front of a server there, which passes everything on: at once, later, or not
/// at all.
package final class SlowProxy: Sendable {
    fileprivate struct State {
        var delay = TimeAmount.zero
        var isAway = false
        var pairs: [ObjectIdentifier: any Channel] = [:]
    }

    package let port: Int
    private let listener: any Channel
    private let line: Line

    private init(_ listener: any Channel, _ port: Int, _ line: Line) {
        self.listener = listener
        self.port = port
        self.line = line
    }

    deinit {
        listener.close(promise: nil)
        line.cut()
    }

    /// Takes connections for `port`.
    package static func start(to port: Int) async throws -> SlowProxy {
        let line = Line()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in line.connect(client, port) }
            .bind(host: "127.0.0.1", port: 0).get()
        guard let taken = listener.localAddress?.port else { throw ServiceFailure("no free port") }
        return SlowProxy(listener, taken, line)
    }

    /// Bytes arrive this much later, in both directions.
    package func delay(by delay: Duration) {
        let (seconds, rest) = delay.components
        line.state.withLock { $0.delay = .nanoseconds(seconds * 1_000_000_000 + rest / 1_000_000_000) }
    }

    /// Ends all connections; new ones are taken.
    package func cut() { line.cut() }

    /// Ends all connections, and ends new ones at once, until `comeBack`.
    package func goAway() {
        line.state.withLock { $0.isAway = true }
        line.cut()
    }

    package func comeBack() { line.state.withLock { $0.isAway = false } }
}

/// What all connections of a proxy share.
private final class Line: Sendable {
    let state = Mutex(SlowProxy.State())

    /// Ties a client to a connection of its own to the server.
    func connect(_ client: any Channel, _ port: Int) -> EventLoopFuture<Void> {
        guard !state.withLock({ $0.isAway }) else { return client.close() }
        return ClientBootstrap(group: client.eventLoop)
            .connectTimeout(.seconds(5))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: port)
            .flatMapThrowing { [self] server in
                try client.pipeline.syncOperations.addHandler(SlowHandler(self, to: server))
                try server.pipeline.syncOperations.addHandler(SlowHandler(self, to: client))
                remember(client)
                client.setOption(.autoRead, value: true).whenFailure { _ in }
                server.setOption(.autoRead, value: true).whenFailure { _ in }
            }
    }

    private func remember(_ client: any Channel) {
        let id = ObjectIdentifier(client)
        state.withLock { $0.pairs[id] = client }
        client.closeFuture.whenComplete { _ in self.state.withLock { _ = $0.pairs.removeValue(forKey: id) } }
    }

    func cut() {
        let clients = state.withLock { Array($0.pairs.values) }
        for client in clients { client.close(promise: nil) }
    }
}

/// Passes one direction on. Both ends of a pair are on one loop.
private final class SlowHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let line: Line
    private let other: any Channel
    /// Nothing arrives before what came earlier.
    private var earliest = NIODeadline.now()

    init(_ line: Line, to other: any Channel) {
        self.line = line
        self.other = other
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (bytes, other) = (unwrapInboundIn(data), other)
        later(context) { other.writeAndFlush(bytes, promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let other = other
        later(context) { other.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func later(_ context: ChannelHandlerContext, _ work: @escaping @Sendable () -> Void) {
        let now = NIODeadline.now()
        earliest = max(earliest, now + line.state.withLock { $0.delay })
        if earliest <= now { return work() }
        context.eventLoop.scheduleTask(deadline: earliest, work)
    }
}

@available(*, unavailable)
extension SlowHandler: Sendable {}
