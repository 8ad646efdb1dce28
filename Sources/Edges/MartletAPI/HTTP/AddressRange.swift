#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 address (4 bytes) or an IPv6 one (16). An IPv4 address inside an IPv6 one is the IPv4 address.
struct IPAddress: Hashable, Sendable {
    let bytes: [UInt8]

    init?(_ text: some StringProtocol) {
        let plain = text.prefix { $0 != "%" }
        if let bytes = Self.parse(String(plain), AF_INET, 4) {
            self.bytes = bytes
        } else if let bytes = Self.parse(String(plain), AF_INET6, 16) {
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
        } else {
            return nil
        }
    }

    private static func parse(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }

    /// Whose share of a rate limit a request takes: the address, and for IPv6 the network (/64) that one customer has.
    var rateName: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        if isLoopback { return "::1" }
        let groups = stride(from: 0, to: 8, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }
}

/// One address, or a network such as `10.0.0.0/8` or `fd00::/8`.
package struct AddressRange: Sendable, Hashable {
    private let address: IPAddress
    private let prefix: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let address = IPAddress(first) else { return nil }
        let bits = address.bytes.count * 8
        guard let prefix = parts.count == 2 ? Int(parts[1]) : bits, (0...bits).contains(prefix) else { return nil }
        self.address = address
        self.prefix = prefix
    }

    func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        for bit in 0..<prefix {
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            guard other.bytes[bit / 8] & mask == address.bytes[bit / 8] & mask else { return false }
        }
        return true
    }
}
