import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// Numbers of signals that were seen a moment ago.
struct RecentNumbers {
    private static let kept = 1024
    private var seen: Set<UInt64> = []
    private var order: [UInt64] = []
    private var next = 0

    /// True the first time, until as many others were seen as are kept.
    mutating func isNew(_ number: UInt64, from sender: UInt64) -> Bool {
        let key = sender ^ Rendezvous.mix(number)
        guard seen.insert(key).inserted else { return false }
        if order.count < Self.kept {
            order.append(key)
        } else {
            seen.remove(order[next])
            order[next] = key
            next = (next + 1) % Self.kept
        }
        return true
    }
}

/// Hears what one server pushes. What comes with one read is handed on together.
final class BusListening: RedisLinkObserver {
    private let broker: RedisBroker
    private let server: Int
    private let events = Mutex<[Event]>([])

    init(_ broker: RedisBroker, _ server: Int) {
        self.broker = broker
        self.server = server
    }

    func linkIsUp() { broker.subscribeAll(server) }
    func linkIsDown(unanswered: Int) {
        linkRead()
        broker.subscriptions.withLock { $0.down(server) }
    }
    /// A server that refuses to let us listen is as good as none.
    func linkRefused(_ error: String) {
        broker.servers.servers[server][.subscribe].reconnect(.unfit("refuses: \(error.prefix(120))"))
    }

    func linkPushed(_ elements: [RESPValue]) {
        guard elements.count == 3, case .bytes(let kind) = elements[0], case .bytes(let frame) = elements[2],
            kind.readableBytes == 8 || kind.readableBytes == 7,
            kind.readableBytesView.last == UInt8(ascii: "e")
        else { return }
        guard
            kind.readableBytesView.elementsEqual("smessage".utf8)
                || kind.readableBytesView.elementsEqual("message".utf8)
        else { return }
        let sender = BusFrame.sender(of: frame.readableBytesUInt8Span)
        guard sender != broker.sender else { return }
        let metrics = broker.servers.metrics
        metrics.framesIn.add()
        metrics.bytesIn.add(frame.readableBytes)
        do throws(BusFrame.Damage) {
            take(try BusFrame(Array(buffer: frame)))
        } catch {
            metrics.damaged.add()
        }
    }

    private func take(_ frame: BusFrame) {
        switch frame.content {
        case .events(let new, let dropped):
            if dropped > 0 { broker.servers.metrics.damaged.add(dropped) }
            events.withLock { $0 += new }
        case .signal(let signal, let number):
            linkRead()
            guard number == 0 || broker.recent.withLock({ $0.isNew(number, from: frame.sender) }) else { return }
            broker.receiver.withLock { $0 }?.receive(signal, done: nil)
        }
    }

    func linkRead() {
        let new = events.withLock { events in
            defer { events = [] }
            return events
        }
        guard !new.isEmpty else { return }
        broker.receiver.withLock { $0 }?.receive(new)
    }
}

extension RedisBroker {
    package func follow(_ topic: ConversationID) {
        let server = subscriptions.withLock { $0.follow(topic) { servers.owner(of: topic.text) } }
        if let server { tellLater(server) }
    }

    package func unfollow(_ topic: ConversationID) { subscriptions.withLock { $0.unfollow(topic, now: .now()) } }

    package func settled(_ topics: [ConversationID]) async {
        let present = servers.present
        let id = UInt64.random(in: .min ... .max)
        await withCheckedContinuation { continuation in
            // Known before it can be done.
            waiters.withLock { $0[id] = continuation }
            guard subscriptions.withLock({ $0.wait(id, for: topics) { !present[$0] } }) else { return wake(id) }
            servers.servers[0][.subscribe].loop.scheduleTask(in: .seconds(2)) {
                if self.subscriptions.withLock({ $0.giveUp(id) }) { self.wake(id) }
            }
        }
    }

    private func wake(_ id: UInt64) { waiters.withLock { $0.removeValue(forKey: id) }?.resume() }

    /// Once for all that is asked in this turn of the loop.
    private func tellLater(_ server: Int) {
        let isFirst = subscriptions.withLock { $0.isFirstToTell(server) }
        guard isFirst else { return }
        servers.servers[server][.subscribe].loop.execute { self.tell(server) }
    }

    private func tell(_ server: Int) {
        let changes = subscriptions.withLock { $0.changes(for: server) }
        if !changes.isEmpty { send(changes, to: server) }
    }

    /// A new connection: everything again, a part at a time.
    func subscribeAll(_ server: Int) {
        let changes = subscriptions.withLock { $0.up(server) }
        send(changes, to: server, after: RedisCommand("SUBSCRIBE", servers.prefix + Self.everybody).bytes)
    }

    /// Subscriptions are answered by pushes; the answer to the probe behind them says that all are in force. Then comes what
    /// else there is to tell.
    private func send(_ changes: TopicSubscriptions.Changes, to server: Int, after bytes: ByteBuffer = ByteBuffer()) {
        var bytes = bytes
        write("SUNSUBSCRIBE", changes.unsubscribe, to: &bytes)
        write("SSUBSCRIBE", changes.subscribe, to: &bytes)
        bytes.writeImmutableBuffer(RedisCommand.probe.bytes)
        let link = servers.servers[server][.subscribe]
        link.send(bytes, within: confirmTime) { [weak self] result in
            switch result {
            case .success:
                self?.confirmed(changes.subscribe, by: server)
                self?.tell(server)
            // A lost connection is made again, with all topics. One that goes on without these would leave them out.
            case .failure(let fault):
                if fault.isLate || fault.reason == .overloaded { link.reconnect(.silent) }
                if fault.redisError != nil { link.reconnect(.unfit(fault.message)) }
            }
        }
    }

    private func write(_ command: String, _ topics: [ConversationID], to bytes: inout ByteBuffer) {
        for start in stride(from: 0, to: topics.count, by: 512) {
            let part = topics[start..<min(start + 512, topics.count)]
            bytes.writeCommandHead(arguments: part.count + 1)
            bytes.writeArgument(command)
            for topic in part { bytes.writeArgument(servers.prefix + topic.text) }
        }
    }

    private func confirmed(_ topics: [ConversationID], by server: Int) {
        let (missed, done, count) = subscriptions.withLock { subscriptions in
            let (missed, done) = subscriptions.confirmed(topics, by: server)
            return (missed, done, subscriptions.count)
        }
        servers.metrics.topics.set(count)
        if !missed.isEmpty {
            servers.metrics.missed.add(missed.count)
            receiver.withLock { $0 }?.missed(missed)
        }
        for id in done { wake(id) }
    }

    func moved() {
        let tell = subscriptions.withLock { subscriptions in
            subscriptions.move(now: .now()) { topics in servers.owners(of: topics.lazy.map(\.text)) }
        }
        for server in tell { tellLater(server) }
        tellLosses()
    }

    func sweep() {
        let (tell, count) = subscriptions.withLock { ($0.sweep(now: .now()), $0.count) }
        servers.metrics.topics.set(count)
        for server in tell { tellLater(server) }
        tellLosses()
    }
}
