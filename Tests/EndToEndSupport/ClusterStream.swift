import Foundation
import NIOCore
import NIOPosix

/// Clusterchat through nginx, as it is shipped, with questions from any address of loopback.
package enum ClusterStream {
    fileprivate struct Answer: Sendable {
        var text: String?
        var isClosed = false
    }

    /// Writes a site of nginx with the shipped part for clusterchat alone into a folder; returns its path. Its nodes and its
    /// port are put in as those of `martlet-stream.conf` are.
    package static func site(in folder: String) throws -> String {
        let shipped = ClusterHarness.shippedSite("martlet-clusterchat.conf")
        let lines = try String(contentsOfFile: shipped, encoding: .utf8)
            .replacing("include martlet/clusterchat-nodes.conf;", with: "include martlet/nodes.conf;")
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("    listen ") ? "    listen 443;" : $0 }
        let path = folder + "/clusterchat.conf"
        let site = "# The shipped part of a stream.\nstream {\n" + lines.joined(separator: "\n") + "}\n"
        try Data(site.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Connects from an address, sends a message with the zero byte behind it, and returns the first one that comes back.
    /// Throws `ConnectionLost` where there is none.
    package static func ask(_ message: String, port: Int, from source: String) async throws -> String {
        let answer = Watched(Answer())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .bind(to: SocketAddress(ipAddress: source, port: 0))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Listener(answer))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        defer { channel.close(promise: nil) }
        channel.writeAndFlush(ByteBuffer(string: message + "\0"), promise: nil)
        return try await answer.wait("an answer at port \(port)") { answer -> String? in
            if answer.text == nil, answer.isClosed { throw ConnectionLost() }
            return answer.text
        }
    }

    fileprivate final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let answer: Watched<Answer>
        private var bytes: [UInt8] = []

        init(_ answer: Watched<Answer>) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += unwrapInboundIn(data).readableBytesView
            guard let end = bytes.firstIndex(of: 0) else { return }
            let text = String(decoding: bytes[..<end], as: UTF8.self)
            answer.update { $0.text = $0.text ?? text }
        }

        func channelInactive(context: ChannelHandlerContext) { answer.update { $0.isClosed = true } }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

@available(*, unavailable)
extension ClusterStream.Listener: Sendable {}

extension ServerProcess {
    /// The port that the server has printed for a dialect on bare TCP, such as `clusterchat-seed`.
    package func port(of dialect: String) async throws -> Int {
        let words = "\(dialect) on 127.0.0.1:"
        try await waitForLog(words)
        // What is printed may come in pieces: the port is whole where its line is.
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            let lines = log.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let line = lines.last { $0.hasPrefix(words) }
            if let port = line.flatMap({ Int($0.dropFirst(words.count)) }) { return port }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw WaitedTooLong(description: "waited for the port of \(dialect)")
    }
}
