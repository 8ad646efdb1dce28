import MartletCore
import MartletWire
import NIOCore

// Whom the connection comes from, and whether one more of theirs may be.
extension Session {
    /// Whose share of the limits this session takes: the client's address, also behind a trusted proxy.
    var address: String { origin.client?.rateName ?? "unknown" }

    /// Takes a proxy's header off the front, where there must be one. False while it is incomplete, and where the connection ends for it.
    func takeProxyHeader(_ bytes: inout ByteBuffer) -> Bool {
        let known = origin.client
        switch origin.read(bytes.readableBytesUInt8Span) {
        case .wait: return false
        case .proceed(let headerBytes):
            bytes.moveReaderIndex(forwardBy: headerBytes)
            guard recount(from: known) else {
                cut()
                return false
            }
            return true
        case .refuse(let violation):
            gateway.metrics.refused(violation)
            cut()
            return false
        }
    }

    /// The upgrade says whom the connection comes from. False where these have too many already.
    func takeForwarding(_ request: UpgradeRequest) -> Bool {
        let known = origin.client
        origin.upgraded(forwardedFor: request.forwardedFor, gateway.configuration)
        return recount(from: known)
    }

    /// Counts the connection for the client that is known now, and not any more for the one before.
    private func recount(from known: IPAddress?) -> Bool {
        guard known != origin.client else { return true }
        gateway.connections.release(known)
        isAddressCounted = gateway.connections.admit(origin.client)
        if !isAddressCounted { gateway.metrics.rejected(.overloaded) }
        return isAddressCounted
    }

    /// Ends a connection that is no session yet, without a word.
    func cut() {
        phase = .over
        context?.close(promise: nil)
    }
}
