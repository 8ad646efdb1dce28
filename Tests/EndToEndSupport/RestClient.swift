import MartletWire
import NIOCore
import NIOHTTP1
import NIOPosix

/// REST over loopback, one connection per call.
package struct RestClient: Sendable {
    package let port: Int
    /// How long an answer may take.
    private let timeout: Duration

    package init(port: Int, timeout: Duration = patience) {
        self.port = port
        self.timeout = timeout
    }

    /// Sends `json` (as `application/json`) or `body` as they are.
    package func call(
        _ method: String, _ path: String, token: String? = nil, json: String? = nil, body: [UInt8]? = nil,
        headers: [(String, String)] = []
    ) async throws -> RestAnswer {
        var fields = HTTPHeaders([("Host", "127.0.0.1:\(port)"), ("Connection", "close")])
        if let token { fields.add(name: "Authorization", value: "Bearer \(token)") }
        if json != nil { fields.add(name: "Content-Type", value: "application/json") }
        let content = json.map { Array($0.utf8) } ?? body
        if content != nil || method == "POST" || method == "PUT" {
            fields.add(name: "Content-Length", value: "\(content?.count ?? 0)")
        }
        for (name, value) in headers { fields.replaceOrAdd(name: name, value: value) }
        let head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: path, headers: fields)

        let exchange = Watched(Exchange())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try channel.pipeline.syncOperations.addHandler(ExchangeHandler(exchange))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let content {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: content))), promise: nil)
        }
        // A refused upload may be answered before it was read.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        defer { channel.close(promise: nil) }
        return try await exchange.wait("the answer to \(method) \(path)", for: timeout) { exchange in
            if let answer = exchange.answer { return answer }
            if exchange.isClosed { throw ConnectionLost("the answer to \(method) \(path)") }
            return nil
        }
    }
}

/// The connection ended before what was awaited came.
package struct ConnectionLost: Error, CustomStringConvertible {
    package let description: String

    package init(_ awaited: String = "an answer") { description = "the connection ended before \(awaited)" }
}

/// What came back from a REST call.
package struct RestAnswer: Sendable {
    package let status: Int
    package let headers: [(String, String)]
    package let body: [UInt8]

    package var json: JSONValue? { try? JSONValue(parsing: body, depth: 64) }
    /// The envelope's `data`.
    package var data: JSONValue? { json?["data"] }
    package var reason: String? { data?["reason"]?.string }
    package var text: String { String(decoding: body, as: UTF8.self) }

    package func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
}

private struct Exchange: Sendable {
    var head: HTTPResponseHead?
    var body: [UInt8] = []
    var answer: RestAnswer?
    var isClosed = false
}

private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let exchange: Watched<Exchange>

    init(_ exchange: Watched<Exchange>) { self.exchange = exchange }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        exchange.update { exchange in
            switch part {
            case .head(let head): exchange.head = head
            case .body(let bytes): exchange.body.append(contentsOf: bytes.readableBytesView)
            case .end:
                exchange.answer = exchange.head.map { head in
                    RestAnswer(
                        status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) },
                        body: exchange.body)
                }
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { exchange.update { $0.isClosed = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension ExchangeHandler: Sendable {}
