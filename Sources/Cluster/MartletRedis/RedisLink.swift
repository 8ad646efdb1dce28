import MartletCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Who hears of a link. Called on the link's loop.
protocol RedisLinkObserver: AnyObject, Sendable {
    /// Connected, for the first time or again: the server knows nothing of this connection yet.
    func linkIsUp()
    /// `unanswered`: commands that may or may not have been carried out.
    func linkIsDown(unanswered: Int)
    func linkPushed(_ elements: [RESPValue])
    /// What was pushed so far came with one read.
    func linkRead()
    /// The server refused a command that nobody waits for.
    func linkRefused(_ error: String)
}

/// A connection to one server that comes back by itself. Any thread may send; what many threads send within one turn of
/// the loop goes out with one write. While it is down nothing is kept: whoever sends is told at once.
final class RedisLink: Sendable {
    struct Bounds: Sendable {
        /// Commands without a reply, those that wait to be sent included.
        var commands = 1 << 16
        var bytes = 32 << 20
        var connectTimeout: TimeAmount = .seconds(2)
        var backoff: (first: TimeAmount, last: TimeAmount) = (.milliseconds(100), .seconds(2))
        var times = RedisConnectionStateMachine<RedisReply>.Times()
    }

    private enum Phase {
        /// Not started, or shut down.
        case off
        case connecting(failures: Int)
        case up(NIOLoopBound<RedisConnectionHandler>)
    }

    private struct State {
        var phase: Phase = .off
        var outbox: [RedisRequest] = []
        var outboxSize = (commands: 0, bytes: 0)
        var unanswered = (commands: 0, bytes: 0)
        var isDraining = false
        var failure: RedisFailure?
        var observer: (any RedisLinkObserver)?
        var channel: (any Channel)?
        /// The handler of `channel`. Others may have been made for addresses that answered later.
        var current: ObjectIdentifier?
        /// Failures before this connection, and since when it is up: one that never lasts must not be tried for ever at
        /// full speed.
        var failures = 0
        var upSince: NIODeadline?

        var isConnecting: Bool {
            if case .connecting = phase { return true }
            return false
        }
    }

    let url: RedisURL
    let loop: any EventLoop
    private let name: String
    private let prefix: String
    let tls: NIOSSLContext?
    private let bounds: Bounds
    /// Told of the first failure and then of each further one, and of what comes after.
    private let report: @Sendable (RedisFailure?) -> Void
    private let state = Mutex(State())

    /// `prefix`: of all channels. `report`: called with each failure to connect or end of a connection, and with nil once it is up.
    init(
        _ url: RedisURL, name: String, loop: any EventLoop, tls: NIOSSLContext?, prefix: String,
        bounds: Bounds = Bounds(), report: @escaping @Sendable (RedisFailure?) -> Void
    ) {
        self.url = url
        self.name = name
        self.loop = loop
        self.tls = tls
        self.prefix = prefix
        self.bounds = bounds
        self.report = report
    }

    /// Before `start`. The link holds it until `stop`.
    func observe(_ observer: any RedisLinkObserver) { state.withLock { $0.observer = observer } }

    var isObserved: Bool { state.withLock { $0.observer != nil } }

    var isUp: Bool {
        state.withLock { state in
            if case .up = state.phase { return true }
            return false
        }
    }

    /// What waits or has no reply.
    var depth: Int { state.withLock { $0.outboxSize.commands + $0.unanswered.commands } }

    func start() {
        let starts = state.withLock { state in
            guard case .off = state.phase else { return false }
            state.phase = .connecting(failures: 0)
            return true
        }
        if starts { loop.execute { self.connect() } }
    }

    /// Returns once the connection is closed, or after a second. Whoever waits for a reply is told at once that Redis is
    /// away.
    func stop() async {
        let (channel, phase) = state.withLock { state in
            defer { state.phase = .off }
            return (state.channel, state.phase)
        }
        if let channel {
            let over = loop.makePromise(of: Void.self)
            loop.execute {
                if case .up(let handler) = phase { handler.value.close(.closed) }
                let limit = self.loop.scheduleTask(in: .seconds(1)) { over.succeed() }
                channel.closeFuture.whenComplete { _ in
                    limit.cancel()
                    over.succeed()
                }
                channel.close(promise: nil)
            }
            _ = try? await over.futureResult.get()
        }
        state.withLock { $0.observer = nil }
    }

