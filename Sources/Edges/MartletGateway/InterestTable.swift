import MartletCore
import Synchronization

/// Which loops have sessions that follow a topic, as a set of bits. Shared by the loops; each lock guards a tiny map and is held for one look-up.
/// A user's direct conversations and inbox have the user's inbox as their topic.
final class InterestTable: Sendable {
    private final class Shard: Sendable {
        let loops = Mutex<[ConversationID: UInt64]>([:])
    }

    /// One bit per loop.
    static let maximumLoops = 64

    private let shards: [Shard] = (0..<16).map { _ in Shard() }

    private func shard(_ topic: ConversationID) -> Shard { shards[Int(UInt(bitPattern: topic.hashValue) & 15)] }

    func set(_ topic: ConversationID, loop: Int, _ isInterested: Bool) {
        shard(topic).loops.withLock { loops in
            let mask = (loops[topic] ?? 0) & ~(1 << UInt64(loop)) | (isInterested ? 1 << UInt64(loop) : 0)
            loops[topic] = mask == 0 ? nil : mask
        }
    }

    /// The loops that a conversation's events go to.
    func loops(for conversation: ConversationID) -> UInt64 {
        switch conversation {
        case .direct(let low, let high): mask(.inbox(low)) | mask(.inbox(high))
        default: mask(conversation)
        }
    }

    private func mask(_ topic: ConversationID) -> UInt64 { shard(topic).loops.withLock { $0[topic] ?? 0 } }
}
