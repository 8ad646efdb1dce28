/// Which server a key belongs to: the one whose mix with the key is the largest. All nodes agree, whatever the order of
/// their configuration, and a server that goes or comes moves only its own keys.
package struct Rendezvous: Sendable {
    private let servers: [UInt64]

    /// `identities`: one for each server, the same on all nodes.
    package init(_ identities: [String]) { servers = identities.map { Self.mix(Self.hash($0)) } }

    /// The index of the key's server among those present; among all where none is.
    package func owner(of key: String, present: [Bool]) -> Int {
        guard servers.count > 1 else { return 0 }
        let key = Self.hash(key)
        var best: (weight: UInt64, index: Int)?
        let isAnyPresent = present.contains(true)
        for (index, server) in servers.enumerated() where !isAnyPresent || present[index] {
            let weight = Self.mix(server ^ key)
            if let found = best, (found.weight, servers[found.index]) >= (weight, server) { continue }
            best = (weight, index)
        }
        return best?.index ?? 0
    }

    /// FNV-1a, 64 bits. Swift's own hash differs from process to process.
    static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    /// The finisher of SplitMix64: every bit of the input changes half of the output's.
    static func mix(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