    /// Returns once the server has answered all that was sent so far, or after half a second.
    func flush() async {
        guard isUp else { return }
        await withCheckedContinuation { continuation in
            send(RedisCommand.probe.bytes, within: .milliseconds(500)) { _ in continuation.resume() }
        }
    }

    /// Sends commands, of which only the last one's reply is told. `reply` is called once, on any thread, with
    /// `unavailable` where there is no connection or no reply in time, and with `overloaded` where too many wait.
    func send(_ bytes: ByteBuffer, commands: Int = 1, within time: TimeAmount, _ reply: @escaping RedisReply) {
        let request = RedisRequest(bytes: bytes, commands: commands, deadline: .now() + time, reply: reply)
        if let refusal = take(request) { reply(.failure(refusal)) }
    }

    /// Sends commands whose replies don't matter. False where they were not taken. `isDroppable`: they may have only one
    /// half of the queue, so that they don't keep others out.
    func post(_ bytes: ByteBuffer, commands: Int, isDroppable: Bool = false) -> Bool {
        let request = RedisRequest(bytes: bytes, commands: commands, deadline: .distantFuture, reply: nil)
        return take(request, share: isDroppable ? 2 : 1) == nil
    }

    private func take(_ request: RedisRequest, share: Int = 1) -> Fault? {
        let (refusal, drains) = state.withLock { state -> (Fault?, Bool) in
            guard case .up = state.phase else { return (.redisIsAway, false) }
            let size = request.bytes.readableBytes
            guard state.outboxSize.commands + state.unanswered.commands + request.commands <= bounds.commands / share,
                state.outboxSize.bytes + state.unanswered.bytes + size <= bounds.bytes / share
            else { return (.redisIsBehind, false) }
            state.outbox.append(request)
            state.outboxSize.commands += request.commands
            state.outboxSize.bytes += size
            defer { state.isDraining = true }
            return (nil, !state.isDraining)
        }
        if drains { loop.execute { self.drain() } }
        return refusal
    }

    private func drain() {
        let (handler, requests) = state.withLock { state in
            defer {
                state.outbox = []
                state.outboxSize = (0, 0)
                state.isDraining = false
            }
            guard case .up(let handler) = state.phase else {
                return (nil as NIOLoopBound<RedisConnectionHandler>?, state.outbox)
            }
            return (handler, state.outbox)
        }
        guard let handler else {
            for request in requests { request.reply?(.failure(.redisIsAway)) }
            let lost = requests.reduce(0) { $0 + ($1.reply == nil ? $1.commands : 0) }
            if lost > 0 { state.withLock { $0.observer }?.linkIsDown(unanswered: lost) }
            return
        }
        let unanswered = handler.value.send(requests)
        state.withLock { $0.unanswered = unanswered }
    }

    /// Ends the connection; it comes back by itself.
    func reconnect(_ failure: RedisFailure) {
        // At once where it can be: what the server says next would be taken for the reason.
        let isHere = loop.inEventLoop
        let work: @Sendable () -> Void = {
            let handler = self.state.withLock { state -> NIOLoopBound<RedisConnectionHandler>? in
                guard case .up(let handler) = state.phase else { return nil }
                return handler
            }
            handler?.value.close(failure)
        }
        if isHere { work() } else { loop.execute(work) }
    }
}

extension RedisLink {
    private func connect() {
        guard state.withLock({ $0.isConnecting }) else { return }
        let opened = Self.open(
            url, name: name, loop: loop, tls: tls, prefix: prefix, bounds: bounds, owner: self)
        opened.whenComplete { result in
            switch result {
            case .success(let channel): self.opened(channel)
            case .failure(let error):
                self.failed(.unreachable(Self.reason(error)))
            }
        }
    }

    private func opened(_ channel: any Channel) {
        let handler = try? channel.pipeline.syncOperations.handler(type: RedisConnectionHandler.self)
        guard let handler, !handler.isOver else { return failed(handler?.failure ?? .closed) }
        let current = ObjectIdentifier(handler)
        let isWanted = state.withLock { state in
            state.channel = channel
            state.current = current
            if case .off = state.phase { return false }
            return true
        }
        if !isWanted { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in
            // Only where the handler had nothing to tell.
            if self.isCurrent(current) { self.failed(.closed) }
        }
    }

    private func isCurrent(_ handler: ObjectIdentifier) -> Bool { state.withLock { $0.current == handler } }

