import MartletWire
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a WebSocket costs on SwiftNIO that does nothing else: the codecs of this tree in one handler, no state, no
/// checks. Calibrates the machine, as `floor.c` does.
enum EchoServer {
    static func serve(port: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(EchoHandler())
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        print("listening on \(server.localAddress?.port ?? 0)")
        fflush(nil)
        try await server.closeFuture.get()
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var decoder = WebSocketDecoder(role: .server, maximumMessage: 65_536)
    private var isUpgraded = false
    private var rest: ByteBuffer?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var rest = rest.take() {
            rest.writeBuffer(&bytes)
            bytes = rest
        }
        do {
            if !isUpgraded { upgrade(&bytes, context) }
            while isUpgraded, let item = try decoder.next(&bytes) {
                guard case .ping(let payload) = item else { continue }
                let answer = WebSocketEncoder.pong(payload, allocator: context.channel.allocator)
                context.write(wrapOutboundOut(answer), promise: nil)
            }
            if bytes.readableBytes > 0 { rest = bytes }
        } catch { context.close(promise: nil) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func upgrade(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
        switch RequestPeek.read(bytes.readableBytesUInt8Span, paths: ["/echo"]) {
        case .incomplete: return
        case .http, .refused: context.close(promise: nil)
        case .upgrade(let request, let head):
            bytes.moveReaderIndex(forwardBy: head)
            isUpgraded = true
            let answer = ByteBuffer(bytes: UpgradeResponse.accept(key: request.key))
            context.write(wrapOutboundOut(answer), promise: nil)
        }
    }
}

@available(*, unavailable)
extension EchoHandler: Sendable {}
