#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 address or an IPv6 one. An IPv4 address inside an IPv6 one is the IPv4 address.
package struct IPAddress: Hashable, Sendable {
    /// As IPv6 has it; an IPv4 address is `::ffff:a.b.c.d` (RFC 4291 2.5.5.2).
    let bits: UInt128

    init(v4 bits: UInt32) { self.bits = UInt128(0xFFFF) << 32 | UInt128(bits) }

    init(v6 bits: UInt128) { self.bits = bits }

    /// Reads either kind; an IPv6 address may name its interface (`fe80::1%eth0`), which is left out.
    package init?(_ text: some StringProtocol) {
        let plain = String(text.prefix { $0 != "%" })
        guard let address = IPAddress(v4: plain) ?? IPAddress(v6: plain) else { return nil }
        self = address
    }

    /// Reads `203.0.113.5`: four numbers without leading zeros.
    init?(v4 text: String) {
        guard let bits = Self.parse(text, AF_INET, bytes: 4) else { return nil }
        self.init(v4: UInt32(truncatingIfNeeded: bits))
    }

    init?(v6 text: String) {
        guard let bits = Self.parse(text, AF_INET6, bytes: 16) else { return nil }
        self.init(v6: bits)
    }

    private static func parse(_ text: String, _ family: Int32, bytes count: Int) -> UInt128? {
        var bytes = [UInt8](repeating: 0, count: count)
        // C's text would end at a zero.
        guard !text.utf8.contains(0), inet_pton(family, text, &bytes) == 1 else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    package var isV4: Bool { bits >> 32 == 0xFFFF }

    package var isLoopback: Bool { isV4 ? UInt8(truncatingIfNeeded: bits >> 24) == 127 : bits == 1 }

    /// Whose share of a limit the address takes: its own, and for IPv6 that of the network (/64) that one customer has.
    package var share: IPAddress { isV4 || isLoopback ? self : IPAddress(v6: (bits >> 64) << 64) }

    /// The name of the `share`.
    package var rateName: String {
        if isV4 { return (0..<4).map { String(bits >> (24 - 8 * $0) & 0xFF) }.joined(separator: ".") }
        if isLoopback { return "::1" }
        return (0..<4).map { String(bits >> (112 - 16 * $0) & 0xFFFF, radix: 16) }.joined(separator: ":") + "::/64"
    }
}
