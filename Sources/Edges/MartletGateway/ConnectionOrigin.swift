import MartletWire

/// Where a connection comes from, as far as its bytes have told: the socket's other end, then what a trusted proxy says.
struct ConnectionOrigin {
    /// What a look at the first bytes says.
    enum Step: Equatable {
        /// More bytes are needed.
        case wait
        /// The request begins behind so many bytes.
        case proceed(headerBytes: Int)
        /// The connection is to be closed.
        case refuse(ProxyViolation)
    }

    private enum Expectation {
        case nothing
        /// A trusted proxy must begin with its header: the specification forbids to guess whether there is one.
        case header
        /// Nobody else may.
        case noHeader
    }

    /// Whom the connection comes from; nil where that is not an internet socket.
    private(set) var client: IPAddress?
    /// A trusted proxy's header named the client.
    private(set) var isClaimed = false
    private var expectation = Expectation.nothing

    /// Of a connection that has not begun.
    init() {}

    /// `proxyProtocol`: connections of trusted proxies begin with a header, and no others do.
    init(peer: IPAddress?, _ configuration: GatewayConfiguration, proxyProtocol: Bool) {
        client = peer
        guard proxyProtocol else { return }
        let isTrusted = peer.map { configuration.trustedProxies.trust($0) } ?? false
        expectation = isTrusted ? .header : .noHeader
    }

    /// Looks at the connection's first bytes, until the answer is another one than to wait.
    mutating func read(_ bytes: Span<UInt8>) -> Step {
        switch expectation {
        case .nothing: break
        case .header:
            switch ProxyPeek.read(bytes) {
            case .incomplete: return .wait
            case .refused(let violation): return .refuse(violation)
            case .header(let source, let count):
                expectation = .nothing
                isClaimed = source != nil
                client = source ?? client
                return .proceed(headerBytes: count)
            }
        case .noHeader:
            guard let isHeader = ProxyPeek.isHeader(bytes) else { return .wait }
            if isHeader { return .refuse(.unexpected) }
            expectation = .nothing
        }
        return .proceed(headerBytes: 0)
    }

    /// An upgrade came with this `X-Forwarded-For`.
    mutating func upgraded(forwardedFor hops: String?, _ configuration: GatewayConfiguration) {
        guard hops != nil, let client else { return }
        self.client = configuration.trustedProxies.client(behind: client, forwardedFor: hops)
    }
}
