import MartletCore
import MartletWire
import NIOCore
import NIOPosix

/// Makes the group of a run through the API before anybody is online: the first user founds it, the others join.
struct GroupPreparation: Sendable {
    /// Connections that join side by side, so that the server's commits are shared.
    private static let connections = 64

    let options: BenchOptions
    let group: MultiThreadedEventLoopGroup

    func run() async throws -> ConversationID {
        let members = Array(options.tokens.prefix(options.members ?? options.connections))
        guard let founder = members.first else { throw BenchFailure("a group needs somebody in it") }
        let others = Array(members.dropFirst())
        let id = try await found(founder)
        let size = (others.count + Self.connections - 1) / Self.connections
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for start in stride(from: 0, to: others.count, by: max(1, size)) {
                let part = others[start..<min(start + size, others.count)]
                tasks.addTask { try await join(part, to: id) }
            }
            try await tasks.waitForAll()
        }
        guard let number = GroupID(id) else { throw BenchFailure("the server made a group without a number") }
        return .group(number)
    }

    private func found(_ founder: BenchToken) async throws -> Int64 {
        let client = try await RestClient.connect(options.addresses[0], group)
        defer { client.close() }
        let body = JSONWriter.object { data in
            data.field("name", "bench")
            data.field("join", "open")
        }
        let answer = try await client.post("/api/group/create", founder.token, body)
        let id = try? JSONValue(parsing: Array(answer.body.readableBytesView))["data"]?["groupId"]?.integer
        guard answer.status == 200, let id else { throw BenchFailure("a group was refused with \(answer.status)") }
        return id
    }

    private func join(_ members: ArraySlice<BenchToken>, to id: Int64) async throws {
        let client = try await RestClient.connect(options.addresses[0], group)
        defer { client.close() }
        let body = JSONWriter.object { $0.field("groupId", id) }
        for member in members {
            let answer = try await client.post("/api/group/join", member.token, body)
            guard answer.status == 200 else {
                throw BenchFailure("user \(member.user) may not join the group: \(answer.status)")
            }
        }
    }
}

/// Requests one after another on one connection, for what a run prepares.
final class RestClient: @unchecked Sendable {
    // All but the first two is touched on the loop only, which is why the class may call itself Sendable.
    private let loop: any EventLoop
    private let host: String
    private var handler: RestHandler?
    private var waiting: EventLoopPromise<RestAnswer>?
    private var isClosed = false

    private init(_ loop: any EventLoop, host: String) {
        self.loop = loop
        self.host = host
    }

    static func connect(_ address: BenchAddress, _ group: MultiThreadedEventLoopGroup) async throws -> RestClient {
        let loop = group.next()
        let client = RestClient(loop, host: address.authority)
        _ = try await ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = RestHandler { _, event in client.happened(event) }
                    client.handler = handler
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: address.host, port: address.port).get()
        return client
    }

    func post(_ path: String, _ token: String, _ body: [UInt8]) async throws -> RestAnswer {
        let promise = loop.makePromise(of: RestAnswer.self)
        let request = RestRequest.post(path, host: host, token: token, body: body)
        loop.execute {
            guard !self.isClosed else { return promise.fail(Self.closed) }
            self.waiting = promise
            self.handler?.write(request)
        }
        return try await promise.futureResult.get()
    }

    func close() { loop.execute { self.handler?.cut() } }

    private func happened(_ event: RestHandler.Event) {
        switch event {
        case .connected: break
        case .answered(let answer): waiting.take()?.succeed(answer)
        case .failed(let reason): waiting.take()?.fail(BenchFailure(reason))
        case .closed:
            isClosed = true
            waiting.take()?.fail(Self.closed)
        }
    }

    private static let closed = BenchFailure("the server closed a connection of the API")
}
