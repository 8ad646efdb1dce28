import MartletCore

/// Tells whether two sends carry the same payload. FNV-1a, 64 bits (draft-eastlake-fnv), over the kind, the target and
/// the content without the white space between its tokens. Stable across processes and versions: digests are stored for
/// the retry window. It guards clients against their own mistakes, so that it need not resist anybody who looks for
/// collisions.
enum PayloadDigest {
    static func of(_ draft: Draft) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ byte: UInt8) {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        mix(UInt8(truncatingIfNeeded: draft.kind.rawValue))
        if let target = draft.target {
            for shift in stride(from: 0, to: 64, by: 8) { mix(UInt8(truncatingIfNeeded: target >> Int64(shift))) }
        }
        var isInString = false
        var isEscaped = false
        for byte in draft.body {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
                continue
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            }
            mix(byte)
        }
        return Int64(bitPattern: hash)
    }
}
