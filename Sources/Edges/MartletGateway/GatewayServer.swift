import Logging
import MartletCore
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

extension Gateway {
    /// Hands a connection's HTTP work to the server; false once it has stopped. While it leaves, a balancer must be able to ask whether it is ready.
    func serveHTTP(_ serve: @escaping @Sendable () async -> Void) -> Bool { httpWork.serve(serve) }
}

/// HTTP connections on their way to the task group that serves them.
final class HTTPWork: Sendable {
    typealias Work = @Sendable () async -> Void
    let stream: AsyncStream<Work>
    private let continuation: AsyncStream<Work>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Work.self) }

    func serve(_ work: @escaping Work) -> Bool {
        if case .enqueued = continuation.yield(work) { true } else { false }
    }

    func finish() { continuation.finish() }
}

/// Listens on the one port, and leaves in good order: not ready any more, then no new connections, sessions told to go, sends that were taken
/// answered, then closed.
package struct GatewayServer: Service {
    private let gateway: Gateway
    private let group: MultiThreadedEventLoopGroup
    /// Called once the port is open, with its number.
    private let onListening: @Sendable (Int) async -> Void

    package init(
        _ gateway: Gateway, group: MultiThreadedEventLoopGroup, onListening: @escaping @Sendable (Int) async -> Void
    ) {
        self.gateway = gateway
        self.group = group
        self.onListening = onListening
    }

    package func run() async throws {
        let configuration = gateway.configuration
        let server: any Channel
        do {
            server = try await listen(configuration.host, configuration.port)
        } catch {
            throw Fault(.unavailable, "can't listen on \(configuration.host):\(configuration.port): \(error)")
        }
        await onListening(server.localAddress?.port ?? configuration.port)
        let gateway = gateway
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await gateway.pool.run() }
            tasks.addTask {
                await withDiscardingTaskGroup { connections in
                    for await serve in gateway.httpWork.stream { connections.addTask { await serve() } }
                    // Requests under way are answered; idle connections are closed.
                    connections.cancelAll()
                }
            }
            try? await gracefulShutdown()
            gateway.services.departure.begin()
            // Balancers go on sending connections here until they have noticed: these are not to run into a closed port.
            try? await Task.sleep(for: configuration.drainNotice)
            try? await server.close()
            await leave()
            gateway.httpWork.finish()
            gateway.pool.finish()
        }
    }

    private func listen(_ host: String, _ port: Int) async throws -> any Channel {
        let gateway = gateway
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            // Each channel keeps its buffer: small ones, until somebody writes much.
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 512, maximum: 65_536)
            )
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(low: configurationLow, high: gateway.configuration.slowReaderBytes)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = gateway.loop(of: channel) else { throw ChannelError.operationUnsupported }
                    try channel.pipeline.syncOperations.addHandler(Session(loop))
                }
            }
            .bind(host: host, port: port).get()
    }

    private var configurationLow: Int { max(1, gateway.configuration.slowReaderBytes / 4) }

    /// Sessions go where they are told, or are closed; what they sent is stored and answered first. Bounded in time.
    private func leave() async {
        let drain = gateway.configuration.drain
        gateway.announceLeaving(drain)
        let deadline = ContinuousClock.now + drain
        while gateway.metrics.sessions.value > 0, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let answerDeadline = ContinuousClock.now + .seconds(5)
        while gateway.sendsAtWork > 0, ContinuousClock.now < answerDeadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
        gateway.closeSessions()
        try? await Task.sleep(for: .milliseconds(50))
    }
}
