import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// Who is connected to any node. Redis has every node's sessions; each node has its own in memory, too, and goes by these
/// alone, within a second, while Redis does not answer. What a node that died left behind is told by the directory.
package final class RedisPresence: Presence, PresenceWriter {
    struct State {
        var mirror = PresenceMirror()
        var stale = PresenceStale()
        var turn: Int64 = 0
    }

    /// How long Redis keeps what is not renewed.
    static let timeToLive: Duration = .seconds(600)
    /// All is renewed once in so many sweeps.
    static let turns: Int64 = 20

    let servers: RedisServers
    let directory: any NodeDirectory
    let incarnation: String
    let state = Mutex(State())

    /// Make it before the servers start. `incarnation`: as in the directory's records.
    package init(_ servers: RedisServers, directory: any NodeDirectory, incarnation: String) {
        self.servers = servers
        self.directory = directory
        self.incarnation = incarnation
        servers.onUp { [weak self] server in
            guard let self else { return }
            servers.teach(PresenceScripts.all, server)
            rewrite { $0 == server }
        }
        // Keys that moved are written where they belong now.
        servers.onMove { [weak self] in self?.rewrite { _ in true } }
        servers.keepDoing(every: .seconds(10), with: self) { $0.sweep() }
    }

    /// Incarnations whose entries count.
    var live: [String] {
        let names = directory.believed().map(\.incarnation)
        return names.contains(incarnation) ? names : names + [incarnation]
    }

    func key(_ user: UserID) -> String { "s:\(user.value)" }
    func field(_ session: SessionID) -> String { "\(incarnation)/\(session.text)" }
    var milliseconds: String { String(Self.timeToLive.milliseconds) }

    package func opened(_ opening: SessionOpening, done: @escaping @Sendable (Admission) -> Void) {
        state.withLock { $0.mirror.open(opening.session) }
        let key = key(opening.user)
        let arguments =
            [
                field(opening.session), opening.device, opening.sameDevice.rawValue,
                String(max(1, opening.limit)), milliseconds,
            ] + live
        servers.run(PresenceScripts.open, on: servers.owner(of: key), keys: [servers.prefix + key], arguments) {
            [self] result in
            switch result {
            case .success(let reply): done(admission(opening, reply))
            case .failure:
                servers.metrics.presenceAlone.add()
                let admission = state.withLock { state in
                    let admission = state.mirror.admit(opening)
                    // Redis may have let it in, and answered too late.
                    if admission == .refused { state.stale.note(opening.session, of: opening.user) }
                    return admission
                }
                done(admission)
            }
        }
    }

    private func admission(_ opening: SessionOpening, _ reply: RESPValue) -> Admission {
        guard let parts = reply.elements, let isFirst = parts.first?.integer else {
            state.withLock { $0.mirror.refused(opening.session) }
            return .refused
        }
        let replaced = parts.dropFirst().compactMap { part in
            part.text.flatMap { UInt64($0, radix: 16) }.map { SessionID($0) }
        }
        state.withLock { state in
            let isLive = state.mirror.admitted(opening, replaced: replaced)
            if !isLive { state.stale.note(opening.session, of: opening.user) }
        }
        return .admitted(isFirst: isFirst == 1, replaced: replaced)
    }

    package func closed(_ user: UserID, _ session: SessionID, done: @escaping @Sendable (Bool) -> Void) {
        let (wasHere, wasLast) = state.withLock { $0.mirror.close(user, session) }
        let key = key(user)
        let arguments = [field(session)] + live
        servers.run(PresenceScripts.close, on: servers.owner(of: key), keys: [servers.prefix + key], arguments) {
            [self] result in
            switch result {
            case .success(let reply):
                let parts = reply.elements?.map(\.integer) ?? []
                noteEnded(session, of: user)
                // What Redis did not know, because it came back empty, was there all the same.
                done(parts.count == 2 && parts[1] == 0 && (parts[0] == 1 || wasHere))
            case .failure:
                servers.metrics.presenceAlone.add()
                state.withLock { $0.stale.note(session, of: user) }
                done(wasLast)
            }
        }
    }

    /// A server that is away may still know of the session.
    private func noteEnded(_ session: SessionID, of user: UserID) {
        guard servers.present.contains(false) else { return }
        state.withLock { $0.stale.note(session, of: user) }
    }

    package func online(among users: [UserID]) async -> Set<UserID> {
        var byServer: [Int: [UserID]] = [:]
        for (user, owner) in zip(users, servers.owners(of: users.lazy.map { self.key($0) })) {
            byServer[owner, default: []].append(user)
        }
        var online: Set<UserID> = []
        let live = live
        for (server, users) in byServer {
            for start in stride(from: 0, to: users.count, by: 1000) {
                let part = Array(users[start..<min(start + 1000, users.count)])
                online.formUnion(await ask(part, server, live))
            }
        }
        return online
    }

    private func ask(_ users: [UserID], _ server: Int, _ live: [String]) async -> [UserID] {
        do throws(Fault) {
            let keys = users.map { servers.prefix + key($0) }
            let reply = try await servers.run(PresenceScripts.online, on: server, keys: keys, live)
            return zip(users, reply.elements ?? []).filter { $1.integer == 1 }.map { $0.0 }
        } catch {
            servers.metrics.presenceAlone.add()
            return state.withLock { state in users.filter { state.mirror.sessions[$0] != nil } }
        }
    }
}
