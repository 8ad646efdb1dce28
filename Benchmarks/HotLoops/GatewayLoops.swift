/// The gateway.
enum GatewayLoops {
    static let all: [HotLoop] = []
}
