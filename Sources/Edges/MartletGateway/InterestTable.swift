import MartletCore
import Synchronization

/// Which loops have sessions that follow a topic, as a set of bits. Shared by the loops; each lock guards a tiny map and is held for one look-up.
/// A user's direct conversations and inbox have the user's inbox as their topic.
final class InterestTable: Sendable {
    private struct Loops {
        var ofUsers: [UserID: UInt64] = [:]
        var ofTopics: [ConversationID: UInt64] = [:]
    }

    private final class Shard: Sendable {
        let loops = Mutex(Loops())
    }

    /// One bit per loop.
    static let maximumLoops = 64

    private let shards: [Shard] = (0..<16).map { _ in Shard() }

    /// Users by their number, which needs no hashing: it only says which lock.
    private func shard(_ user: UserID) -> Shard { shards[Int(truncatingIfNeeded: user.value & 15)] }

    private func shard(_ topic: ConversationID) -> Shard { shards[Int(UInt(bitPattern: topic.hashValue) & 15)] }

    func set(_ topic: ConversationID, loop: Int, _ isInterested: Bool) {
        if case .inbox(let user) = topic {
            shard(user).loops.withLock { Self.set(&$0.ofUsers[user], loop, isInterested) }
        } else {
            shard(topic).loops.withLock { Self.set(&$0.ofTopics[topic], loop, isInterested) }
        }
    }

    private static func set(_ mask: inout UInt64?, _ loop: Int, _ isInterested: Bool) {
        let bit: UInt64 = 1 << UInt64(loop)
        let changed = (mask ?? 0) & ~bit | (isInterested ? bit : 0)
        mask = changed == 0 ? nil : changed
    }

    /// The loops that a conversation's events go to.
    func loops(for conversation: ConversationID) -> UInt64 {
        switch conversation {
        case .direct(let low, let high): mask(low) | mask(high)
        case .inbox(let user): mask(user)
        case .group, .room: shard(conversation).loops.withLock { $0.ofTopics[conversation] ?? 0 }
        }
    }

    private func mask(_ user: UserID) -> UInt64 { shard(user).loops.withLock { $0.ofUsers[user] ?? 0 } }
}
