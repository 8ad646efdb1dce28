import Logging
import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// The broker of a cluster: sharded channels of Redis, one for each topic, on the server that the topic belongs to. Own
/// sessions get everything at once, without Redis. What Redis loses, and what is published while it is away, is told by
/// `BrokerReceiver.missed`.
package final class RedisBroker: Broker {
    /// The channel that every node listens to.
    static let everybody = "*"
    /// Of a connection's queue, for each topic that is subscribed at once. A topic takes some 200 bytes at most, the prefix
    /// included: a part of many always fits, whatever their number, and the queue is never full of it.
    private static let roomForTopic = 2048

    let servers: RedisServers
    /// How long a server may take to confirm the topics that it is told of at once.
    let confirmTime: TimeAmount
    let sender: UInt64
    let receiver = Mutex<(any BrokerReceiver)?>(nil)
    let subscriptions: Mutex<TopicSubscriptions>
    let waiters = Mutex<[UInt64: CheckedContinuation<Void, Never>]>([:])
    let losses: Mutex<BusLosses>
    let recent = Mutex(RecentNumbers())
    let numbers = Atomic<UInt64>(1)

    /// `incarnation`: unlike that of any other node or start. Make it before the servers start.
    package convenience init(_ servers: RedisServers, incarnation: String) {
        self.init(servers, incarnation: incarnation, confirmTime: .seconds(10))
    }

    init(_ servers: RedisServers, incarnation: String, confirmTime: TimeAmount) {
        self.servers = servers
        self.confirmTime = confirmTime
        sender = Rendezvous.mix(Rendezvous.hash(incarnation))
        let atOnce = max(1, servers.bounds.bytes / Self.roomForTopic)
        subscriptions = Mutex(TopicSubscriptions(servers: servers.servers.count, atOnce: atOnce))
        losses = Mutex(BusLosses(servers: servers.servers.count))
        for (index, server) in servers.servers.enumerated() {
            server[.publish].observe(BusPublishing(self, index))
            server[.subscribe].observe(BusListening(self, index))
        }
        servers.onMove { [weak self] in self?.moved() }
        // It may have committed what it could not publish any more.
        servers.onVanished { [weak self] in self?.receiver.withLock { $0 }?.receive(.missed, done: nil) }
        servers.keepDoing(every: .seconds(1), with: self) { $0.sweep() }
    }

    /// Sets where everything goes. What arrives before has nobody to hear it.
    package func attach(_ receiver: any BrokerReceiver) { self.receiver.withLock { $0 = receiver } }

    package var isLossy: Bool { true }

    package func publish(_ events: [Event]) {
        guard !events.isEmpty else { return }
        receiver.withLock { $0 }?.receive(events)
        var frames = frames()
        frames.add(events, sender: sender)
        post(frames, .logged)
    }

    package func publish(_ signal: Signal) async {
        send(signal)
        guard let receiver = receiver.withLock({ $0 }) else { return }
        await withCheckedContinuation { continuation in receiver.receive(signal) { continuation.resume() } }
    }

    package func post(_ signal: Signal) {
        receiver.withLock { $0 }?.receive(signal, done: nil)
        send(signal)
    }

    private func send(_ signal: Signal) {
        var frames = frames()
        switch signal.reach {
        case .everyNode: frames.addToEverybody(BusFrame.signal(signal, number: 0, sender: sender))
        case .topics(let topics):
            guard topics.count > 1 else {
                for topic in topics { frames.add(BusFrame.signal(signal, number: 0, sender: sender), to: topic) }
                break
            }
            let number = numbers.wrappingAdd(1, ordering: .relaxed).oldValue
            for topic in topics {
                let part = signal.part(for: topic)
                // What is the same for several topics must not be seen once for each.
                let frame = BusFrame.signal(part, number: part == signal ? number : 0, sender: sender)
                frames.add(frame, to: topic)
            }
        }
        post(frames, signal.weight)
    }

    func frames() -> BusCommands {
        BusCommands(prefix: servers.prefix, servers: servers.servers.count, owner: servers.owner(of:))
    }

    func post(_ commands: BusCommands, _ weight: BusWeight) {
        for (index, batch) in commands.batches {
            let link = servers.servers[index][.publish]
            guard link.post(batch.bytes, commands: batch.frames, isDroppable: weight == .droppable) else {
                lost(index, batch.frames, weight)
                continue
            }
            servers.metrics.framesOut.add(batch.frames)
            servers.metrics.bytesOut.add(batch.payload)
        }
    }
}

/// How much it matters that frames arrive.
enum BusWeight {
    /// Worth less than the room they take in a queue.
    case droppable
    /// The log does not have them: to ask it would not bring them back.
    case signal
    /// The log has them, or they ask for it: where they are lost, the others have to be told.
    case logged
}

