import MartletCore
import NIOCore
import Synchronization

/// Who is interested in a conversation on this node.
struct Interest: Equatable {
    /// The loops with sessions that follow it, as a set of bits.
    var loops: UInt64 = 0
    /// From when on there has been somebody without a break: milliseconds of the machine's steady clock.
    var since: UInt64 = .max

    static let none = Interest()
}

/// Which loops have sessions that follow a topic. Shared by the loops; each lock guards a tiny map and is held for one look-up.
/// A user's direct conversations and inbox have the user's inbox as their topic.
final class InterestTable: Sendable {
    private struct Loops {
        var ofUsers: [UserID: Interest] = [:]
        var ofTopics: [ConversationID: Interest] = [:]
    }

    private final class Shard: Sendable {
        let loops = Mutex(Loops())
    }

    /// One bit per loop.
    static let maximumLoops = 64

    private let shards: [Shard] = (0..<16).map { _ in Shard() }

    static var now: UInt64 { NIODeadline.now().uptimeNanoseconds / 1_000_000 }

    /// Users by their number, which needs no hashing: it only says which lock.
    private func shard(_ user: UserID) -> Shard { shards[Int(truncatingIfNeeded: user.value & 15)] }

    private func shard(_ topic: ConversationID) -> Shard { shards[Int(UInt(bitPattern: topic.hashValue) & 15)] }

    /// True where nobody was interested before.
    @discardableResult
    func set(_ topic: ConversationID, loop: Int, _ isInterested: Bool) -> Bool {
        if case .inbox(let user) = topic {
            shard(user).loops.withLock { Self.set(&$0.ofUsers[user], loop, isInterested) }
        } else {
            shard(topic).loops.withLock { Self.set(&$0.ofTopics[topic], loop, isInterested) }
        }
    }

    private static func set(_ interest: inout Interest?, _ loop: Int, _ isInterested: Bool) -> Bool {
        let bit: UInt64 = 1 << UInt64(loop)
        let before = interest ?? .none
        let loops = before.loops & ~bit | (isInterested ? bit : 0)
        interest = loops == 0 ? nil : Interest(loops: loops, since: before.loops == 0 ? now : before.since)
        return before.loops == 0
    }

    /// Who gets a conversation's events.
    func interest(in conversation: ConversationID) -> Interest {
        switch conversation {
        case .direct(let low, let high):
            let (one, other) = (interest(of: low), interest(of: high))
            return Interest(loops: one.loops | other.loops, since: min(one.since, other.since))
        case .inbox(let user): return interest(of: user)
        case .group, .room: return shard(conversation).loops.withLock { $0.ofTopics[conversation] ?? .none }
        }
    }

    private func interest(of user: UserID) -> Interest {
        shard(user).loops.withLock { $0.ofUsers[user] ?? .none }
    }

    /// All topics that somebody here follows.
    func topics() -> [ConversationID] {
        shards.flatMap { shard in
            shard.loops.withLock { loops in
                loops.ofUsers.keys.map { ConversationID.inbox($0) } + Array(loops.ofTopics.keys)
            }
        }
    }
}
