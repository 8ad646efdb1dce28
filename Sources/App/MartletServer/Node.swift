import Crypto
import MartletBus
import MartletCore
import MartletGateway

/// What this process says of itself.
final class Node: Sendable {
    /// This start of the node: its name and a random part, unlike that of any other.
    let incarnation: String
    /// The port that was taken, once it was.
    let port = Gauge()
    private let configuration: ServerConfiguration

    init(_ configuration: ServerConfiguration) {
        self.configuration = configuration
        incarnation = configuration.node + "-" + Secrets.random(6)
    }

    func record(_ gateway: Gateway) -> NodeRecord {
        let roles = configuration.cluster.roles
        let address = configuration.gatewayAddress(port: port.value)
        return NodeRecord(
            name: configuration.node, incarnation: incarnation, roles: roles.map(\.rawValue).sorted(),
            address: roles.contains(.gateway) && port.value > 0
                ? NodeAddress(host: address.host, port: address.port, isSecure: address.isSecure) : nil,
            sessions: gateway.sessions, isDraining: gateway.isLeaving)
    }
}
