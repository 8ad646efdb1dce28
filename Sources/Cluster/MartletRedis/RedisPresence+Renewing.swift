import MartletBus
import MartletCore
import NIOCore
import Synchronization

extension RedisPresence {
    static var wallClock: Instant { RedisServers.wallClock }

    /// Writes all of this node's sessions again, to the servers that `isMeant` names: they may have come back empty.
    func rewrite(_ isMeant: @escaping @Sendable (Int) -> Bool) {
        let areAllPresent = !servers.present.contains(false)
        let (users, rooms, stale) = state.withLock { state in
            let stale = state.stale.take(areAllPresent: areAllPresent)
            return (Array(state.mirror.sessions.keys), Set(state.mirror.rooms.keys), stale)
        }
        // Ends by itself; nobody waits for it.
        Task { await write(users: users, rooms: rooms, stale, isMeant) }
    }

    /// A part of all in turn, and what may stand wrong.
    func sweep() {
        let areAllPresent = !servers.present.contains(false)
        let (users, rooms, stale) = state.withLock { state in
            state.turn = (state.turn + 1) % Self.turns
            let turn = state.turn
            let users = state.mirror.sessions.keys.filter { $0.value % Self.turns == turn }
            let rooms = turn == 0 ? Set(state.mirror.rooms.keys) : []
            return (users, rooms, state.stale.take(areAllPresent: areAllPresent))
        }
        guard !users.isEmpty || !rooms.isEmpty || !stale.sessions.isEmpty || !stale.rooms.isEmpty else { return }
        Task { await write(users: users, rooms: rooms, stale) { _ in true } }
    }

    /// `stale` goes to whichever server has it; all else only to those that are meant.
    private func write(
        users: [UserID], rooms: Set<ConversationID>,
        _ stale: (sessions: [SessionID: UserID], rooms: Set<ConversationID>), _ isMeant: @Sendable (Int) -> Bool
    ) async {
        for (count, over) in stale.sessions.enumerated() {
            remove(over.key, over.value)
            if count % 500 == 499 { await pause() }
        }
        for start in stride(from: 0, to: users.count, by: 500) {
            for user in users[start..<min(start + 500, users.count)] {
                let server = servers.owner(of: key(user))
                if isMeant(server) { write(user, server) }
            }
            await pause()
        }
        for room in rooms.union(stale.rooms) {
            let server = servers.owner(of: key(room))
            guard isMeant(server) || stale.rooms.contains(room) else { continue }
            write(room, server)
            await pause()
        }
        index(rooms.union(stale.rooms).filter { room in state.withLock { $0.mirror.rooms[room] != nil } })
    }

    /// Until the servers have taken what was written: renewing must not crowd out what people wait for.
    private func pause() async {
        for (server, isPresent) in servers.present.enumerated() where isPresent {
            _ = try? await servers.ask(server, .probe)
        }
    }

    /// What Redis did not confirm is tried again: it would count for as long as this node lives.
    private func remove(_ session: SessionID, _ user: UserID) {
        let command = RedisCommand("HDEL", servers.prefix + key(user), field(session))
        let link = servers.servers[servers.owner(of: key(user))][.commands]
        link.send(command.bytes, within: RedisServers.patience) { [weak self] result in
            if case .failure = result { self?.state.withLock { $0.stale.note(session, of: user) } }
        }
    }

    /// Sent while nothing can change here: what ends a moment later is removed behind it.
    private func write(_ user: UserID, _ server: Int) {
        let now = Self.wallClock.milliseconds
        let key = servers.prefix + key(user)
        state.withLock { state in
            guard let entries = state.mirror.sessions[user]?.entries else { return }
            var bytes = ByteBuffer()
            for entry in entries {
                let value = "\(entry.device)/\(now)"
                bytes.writeImmutableBuffer(RedisCommand("HSETNX", key, field(entry.session), value).bytes)
            }
            bytes.writeImmutableBuffer(RedisCommand("PEXPIRE", key, milliseconds).bytes)
            _ = servers.servers[server][.commands].post(bytes, commands: entries.count + 1)
        }
    }

    /// The room on this node as it is now, whatever stood there.
    private func write(_ room: ConversationID, _ server: Int) {
        let key = keys(room, [incarnation])[0]
        state.withLock { state in
            var bytes = RedisCommand("DEL", key).bytes
            var commands = 1
            let users = state.mirror.rooms[room].map { Array($0.keys) } ?? []
            for start in stride(from: 0, to: users.count, by: 1000) {
                let part = users[start..<min(start + 1000, users.count)]
                let members = part.flatMap { [String($0.value), String($0.value)] }
                bytes.writeImmutableBuffer(RedisCommand(["ZADD", key] + members).bytes)
                commands += 1
            }
            if !users.isEmpty {
                bytes.writeImmutableBuffer(RedisCommand("PEXPIRE", key, milliseconds).bytes)
                commands += 1
            }
            if !servers.servers[server][.commands].post(bytes, commands: commands) { state.stale.note(room) }
        }
    }
}
