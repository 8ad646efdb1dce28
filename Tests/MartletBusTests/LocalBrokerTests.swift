import MartletBus
import MartletCore
import Synchronization
import Testing

@Suite struct LocalBrokerTests {
    private final class Receiver: BrokerReceiver {
        let events = Mutex<[[Int64]]>([])
        let signals = Mutex<[(seq: Int64, isAwaited: Bool)]>([])

        func receive(_ events: [Event]) { self.events.withLock { $0.append(events.map(\.seq)) } }

        func missed(_ topics: [ConversationID]) {}

        func receive(_ signal: Signal, done: (@Sendable () -> Void)?) {
            guard case .read(_, _, let seq, _) = signal else { return }
            signals.withLock { $0.append((seq, done != nil)) }
            done?()
        }
    }

    private let room = ConversationID.room(AppID(unchecked: 1), nil)

    private func event(_ seq: Int64) -> Event {
        Event(
            conversation: room, seq: seq, ordinal: seq, sender: .system, senderName: "", kind: .text, clientId: "",
            time: .distantPast, body: [])
    }

    private func signal(_ seq: Int64) -> Signal { .read(room, by: .system, seq: seq, to: .followers) }

    @Test func `Events arrive in the order and the groups in which they were published`() {
        let broker = LocalBroker()
        let receiver = Receiver()
        broker.attach(receiver)
        broker.publish([event(1), event(2)])
        broker.publish([event(3)])
        #expect(receiver.events.withLock { $0 } == [[1, 2], [3]])
    }

    @Test func `A signal that is awaited returns once it was seen`() async {
        let broker = LocalBroker()
        let receiver = Receiver()
        broker.attach(receiver)
        await broker.publish(signal(1))
        broker.post(signal(2))
        let seen = receiver.signals.withLock { $0 }
        #expect(seen.map(\.seq) == [1, 2])
        #expect(seen.map(\.isAwaited) == [true, false])
    }

    @Test func `Without a receiver nothing is kept and nobody waits`() async {
        let broker = LocalBroker()
        broker.publish([event(1)])
        await broker.publish(signal(1))
        broker.post(signal(2))
        let receiver = Receiver()
        broker.attach(receiver)
        #expect(receiver.events.withLock { $0.isEmpty })
        #expect(receiver.signals.withLock { $0.isEmpty })
    }
}
