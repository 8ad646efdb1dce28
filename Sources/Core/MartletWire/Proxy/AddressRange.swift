/// One address, or a network such as `10.0.0.0/8` or `fd00::/8`.
package struct AddressRange: Sendable, Hashable {
    private let address: IPAddress
    /// How many of the address' bits, of 32 or of 128, the network has.
    private let prefix: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let address = IPAddress(first) else { return nil }
        let bits = address.isV4 ? 32 : 128
        guard let prefix = parts.count == 2 ? Int(parts[1]) : bits, (0...bits).contains(prefix) else { return nil }
        self.address = address
        self.prefix = prefix
    }

    package func contains(_ other: IPAddress) -> Bool {
        guard other.isV4 == address.isV4 else { return false }
        let free = (address.isV4 ? 32 : 128) - prefix
        return other.bits >> UInt128(free) == address.bits >> UInt128(free)
    }
}

/// The proxies that are believed, by their addresses.
extension [AddressRange] {
    /// Whether somebody at this address is believed.
    package func trust(_ address: IPAddress) -> Bool { contains { $0.contains(address) } }

    /// Whom a request comes from: the connection's other end, or what trusted proxies say in `X-Forwarded-For` (several fields joined by
    /// commas). Read from the right: each proxy appends whom it heard from, so that the first one that is not trusted is the last that is
    /// known to be true. What is no address ends the reading, as nobody knows who wrote what is left of it.
    package func client(behind peer: IPAddress, forwardedFor hops: String?) -> IPAddress {
        var client = peer
        for hop in (hops ?? "").split(separator: ",").reversed() {
            guard trust(client), let next = IPAddress(hop.filter { $0 != " " && $0 != "\t" }) else { break }
            client = next
        }
        return client
    }
}
