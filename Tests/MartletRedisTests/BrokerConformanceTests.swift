import MartletBus
import MartletCore
import MartletRedis
import MartletTestServices
import Synchronization
import Testing

/// What holds for a broker whatever it is made of: what a node hears of what it publishes itself.
@Suite(.serialized, .timeLimit(.minutes(2))) struct BrokerConformanceTests {
    private final class Receiver: BrokerReceiver {
        let events = Mutex<[[Int64]]>([])
        let signals = Mutex<[(signal: Signal, isAwaited: Bool)]>([])

        var groups: [[Int64]] { events.withLock { $0 } }

        func receive(_ events: [Event]) { self.events.withLock { $0.append(events.map(\.seq)) } }
        func missed(_ topics: [ConversationID]) {}
        func receive(_ signal: Signal, done: (@Sendable () -> Void)?) {
            signals.withLock { $0.append((signal, done != nil)) }
            done?()
        }
    }

    /// A node's broker that nobody hears yet.
    private struct Bus {
        let broker: any Broker
        let attach: (any BrokerReceiver) -> Void
        /// Publishes an event of the room with this number, after all that was published so far went wherever it goes.
        let publishLast: (Int64) async -> Void
    }

    private let room = ConversationID.room(AppID(unchecked: 1), nil)

    private func with(_ adapter: Adapter, _ test: (Bus) async throws -> Void) async throws {
        switch adapter {
        case .local:
            let broker = LocalBroker()
            let room = room
            try await test(Bus(broker: broker, attach: broker.attach) { broker.publish([event(room, $0)]) })
        case .redis:
            let server = try await RedisServer()
            let node = try RedisNode([server.url], "one", isHeard: false)
            let other = try RedisNode([server.url], "two")
            for node in [node, other] { #expect(await node.start()) }
            other.broker.follow(room)
            await other.broker.settled([room])
            let room = room
            let bus = Bus(broker: node.broker, attach: node.broker.attach) { seq in
                // Once the other has heard it Redis has told everybody, and what the other says comes behind.
                node.broker.publish([event(room, seq - 1)])
                #expect(await eventually { other.seen.seqs.contains(seq - 1) })
                other.broker.publish([event(room, seq)])
            }
            try await test(bus)
            for node in [node, other] { await node.servers.shutdown() }
        }
    }

    private func read(_ seq: Int64) -> Signal { .read(room, by: .system, seq: seq, to: .followers) }

    @Test(arguments: Adapter.allCases) func `Events arrive in the order and the groups in which they were published`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { bus in
            let receiver = Receiver()
            bus.attach(receiver)
            bus.broker.publish([event(room, 1), event(.group(GroupID(unchecked: 1)), 2)])
            bus.broker.publish([event(room, 3)])
            #expect(receiver.groups == [[1, 2], [3]])
        }
    }

    @Test(arguments: Adapter.allCases) func `A signal that is awaited returns once it was seen`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { bus in
            let receiver = Receiver()
            bus.attach(receiver)
            await bus.broker.publish(read(1))
            bus.broker.post(read(2))
            let seen = receiver.signals.withLock { $0 }
            #expect(seen.map(\.signal) == [read(1), read(2)])
            #expect(seen.map(\.isAwaited) == [true, false])
        }
    }

    @Test(arguments: Adapter.allCases) func `Without a receiver nothing is kept and nobody waits`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { bus in
            bus.broker.publish([event(room, 1)])
            await bus.broker.publish(read(1))
            bus.broker.post(read(2))
            let receiver = Receiver()
            bus.attach(receiver)
            #expect(receiver.groups.isEmpty)
            #expect(receiver.signals.withLock { $0.isEmpty })
        }
    }

    @Test(arguments: Adapter.allCases) func `What a node publishes it hears once, also where it follows the topic`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { bus in
            let receiver = Receiver()
            bus.attach(receiver)
            bus.broker.follow(room)
            await bus.broker.settled([room])
            bus.broker.post(read(1))
            bus.broker.publish([event(room, 1), event(room, 2)])
            await bus.publishLast(1000)
            #expect(await eventually { receiver.groups.last == [1000] })
            #expect(receiver.groups.joined().filter { $0 < 900 } == [1, 2])
            #expect(receiver.signals.withLock { $0.map(\.signal) } == [read(1)])
        }
    }

    @Test(arguments: Adapter.allCases) func `A signal comes whole, whoever it is for and whatever is followed`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { bus in
            let receiver = Receiver()
            bus.attach(receiver)
            let users = (1...3).map { UserID(unchecked: $0) }
            let signals: [Signal] = [
                .presence(users[0], online: true, to: users),
                .typing(.direct(users[0], users[1]), by: users[0], to: .followers),
                .rightsChanged(.inbox(users[2]), nil), .read(room, by: users[0], seq: 5, to: .users(users)), .missed,
            ]
            bus.broker.follow(.inbox(users[0]))
            await bus.broker.settled([.inbox(users[0])])
            for signal in signals { bus.broker.post(signal) }
            #expect(receiver.signals.withLock { $0.map(\.signal) } == signals)
        }
    }

    @Test(arguments: Adapter.allCases) func `Nobody waits for topics that are there, or that nobody follows`(
        adapter: Adapter
    ) async throws {
        try await with(adapter) { bus in
            let receiver = Receiver()
            bus.attach(receiver)
            bus.broker.unfollow(room)
            await bus.broker.settled([])
            await bus.broker.settled([room])
            for _ in 0..<2 {
                bus.broker.follow(room)
                await bus.broker.settled([room])
            }
            bus.broker.unfollow(room)
            await bus.publishLast(1000)
            #expect(await eventually { receiver.groups.last == [1000] })
        }
    }
}
