import MartletAPI
import MartletBus
import MartletCore
import ServiceLifecycle

/// Tells the other nodes of this one, every second, until its gateway has ended; then it takes itself off their lists.
struct NodeService: Service {
    let directory: any NodeDirectory
    let record: @Sendable () -> NodeRecord

    private static let interval = Duration.seconds(1)

    func run() async throws {
        await directory.announce(record())
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.interval) } catch { break }
                await directory.announce(record())
            }
        }
        await directory.leave()
    }
}

/// Which gateway a client should use.
struct GatewayChoice: Sendable {
    let directory: any NodeDirectory

    /// Of two gateways drawn by lot, the one with fewer sessions: clients that all ask at once do not all come to the emptiest.
    func pick() throws(Fault) -> GatewayAddress {
        let gateways = directory.nodes().filter { $0.address != nil && !$0.isDraining }
        let drawn = gateways.shuffled().prefix(2)
        guard let best = drawn.min(by: { $0.sessions < $1.sessions }), let address = best.address else {
            throw Fault(.unavailable, "no gateway takes sessions", retryAfter: .seconds(1))
        }
        return GatewayAddress(host: address.host, port: address.port, isSecure: address.isSecure)
    }
}
