import MartletWire
import Synchronization

/// How many connections each address has. Loopback is free, and so is a trusted proxy: its connections are its clients', who count once they
/// are known.
final class ConnectionCounts: Sendable {
    private let limit: Int?
    private let proxies: [AddressRange]
    private let counts = Mutex<[IPAddress: Int]>([:])

    /// Without a `limit` nothing is counted.
    init(limit: Int?, proxies: [AddressRange]) {
        self.limit = limit
        self.proxies = proxies
    }

    /// Counts a connection in; false, without counting it, where its address has too many.
    func admit(_ address: IPAddress?) -> Bool {
        guard let limit, let share = share(of: address) else { return true }
        return counts.withLock { counts in
            guard counts[share, default: 0] < limit else { return false }
            counts[share, default: 0] += 1
            return true
        }
    }

    /// Counts out a connection that was admitted under this address.
    func release(_ address: IPAddress?) {
        guard limit != nil, let share = share(of: address) else { return }
        counts.withLock { counts in
            guard let count = counts[share] else { return }
            counts[share] = count > 1 ? count - 1 : nil
        }
    }

    private func share(of address: IPAddress?) -> IPAddress? {
        guard let address, !address.isLoopback, !proxies.trust(address) else { return nil }
        return address.share
    }
}
