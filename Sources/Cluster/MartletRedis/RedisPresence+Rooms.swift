import MartletBus
import MartletCore
import NIOCore
import Synchronization

extension RedisPresence {
    func key(_ room: ConversationID) -> String { "r:\(room.text)" }

    /// The room on each of these nodes.
    func keys(_ room: ConversationID, _ nodes: [String]) -> [String] {
        nodes.map { "\(servers.prefix)\(key(room))|\($0)" }
    }

    /// This node first.
    private var nodes: [String] { [incarnation] + live.filter { $0 != incarnation } }

    package func entered(_ room: ConversationID, _ user: UserID, done: @escaping @Sendable (Bool) -> Void) {
        let (isFirst, isNew) = state.withLock { state in
            let isNew = state.mirror.rooms[room] == nil
            return (state.mirror.enter(room, user), isNew)
        }
        guard isFirst else { return done(false) }
        if isNew { index([room]) }
        change(PresenceScripts.enter, room, user, isHere: true, done)
    }

    package func left(_ room: ConversationID, _ user: UserID, done: @escaping @Sendable (Bool) -> Void) {
        guard state.withLock({ $0.mirror.leave(room, user) }) == true else { return done(false) }
        change(PresenceScripts.leave, room, user, isHere: false, done)
    }

    private func change(
        _ script: RedisScript, _ room: ConversationID, _ user: UserID, isHere: Bool,
        _ done: @escaping @Sendable (Bool) -> Void
    ) {
        let server = servers.owner(of: key(room))
        servers.run(script, on: server, keys: keys(room, nodes), [String(user.value), milliseconds]) { [self] result in
            switch result {
            case .success(let reply):
                let isAnyAway = servers.present.contains(false)
                state.withLock { state in
                    // What two loops did at once may have come to Redis the other way round.
                    let isSame = (state.mirror.rooms[room]?[user] != nil) == isHere
                    if isAnyAway || !isSame { state.stale.note(room) }
                }
                done(reply.integer == 1)
            case .failure:
                servers.metrics.presenceAlone.add()
                state.withLock { $0.stale.note(room) }
                done(true)
            }
        }
    }

    package func people(in room: ConversationID, limit: Int) async -> (users: [UserID], count: Int) {
        let limit = max(0, min(limit, 10_000))
        do throws(Fault) {
            let reply = try await servers.run(
                PresenceScripts.people, on: servers.owner(of: key(room)), keys: keys(room, nodes), [String(limit)])
            let parts = reply.elements ?? []
            let users = parts.dropFirst().compactMap { $0.text.flatMap { Int64($0) }.flatMap { UserID($0) } }
            return (users, Int(parts.first?.integer ?? 0))
        } catch {
            servers.metrics.presenceAlone.add()
            let users = state.withLock { $0.mirror.rooms[room].map { Array($0.keys) } ?? [] }
            return (Array(users.sorted().prefix(limit)), users.count)
        }
    }

    package func isHere(_ user: UserID, in room: ConversationID) async -> Bool {
        if state.withLock({ $0.mirror.rooms[room]?[user] != nil }) { return true }
        do throws(Fault) {
            let reply = try await servers.run(
                PresenceScripts.here, on: servers.owner(of: key(room)), keys: keys(room, nodes), [String(user.value)])
            return reply.integer == 1
        } catch {
            servers.metrics.presenceAlone.add()
            return false
        }
    }

    /// The 1,000 rooms that most lately were entered by a first one.
    package func rooms(of app: AppID) async -> [(room: ConversationID, people: Int)] {
        let key = "a:\(app.value)"
        let server = servers.owner(of: key)
        do throws(Fault) {
            let command = RedisCommand("ZREVRANGE", servers.prefix + key, "0", "999", "WITHSCORES")
            let reply = try await servers.ask(server, command)
            var rooms: [(room: ConversationID, people: Int)] = []
            var empty: [String] = []
            let now = Self.wallClock.milliseconds
            for entry in reply.elements ?? [] {
                guard let parts = entry.elements, parts.count == 2, let text = parts[0].text,
                    let room = ConversationID(text), case .room(app, _) = room
                else { continue }
                let count = await people(in: room, limit: 0).count
                if count > 0 {
                    rooms.append((room, count))
                } else if case .double(let entered) = parts[1], Double(now) - entered > 60_000 {
                    empty.append(text)
                }
            }
            if !empty.isEmpty {
                let command = RedisCommand(["ZREM", servers.prefix + key] + empty)
                _ = servers.servers[server][.commands].post(command.bytes, commands: 1)
            }
            return rooms
        } catch {
            servers.metrics.presenceAlone.add()
            return state.withLock { state in
                state.mirror.rooms.compactMap { room, people in
                    guard case .room(app, _) = room else { return nil }
                    return (room, people.count)
                }
            }
        }
    }

    /// Notes that rooms have somebody in them.
    func index(_ rooms: [ConversationID]) {
        let now = String(Self.wallClock.milliseconds)
        for room in rooms {
            guard case .room(let app, _) = room else { continue }
            let key = "a:\(app.value)"
            var bytes = RedisCommand("ZADD", servers.prefix + key, "GT", now, room.text).bytes
            bytes.writeImmutableBuffer(
                RedisCommand("PEXPIRE", servers.prefix + key, "86400000").bytes)
            _ = servers.servers[servers.owner(of: key)][.commands].post(bytes, commands: 2)
        }
    }
}
