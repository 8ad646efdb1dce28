import Logging
import MartletCore
import MartletWire
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

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

/// The ports that a server has taken.
package struct OpenPorts: Sendable {
    /// That of a dialect on bare TCP.
    package struct Dialect: Sendable {
        package let name: String
        package let port: Int
    }

    package let port: Int
    package let dialects: [Dialect]
}

/// Listens on its ports, and leaves in good order: not ready any more, then no new connections, sessions told to go, sends that were taken
/// answered, then closed.
package struct GatewayServer: Service {
    private let gateway: Gateway
    private let group: MultiThreadedEventLoopGroup
    /// Called once the ports are open.
    private let onListening: @Sendable (OpenPorts) async -> Void

    package init(
        _ gateway: Gateway, group: MultiThreadedEventLoopGroup,
        onListening: @escaping @Sendable (OpenPorts) async -> Void
    ) {
        self.gateway = gateway
        self.group = group
        self.onListening = onListening
    }

    package func run() async throws {
        let configuration = gateway.configuration
        let servers = try await listen()
        await onListening(servers.ports)
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
            for server in servers.all { try? await server.close() }
            await leave()
            gateway.httpWork.finish()
            gateway.pool.finish()
        }
    }

    /// The server's own port, and those of dialects on bare TCP.
    private struct Listeners {
        var all: [any Channel] = []
        var ports = OpenPorts(port: 0, dialects: [])
    }

    private func listen() async throws -> Listeners {
        let configuration = gateway.configuration
        var listeners = Listeners()
        do {
            let own = try await listen(configuration.port) { Session($0) }
            listeners.all.append(own)
            let port = own.localAddress?.port ?? configuration.port
            var dialects: [OpenPorts.Dialect] = []
            for (index, spoken) in gateway.services.dialects.enumerated() where configuration.takesSessions {
                guard let dialect = spoken.dialect as? any StreamDialect, let asked = spoken.port else { continue }
                let channel = try await listen(asked, isProbed: true, orAny: spoken.takesAnyPort) {
                    Session($0, speaking: index, dialect)
                }
                listeners.all.append(channel)
                dialects.append(.init(name: dialect.name, port: channel.localAddress?.port ?? asked))
            }
            listeners.ports = OpenPorts(port: port, dialects: dialects)
        } catch {
            for listener in listeners.all { try? await listener.close() }
            throw error
        }
        return listeners
    }

    private func listen(
        _ port: Int, isProbed: Bool = false, orAny takesAny: Bool = false,
        _ session: @escaping @Sendable (GatewayLoop) -> Session
    ) async throws -> any Channel {
        let host = gateway.configuration.host
        let bootstrap = isProbed ? Self.probing(bootstrap(session)) : bootstrap(session)
        do {
            return try await bootstrap.bind(host: host, port: port).get()
        } catch {
            if takesAny, let channel = try? await bootstrap.bind(host: host, port: 0).get() { return channel }
            let isTaken = (error as? IOError)?.errnoCode == EADDRINUSE
            throw Fault(
                .unavailable,
                isTaken
                    ? "port \(port) of \(host) is in use by another program"
                    : "can't listen on \(host):\(port): \(error)")
        }
    }

    /// Clients without a heartbeat: the system finds out within two minutes that they are gone.
    private static func probing(_ bootstrap: ServerBootstrap) -> ServerBootstrap {
        let probing = bootstrap.childChannelOption(.socketOption(.so_keepalive), value: 1)
            // Clients that say something and close at once are heard first.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        #if canImport(Glibc)
            // Probes are not sent while something is on its way; TCP_USER_TIMEOUT (18) bounds that.
            return [(TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4), (18, 120_000)].reduce(probing) {
                bootstrap, option in
                bootstrap.childChannelOption(.tcpOption(.init(rawValue: CInt(option.0))), value: option.1)
            }
        #else
            return probing
        #endif
    }

    private func bootstrap(_ session: @escaping @Sendable (GatewayLoop) -> Session) -> ServerBootstrap {
        let gateway = gateway
        return ServerBootstrap(group: group)
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
                    try channel.pipeline.syncOperations.addHandler(session(loop))
                }
            }
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
        let savedDeadline = ContinuousClock.now + .seconds(5)
        while await !gateway.hasSaved(), ContinuousClock.now < savedDeadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
