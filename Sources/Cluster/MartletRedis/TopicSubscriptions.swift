import DequeModule
import MartletCore
import NIOCore

/// Which topics this node wants to hear of, where, and how far that is. Pure: somebody else talks to the servers.
struct TopicSubscriptions {
    private struct Topic {
        var followers = 1
        var server: Int
        /// The server was told, over the connection that it has now.
        var isSent = false
        var isConfirmed = false
        /// Whoever delivers has to ask the log once this is confirmed.
        var owesMissed = false
        /// Without followers: until when it stays.
        var stays: NIODeadline?
    }

    private struct Lingering {
        let until: NIODeadline
        let topic: ConversationID
        let server: Int
    }

    /// What to tell a server.
    struct Changes: Equatable {
        var subscribe: [ConversationID] = []
        var unsubscribe: [ConversationID] = []

        var isEmpty: Bool { subscribe.isEmpty && unsubscribe.isEmpty }
    }

    /// How long a topic without followers stays, so that a user who comes back at once costs nothing.
    static let linger: TimeAmount = .seconds(5)

    private var topics: [ConversationID: Topic] = [:]
    private var changed: [[ConversationID]]
    private var leaving: [[ConversationID]]
    private var isTelling: [Bool]
    private var lingering: Deque<Lingering> = []
    private var waiters: [UInt64: Set<ConversationID>] = [:]
    private var waiting: [ConversationID: [UInt64]] = [:]

    init(servers: Int) {
        changed = Array(repeating: [], count: servers)
        leaving = Array(repeating: [], count: servers)
        isTelling = Array(repeating: false, count: servers)
    }

    /// True for the first who wants a server to be told, until `changes` takes what to tell.
    mutating func isFirstToTell(_ server: Int) -> Bool {
        defer { isTelling[server] = true }
        return !isTelling[server]
    }

    var count: Int { topics.count }

    /// Returns the server to tell, if any.
    mutating func follow(_ topic: ConversationID, owner: () -> Int) -> Int? {
        if topics[topic] != nil {
            topics[topic]?.followers += 1
            topics[topic]?.stays = nil
            return nil
        }
        let server = owner()
        topics[topic] = Topic(server: server)
        changed[server].append(topic)
        return server
    }

    mutating func unfollow(_ topic: ConversationID, now: NIODeadline) {
        guard var entry = topics[topic], entry.followers > 0 else { return }
        entry.followers -= 1
        if entry.followers == 0 {
            entry.stays = now + Self.linger
            lingering.append(Lingering(until: now + Self.linger, topic: topic, server: entry.server))
        }
        topics[topic] = entry
    }

    /// Forgets what lingered long enough. Returns the servers to tell.
    mutating func sweep(now: NIODeadline) -> Set<Int> {
        var servers: Set<Int> = []
        while let first = lingering.first, first.until <= now {
            lingering.removeFirst()
            if let entry = topics[first.topic] {
                if entry.server == first.server {
                    guard entry.followers == 0, let stays = entry.stays, stays <= now else { continue }
                    topics[first.topic] = nil
                }
            }
            leaving[first.server].append(first.topic)
            servers.insert(first.server)
        }
        return servers
    }

    /// What to tell a server now. What it is told to subscribe counts as sent.
    mutating func changes(for server: Int) -> Changes {
        var changes = Changes()
        isTelling[server] = false
        for topic in leaving[server] where topics[topic]?.server != server { changes.unsubscribe.append(topic) }
        for topic in changed[server] {
            guard let entry = topics[topic], entry.server == server, !entry.isSent else { continue }
            topics[topic]?.isSent = true
            changes.subscribe.append(topic)
        }
        leaving[server] = []
        changed[server] = []
        return changes
    }

    /// A server's connection is new: it knows nothing. Returns all that it has to be told.
    mutating func up(_ server: Int) -> [ConversationID] {
        leaving[server] = []
        changed[server] = []
        var all: [ConversationID] = []
        for index in topics.indices where topics.values[index].server == server {
            topics.values[index].isSent = true
            topics.values[index].isConfirmed = false
            topics.values[index].owesMissed = true
            all.append(topics.keys[index])
        }
        return all
    }

    mutating func down(_ server: Int) {
        for index in topics.indices where topics.values[index].server == server {
            topics.values[index].isSent = false
            topics.values[index].isConfirmed = false
            topics.values[index].owesMissed = true
        }
    }

    /// The server delivers these topics from now on.
    mutating func confirmed(_ confirmed: [ConversationID], by server: Int) -> (missed: [ConversationID], done: [UInt64])
    {
        var missed: [ConversationID] = []
        var done: [UInt64] = []
        for topic in confirmed {
            guard var entry = topics[topic], entry.server == server, entry.isSent else { continue }
            if entry.owesMissed { missed.append(topic) }
            entry.isConfirmed = true
            entry.owesMissed = false
            topics[topic] = entry
            for id in waiting.removeValue(forKey: topic) ?? [] {
                waiters[id]?.remove(topic)
                if waiters[id]?.isEmpty == true {
                    waiters[id] = nil
                    done.append(id)
                }
            }
        }
        return (missed, done)
    }

    /// Servers went or came. A topic that moves stays on its old server for a while, because other nodes may see the move
    /// later. Returns the servers to tell.
    mutating func move(now: NIODeadline, owners: ([ConversationID]) -> [Int]) -> Set<Int> {
        let all = Array(topics.keys)
        var servers: Set<Int> = []
        for (topic, owner) in zip(all, owners(all)) {
            guard var entry = topics[topic], entry.server != owner else { continue }
            lingering.append(Lingering(until: now + Self.linger, topic: topic, server: entry.server))
            entry.server = owner
            entry.isSent = false
            entry.isConfirmed = false
            entry.owesMissed = true
            // Its own lingering starts again, on the new server.
            if entry.followers == 0 {
                entry.stays = now + Self.linger
                lingering.append(Lingering(until: now + Self.linger, topic: topic, server: owner))
            }
            topics[topic] = entry
            changed[owner].append(topic)
            servers.insert(owner)
        }
        return servers
    }

    /// False where there is nothing to wait for.
    mutating func wait(_ id: UInt64, for wanted: [ConversationID], isAway: (Int) -> Bool) -> Bool {
        var missing: Set<ConversationID> = []
        for topic in wanted {
            guard let entry = topics[topic], !entry.isConfirmed else { continue }
            if isAway(entry.server) {
                topics[topic]?.owesMissed = true
            } else {
                missing.insert(topic)
            }
        }
        guard !missing.isEmpty else { return false }
        waiters[id] = missing
        for topic in missing { waiting[topic, default: []].append(id) }
        return true
    }

    /// Waited long enough: what is not confirmed yet is owed. False where the waiter is done already.
    mutating func giveUp(_ id: UInt64) -> Bool {
        guard let missing = waiters.removeValue(forKey: id) else { return false }
        for topic in missing {
            topics[topic]?.owesMissed = true
            waiting[topic]?.removeAll { $0 == id }
            if waiting[topic]?.isEmpty == true { waiting[topic] = nil }
        }
        return true
    }
}