extension Signal {
    var weight: BusWeight {
        switch self {
        case .typing, .read, .delivered, .presence, .room: .droppable
        case .rightsChanged, .revoked, .replaced: .signal
        case .missed: .logged
        }
    }
}

/// Commands that publish frames, by server, in batches that a server's queue takes or refuses as a whole.
struct BusCommands {
    private static let batchFrames = 2048
    private static let batchBytes = 2 << 20

    struct Batch {
        var bytes = ByteBuffer()
        var frames = 0
        var payload = 0
    }

    private let prefix: String
    private let owner: (String) -> Int
    private var full: [(server: Int, batch: Batch)] = []
    private var open: [Batch]

    init(prefix: String, servers: Int, owner: @escaping (String) -> Int) {
        self.prefix = prefix
        self.owner = owner
        open = Array(repeating: Batch(), count: servers)
    }

    /// In the order in which they are to be sent.
    var batches: [(server: Int, batch: Batch)] {
        full + open.enumerated().filter { $1.frames > 0 }.map { (server: $0, batch: $1) }
    }

    /// One frame for each topic, more only where it would get too large. Each event is encoded once.
    mutating func add(_ events: [Event], sender: UInt64) {
        var encoded: [UInt8] = []
        var ends: [Int] = []
        ends.reserveCapacity(events.count)
        for event in events {
            BusFrame.append(event, to: &encoded)
            ends.append(encoded.count)
        }
        let head = BusFrame.eventsHead(sender: sender)
        guard events.count > 1 else {
            for topic in events[0].conversation.topics { add(topic, head, encoded, [0..<encoded.count]) }
            return
        }
        var order: [ConversationID] = []
        var byTopic: [ConversationID: [Range<Int>]] = [:]
        for (index, event) in events.enumerated() {
            let range = (index == 0 ? 0 : ends[index - 1])..<ends[index]
            for topic in event.conversation.topics {
                if byTopic[topic] == nil { order.append(topic) }
                byTopic[topic, default: []].append(range)
            }
        }
        for topic in order {
            var chunk: [Range<Int>] = []
            var size = 0
            for range in byTopic[topic] ?? [] {
                if size + range.count > BusFrame.bytes, !chunk.isEmpty {
                    add(topic, head, encoded, chunk)
                    chunk = []
                    size = 0
                }
                size += range.count
                // Neighbours in one piece.
                if let last = chunk.last, last.upperBound == range.lowerBound {
                    chunk[chunk.count - 1] = last.lowerBound..<range.upperBound
                } else {
                    chunk.append(range)
                }
            }
            add(topic, head, encoded, chunk)
        }
    }

    private mutating func add(
        _ topic: ConversationID, _ head: [UInt8], _ encoded: [UInt8], _ ranges: [Range<Int>]
    ) {
        let size = head.count + ranges.reduce(0) { $0 + $1.count }
        write("SPUBLISH", topic.text, size) { bytes in
            bytes.writeBytes(head)
            for range in ranges { bytes.writeBytes(encoded[range]) }
        }
    }

    mutating func add(_ frame: [UInt8], to topic: ConversationID) {
        write("SPUBLISH", topic.text, frame.count) { $0.writeBytes(frame) }
    }

    mutating func addToEverybody(_ frame: [UInt8]) {
        write("PUBLISH", RedisBroker.everybody, frame.count) { $0.writeBytes(frame) }
    }

    /// To everybody through one server, whether or not the channel is that one's.
    mutating func addToEverybody(_ frame: [UInt8], through server: Int) {
        write("PUBLISH", RedisBroker.everybody, on: server, frame.count) { $0.writeBytes(frame) }
    }

    private mutating func write(_ command: String, _ channel: String, _ size: Int, _ frame: (inout ByteBuffer) -> Void)
    {
        write(command, channel, on: owner(channel), size, frame)
    }

    private mutating func write(
        _ command: String, _ channel: String, on server: Int, _ size: Int, _ frame: (inout ByteBuffer) -> Void
    ) {
        open[server].bytes.writeCommandHead(arguments: 3)
        open[server].bytes.writeArgument(command)
        open[server].bytes.writeArgument(prefix + channel)
        open[server].bytes.writeArgumentHead(bytes: size)
        frame(&open[server].bytes)
        open[server].bytes.writeArgumentEnd()
        open[server].frames += 1
        open[server].payload += size
        guard open[server].frames >= Self.batchFrames || open[server].payload >= Self.batchBytes else { return }
        full.append((server, open[server]))
        open[server] = Batch()
    }
}