    /// Opens one connection, greeting included; `owner` hears how it goes, the future only whether there is one.
    static func open(
        _ url: RedisURL, name: String, loop: any EventLoop, tls: NIOSSLContext?, prefix: String,
        bounds: Bounds = Bounds(), owner: any RedisConnectionOwner
    ) -> EventLoopFuture<any Channel> {
        let greeting = greeting(url, name, prefix)
        return ClientBootstrap(group: loop).connectTimeout(bounds.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let host = isAddress(url.host) ? nil : url.host
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: host))
                    }
                    try pipeline.addHandler(RedisConnectionHandler(owner, greeting: greeting, times: bounds.times))
                }
            }
            .connect(host: url.host, port: url.port)
    }

    /// What an error says, in bounds.
    static func reason(_ error: any Error) -> String { String(String(describing: error).prefix(200)) }

    /// A connection that lived for so long was a good one.
    private static let lasting: TimeAmount = .seconds(10)

    private func failed(_ failure: RedisFailure) {
        let failures = state.withLock { state -> Int? in
            state.failure = failure
            state.channel = nil
            state.current = nil
            state.unanswered = (0, 0)
            switch state.phase {
            case .off: return nil
            case .connecting(let failures):
                state.phase = .connecting(failures: failures + 1)
                return failures + 1
            case .up:
                let isLasting = state.upSince.map { .now() - $0 > Self.lasting } ?? false
                let failures = (isLasting ? 0 : state.failures) + 1
                state.phase = .connecting(failures: failures)
                return failures
            }
        }
        guard let failures else { return }
        report(failure)
        loop.scheduleTask(in: pause(failures)) { self.connect() }
    }

    /// Doubles with every failure up to the last; of it, a random part between a half and the whole, so that a cluster
    /// does not come back in step.
    private func pause(_ failures: Int) -> TimeAmount {
        let doubled = bounds.backoff.first.nanoseconds << Int64(min(failures - 1, 20))
        let whole = min(doubled, bounds.backoff.last.nanoseconds)
        return .nanoseconds(Int64.random(in: whole / 2...whole))
    }

    /// With a publication that nobody hears: a user who may not publish can't be used.
    private static func greeting(_ url: RedisURL, _ name: String, _ prefix: String) -> (
        bytes: ByteBuffer, commands: Int
    ) {
        var arguments = ["HELLO", "3"]
        if let password = url.password { arguments += ["AUTH", url.user, password] }
        arguments += ["SETNAME", name]
        var bytes = RedisCommand(arguments).bytes
        bytes.writeImmutableBuffer(RedisCommand("SPUBLISH", prefix + "check", "").bytes)
        guard url.database > 0 else { return (bytes, 2) }
        bytes.writeImmutableBuffer(RedisCommand("SELECT", String(url.database)).bytes)
        return (bytes, 3)
    }

    private static func isAddress(_ host: String) -> Bool { (try? SocketAddress(ipAddress: host, port: 1)) != nil }
}

extension RedisLink: RedisConnectionOwner {
    func connectionIsReady(_ handler: RedisConnectionHandler) {
        let bound = NIOLoopBound(handler, eventLoop: loop)
        let current = ObjectIdentifier(handler)
        let (isTaken, observer) = state.withLock { state -> (Bool, (any RedisLinkObserver)?) in
            guard case .connecting(let failures) = state.phase, state.current == current else {
                return (false, nil)
            }
            state.phase = .up(bound)
            state.failures = failures
            state.upSince = .now()
            state.failure = nil
            return (true, state.observer)
        }
        guard isTaken else { return handler.close(.closed) }
        report(nil)
        observer?.linkIsUp()
    }

    func connectionPushed(_ handler: RedisConnectionHandler, _ elements: [RESPValue]) {
        guard isCurrent(ObjectIdentifier(handler)) else { return }
        state.withLock { $0.observer }?.linkPushed(elements)
    }

    func connectionRead(_ handler: RedisConnectionHandler, unanswered: (commands: Int, bytes: Int)) {
        guard isCurrent(ObjectIdentifier(handler)) else { return }
        let observer = state.withLock { state in
            state.unanswered = unanswered
            return state.observer
        }
        observer?.linkRead()
    }

    func connectionRefused(_ handler: RedisConnectionHandler, _ error: String) {
        state.withLock { $0.observer }?.linkRefused(error)
    }

    func connectionEnded(_ handler: RedisConnectionHandler, _ failure: RedisFailure, unanswered: Int) {
        guard isCurrent(ObjectIdentifier(handler)) else { return }
        let observer = state.withLock { $0.observer }
        failed(failure)
        observer?.linkIsDown(unanswered: unanswered)
    }
}
