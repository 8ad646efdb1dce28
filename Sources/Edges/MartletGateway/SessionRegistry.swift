import MartletCore
import Synchronization

/// The signed-in sessions of each user on this node, over all loops: for the rule about repeated sign-ins.
final class SessionRegistry: Sendable {
    struct Entry: Sendable, Equatable {
        let session: SessionID
        let loop: Int
        let device: DeviceKind
    }

    enum Admission: Equatable {
        /// Let in; these older sessions make room.
        case admitted(replaced: [Entry])
        case refused
    }

    private let users = Mutex<[UserID: [Entry]]>([:])

    func admit(_ user: UserID, _ entry: Entry, _ policy: GatewayConfiguration.SameDevice, limit: Int) -> Admission {
        users.withLock { users in
            var entries = users[user] ?? []
            let same = entries.filter { $0.device == entry.device }
            if policy == .refuse, !same.isEmpty { return .refused }
            var replaced = policy == .replace ? same : []
            entries.removeAll { replaced.contains($0) }
            while entries.count >= max(1, limit) { replaced.append(entries.removeFirst()) }
            entries.append(entry)
            users[user] = entries
            return .admitted(replaced: replaced)
        }
    }

    func remove(_ user: UserID, _ session: SessionID) {
        users.withLock { users in
            users[user]?.removeAll { $0.session == session }
            if users[user]?.isEmpty == true { users[user] = nil }
        }
    }
}
