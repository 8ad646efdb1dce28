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
    package let sessions: [SignedIn]

    package init(count: Int, sessions: [SignedIn]) {
        self.count = count
        self.sessions = sessions
    }
}

extension Gateway {
    /// Asks every loop.
    package func connected() async -> GatewayConnections {
        var sessions: [GatewayConnections.SignedIn] = []
        for loop in loops {
            let found = try? await loop.eventLoop.submit { loop.sessions.values.compactMap(\.signedIn) }.get()
            sessions += found ?? []
        }
        return GatewayConnections(count: metrics.connections.value, sessions: sessions)
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
