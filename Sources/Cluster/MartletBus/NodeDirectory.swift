import MartletCore
import Synchronization

/// A node as the others see it.
package struct NodeRecord: Sendable, Hashable {
    /// The operator's name for it.
    package let name: String
    /// This start of it: the name and a random part. What a node says of itself is true for as long as its incarnation
    /// is in the directory.
    package let incarnation: String
    package let roles: [String]
    /// Where clients reach its gateway; nil where it has none.
    package let address: NodeAddress?
    /// Live sessions.
    package let sessions: Int
    /// It takes nobody new.
    package let isDraining: Bool

    package init(
        name: String, incarnation: String, roles: [String], address: NodeAddress?, sessions: Int, isDraining: Bool
    ) {
        self.name = name
        self.incarnation = incarnation
        self.roles = roles
        self.address = address
        self.sessions = sessions
        self.isDraining = isDraining
    }
}

/// Where clients reach a gateway.
package struct NodeAddress: Sendable, Hashable {
    package let host: String
    package let port: Int
    package let isSecure: Bool

    package init(host: String, port: Int, isSecure: Bool) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
    }
}

/// Which nodes there are. A node that is not heard of for the length of its lease is not there any more.
package protocol NodeDirectory: Sendable {
    /// The nodes as of a moment ago, this one included, by ascending incarnation. Asks nobody: safe on any path.
    func nodes() -> [NodeRecord]
    /// As `nodes`, and while nobody can be asked all that were known last, however long that is: for those who must not
    /// take what a living node said for that of a dead one.
    func believed() -> [NodeRecord]
    /// Tells the others of this node, and renews its lease. Called every couple of seconds.
    func announce(_ record: NodeRecord) async
    /// This node leaves: the others forget it at once.
    func leave() async
}

extension NodeDirectory {
    package func believed() -> [NodeRecord] { nodes() }
}

/// The directory of a cluster of one.
package final class LocalNodeDirectory: NodeDirectory {
    private let own = Mutex<NodeRecord?>(nil)

    package init() {}

    package func nodes() -> [NodeRecord] { own.withLock { $0 }.map { [$0] } ?? [] }
    package func announce(_ record: NodeRecord) async { own.withLock { $0 = record } }
    package func leave() async { own.withLock { $0 = nil } }
}

/// Work that one node at a time does.
package protocol Leases: Sendable {
    /// True where this node has the named lease now, for `time` from now on; it may ask again to keep it. False where
    /// another node has it, or nobody can be asked.
    func hold(_ name: String, for time: Duration) async -> Bool
}

/// The leases of a cluster of one.
package struct LocalLeases: Leases {
    package init() {}

    package func hold(_ name: String, for time: Duration) async -> Bool { true }
}
