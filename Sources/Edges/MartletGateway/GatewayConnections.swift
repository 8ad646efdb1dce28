import MartletCore
import MartletWire
import NIOCore

/// Who is connected to a node, for those who may know.
package struct GatewayConnections: Sendable {
    package struct SignedIn: Sendable {
        /// `address:port` of the connection's other end.
        package let address: String
        package let app: AppID
        package let username: String
    }

    /// Connections of any kind.
    package let count: Int
    /// Those with a login.
    package let sessionCount: Int
    /// Nil where nobody asked for them.
    package let sessions: [SignedIn]?

    package init(count: Int, sessionCount: Int, sessions: [SignedIn]?) {
        self.count = count
        self.sessionCount = sessionCount
        self.sessions = sessions
    }
}

extension Gateway {
    /// Who is connected costs every loop a walk over its sessions; how many are is free.
    package func connected(named: Bool) async -> GatewayConnections {
        let (count, sessionCount) = (metrics.connections.value, metrics.sessions.value)
        guard named else { return GatewayConnections(count: count, sessionCount: sessionCount, sessions: nil) }
        var sessions: [GatewayConnections.SignedIn] = []
        for loop in loops {
            let found = try? await loop.eventLoop.submit { loop.sessions.values.compactMap(\.signedIn) }.get()
            sessions += found ?? []
        }
        return GatewayConnections(count: count, sessionCount: sessionCount, sessions: sessions)
    }
}

extension Session {
    fileprivate var signedIn: GatewayConnections.SignedIn? {
        guard let caller else { return nil }
        let port = context?.remoteAddress?.port ?? 0
        let name = origin.client?.rateName ?? ""
        return .init(address: "\(name):\(port)", app: caller.app, username: username)
    }
}
