import MartletCore
import Synchronization

/// The broker of a cluster of one: hands everything to this node's gateway.
package final class LocalBroker: Broker {
    private let receiver = Mutex<(any BrokerReceiver)?>(nil)

    package let isLossy: Bool

    /// `isLossy`: the log does not announce each event once and in order, as on PostgreSQL, where several threads commit.
    package init(isLossy: Bool = false) { self.isLossy = isLossy }

    /// Sets where everything goes. What is published before has nobody to hear it.
    package func attach(_ receiver: any BrokerReceiver) { self.receiver.withLock { $0 = receiver } }

    package func publish(_ events: [Event]) { receiver.withLock { $0 }?.receive(events) }

    package func publish(_ signal: Signal) async {
        guard let receiver = receiver.withLock({ $0 }) else { return }
        await withCheckedContinuation { continuation in receiver.receive(signal) { continuation.resume() } }
    }

    package func post(_ signal: Signal) { receiver.withLock { $0 }?.receive(signal, done: nil) }

    package func follow(_ topic: ConversationID) {}
    package func unfollow(_ topic: ConversationID) {}
    package func settled(_ topics: [ConversationID]) async {}
}
