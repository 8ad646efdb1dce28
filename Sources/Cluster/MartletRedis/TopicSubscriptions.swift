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

    /// What to tell a server at once.
    struct Changes: Equatable {
        var subscribe: [ConversationID] = []
        var unsubscribe: [ConversationID] = []

        var isEmpty: Bool { subscribe.isEmpty && unsubscribe.isEmpty }
    }

    /// What one server is still to be told, and whether it can be told now.
    private struct Telling {
        enum Phase {
            /// No connection: whoever makes one tells everything.
            case away
            case idle
            /// Somebody is about to ask for `changes`.
            case soon
            /// What it was told last is not confirmed yet.
            case unconfirmed
        }

        var phase = Phase.away
        /// Before `backlog`: somebody waits for these.
        var followed: Deque<ConversationID> = []
        var backlog: Deque<ConversationID> = []
        var leaving: Deque<ConversationID> = []
    }

    /// How long a topic without followers stays, so that a user who comes back at once costs nothing.
    static let linger: TimeAmount = .seconds(5)

    private var topics: [ConversationID: Topic] = [:]
    private var telling: [Telling]
    private let atOnce: Int
    private var lingering: Deque<Lingering> = []
    private var waiters: [UInt64: Set<ConversationID>] = [:]
    private var waiting: [ConversationID: [UInt64]] = [:]

    /// `atOnce`: topics that a server is told of before it has confirmed them.
    init(servers: Int, atOnce: Int) {
        telling = Array(repeating: Telling(), count: servers)
        self.atOnce = atOnce
    }

    /// True for the first who wants a server to be told, until `changes` takes what to tell. Nobody is the first while
    /// something is unconfirmed: then it goes on with the confirmation.
    mutating func isFirstToTell(_ server: Int) -> Bool {
        guard telling[server].phase == .idle else { return false }
        telling[server].phase = .soon
        return true
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
        if telling[server].phase != .away { telling[server].followed.append(topic) }
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
            guard telling[first.server].phase != .away else { continue }
            telling[first.server].leaving.append(first.topic)
            servers.insert(first.server)
        }
        return servers
    }

    /// What to tell a server now: nothing before `confirmed` for what was taken last. What it is told to subscribe counts
    /// as sent.
    mutating func changes(for server: Int) -> Changes {
        switch telling[server].phase {
        case .away, .unconfirmed: return Changes()
        case .idle, .soon: break
        }
        var changes = Changes()
        var room = atOnce
        while room > 0, let topic = telling[server].followed.popFirst() ?? telling[server].backlog.popFirst() {
            guard let entry = topics[topic], entry.server == server, !entry.isSent else { continue }
            topics[topic]?.isSent = true
            changes.subscribe.append(topic)
            room -= 1
        }
        while room > 0, let topic = telling[server].leaving.popFirst() {
            guard topics[topic]?.server != server else { continue }
            changes.unsubscribe.append(topic)
            room -= 1
        }
        telling[server].phase = changes.isEmpty ? .idle : .unconfirmed
        return changes
    }

    /// A server's connection is new: it knows nothing, and is told everything. Returns what to tell it first.
    mutating func up(_ server: Int) -> Changes {
        down(server)
        telling[server].backlog = Deque(topics.lazy.filter { $0.value.server == server }.map(\.key))
        telling[server].phase = .idle
        // Even without topics: the channel of everybody has to be confirmed, too.
        defer { telling[server].phase = .unconfirmed }
        return changes(for: server)
    }

    mutating func down(_ server: Int) {
        telling[server] = Telling()
        for index in topics.indices where topics.values[index].server == server {
            topics.values[index].isSent = false
            topics.values[index].isConfirmed = false
            topics.values[index].owesMissed = true
        }
    }

    /// The server delivers these topics from now on. It may be told more.
    mutating func confirmed(_ confirmed: [ConversationID], by server: Int) -> (missed: [ConversationID], done: [UInt64])
    {
        if telling[server].phase == .unconfirmed { telling[server].phase = .idle }
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
            guard telling[owner].phase != .away else { continue }
            telling[owner].backlog.append(topic)
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
