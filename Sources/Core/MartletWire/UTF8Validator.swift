/// Checks UTF-8 (RFC 3629) piece by piece: a character may be cut anywhere between two pieces. Refuses overlong forms,
/// surrogates and what lies past U+10FFFF at the first byte that makes them so. Twelve bytes of state, no copy of the
/// text.
package struct UTF8Validator: Sendable {
    /// Continuation bytes still to come.
    @usableFromInline var remaining: UInt8 = 0
    /// What the next continuation byte may be; narrower than 80…BF only behind E0, ED, F0 and F4.
    @usableFromInline var lower: UInt8 = 0x80
    @usableFromInline var upper: UInt8 = 0xBF

    package init() {}

    /// True where no character is cut.
    package var isComplete: Bool { remaining == 0 }

    /// Takes the next piece; false as soon as the text cannot be valid any more.
    @inlinable
    package mutating func accept(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        while index < bytes.count {
            if remaining == 0 { index = Self.wholeEnd(bytes, Self.asciiEnd(bytes, index)) }
            guard index < bytes.count else { return true }
            let byte = bytes[index]
            index += 1
            if remaining > 0 {
                guard byte >= lower, byte <= upper else { return false }
                remaining -= 1
                lower = 0x80
                upper = 0xBF
            } else if byte >= 0x80 {
                guard begin(byte) else { return false }
            }
        }
        return true
    }

    /// Moves over words of ASCII, which most text is made of.
    @inlinable
    static func asciiEnd(_ bytes: Span<UInt8>, _ index: Int) -> Int {
        let raw = bytes.bytes
        var index = index
        while index &+ 8 <= bytes.count,
            raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
            index &+= 8
        }
        return index
    }

    /// Moves over whole characters of two and three bytes, which most other text is made of. Those behind E0 and ED, where not every byte may
    /// follow, are left to the state.
    @inlinable
    static func wholeEnd(_ bytes: Span<UInt8>, _ index: Int) -> Int {
        var index = index
        while index &+ 3 <= bytes.count {
            let (first, second) = (bytes[index], bytes[index &+ 1])
            guard second & 0xC0 == 0x80 else { return index }
            if first &- 0xE1 <= 0xEF - 0xE1, first != 0xED, bytes[index &+ 2] & 0xC0 == 0x80 {
                index &+= 3
            } else if first &- 0xC2 <= 0xDF - 0xC2 {
                index &+= 2
            } else {
                return index
            }
        }
        return index
    }

    @usableFromInline
    mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: remaining = 1
        case 0xE0: (remaining, lower) = (2, 0xA0)
        case 0xED: (remaining, upper) = (2, 0x9F)
        case 0xE1...0xEF: remaining = 2
        case 0xF0: (remaining, lower) = (3, 0x90)
        case 0xF1...0xF3: remaining = 3
        case 0xF4: (remaining, upper) = (3, 0x8F)
        default: return false
        }
        return true
    }

    /// Checks a whole text.
    package static func isValid(_ bytes: Span<UInt8>) -> Bool {
        var validator = UTF8Validator()
        return validator.accept(bytes) && validator.isComplete
    }
}
