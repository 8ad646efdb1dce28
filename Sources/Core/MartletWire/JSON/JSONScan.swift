import MartletCore

/// Walks JSON (RFC 8259) over bytes without building anything. Every function takes the position by reference, starts
/// at a token and ends behind it. The bytes are valid UTF-8 already; the frame codec or the request reader saw to that.
package enum JSONScan {
    package static func malformed(_ position: Int) -> Fault {
        Fault(.malformedJSON, "not valid JSON at byte \(position)")
    }

    @inlinable
    package static func skipSpace(_ bytes: Span<UInt8>, _ position: inout Int) {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    /// Moves over `byte`, with white space before it.
    @inlinable
    package static func expect(_ byte: UInt8, _ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) {
        skipSpace(bytes, &position)
        guard position < bytes.count, bytes[position] == byte else { throw malformed(position) }
        position += 1
    }

    /// Moves over `byte` if it is next, with white space before it.
    @inlinable
    package static func accept(_ byte: UInt8, _ bytes: Span<UInt8>, _ position: inout Int) -> Bool {
        skipSpace(bytes, &position)
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// A string's inside, between the quotes, and whether it has escapes.
    package struct StringToken {
        package let range: Range<Int>
        package let hasEscapes: Bool
        @usableFromInline
        init(range: Range<Int>, hasEscapes: Bool) {
            self.range = range
            self.hasEscapes = hasEscapes
        }
    }

    @inlinable
    package static func string(_ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) -> StringToken {
        try expect(UInt8(ascii: "\""), bytes, &position)
        let start = position
        var hasEscapes = false
        while true {
            position = plainEnd(bytes, position)
            guard position < bytes.count else { throw malformed(position) }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return StringToken(range: start..<(position - 1), hasEscapes: hasEscapes)
            }
            guard byte == UInt8(ascii: "\\") else { throw malformed(position) }
            hasEscapes = true
            try escape(bytes, &position)
        }
    }

    /// Where the first byte from `position` on stands that is a quote, a backslash or a control character; the count of
    /// the bytes where there is none. Eight bytes at a time: subtracting one from each byte of a word borrows, and so
    /// sets the top bit, where the byte was zero first (Mycroft's test; what stands behind the first hit may be wrong
    /// and is not looked at).
    @inlinable
    static func plainEnd(_ bytes: Span<UInt8>, _ position: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let raw = bytes.bytes
        var position = position
        while position &+ 8 <= bytes.count {
            let word = UInt64(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            let hits =
                ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word) & tops
            if hits != 0 { return position &+ hits.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { return position }
            position &+= 1
        }
        return position
    }

    @usableFromInline
    static func escape(_ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) {
        position += 1
        guard position < bytes.count else { throw malformed(position) }
        switch bytes[position] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            let unit = try hexadecimal(bytes, &position)
            if unit >= 0xDC00, unit <= 0xDFFF { throw malformed(position) }
            if unit >= 0xD800, unit <= 0xDBFF {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw malformed(position) }
                position += 1
                let low = try hexadecimal(bytes, &position)
                guard low >= 0xDC00, low <= 0xDFFF else { throw malformed(position) }
            }
        default:
            throw malformed(position)
        }
    }

    /// Four digits behind the `u` at `position`.
    static func hexadecimal(_ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) -> UInt32 {
        guard position + 4 < bytes.count else { throw malformed(position) }
        var value: UInt32 = 0
        for index in (position + 1)...(position + 4) {
            let byte = bytes[index]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw malformed(index)
            }
            value = value << 4 | UInt32(digit)
        }
        position += 5
        return value
    }

    /// Moves over a number and says whether it is an integer as written (no fraction, no exponent).
    package static func number(_ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) -> Bool {
        skipSpace(bytes, &position)
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        let first = position
        try digits(bytes, &position)
        if bytes[first] == UInt8(ascii: "0"), position - first > 1 { throw malformed(first) }
        var isInteger = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try digits(bytes, &position)
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: "e") || bytes[position] == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits(bytes, &position)
        }
        return isInteger
    }

    private static func digits(_ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) {
        let start = position
        while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 { position += 1 }
        guard position > start else { throw malformed(position) }
    }

    /// Reads an integer of at most 2^53 in size; nil where the number is not one.
    package static func integer(_ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) -> Int64? {
        skipSpace(bytes, &position)
        let start = position
        guard try number(bytes, &position), position - start <= 17 else { return nil }
        var index = start
        let isNegative = bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        var value: Int64 = 0
        while index < position {
            value = value * 10 + Int64(bytes[index] - 0x30)
            index += 1
        }
        guard value <= maximumIdentifier else { return nil }
        return isNegative ? -value : value
    }

    private static func literal(_ text: StaticString, _ bytes: Span<UInt8>, _ position: inout Int) throws(Fault) {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { throw malformed(position) }
        for offset in 0..<count where bytes[position + offset] != text.utf8Start[offset] { throw malformed(position) }
        position += count
    }

    /// Moves over one value of any kind, nested at most `depth` levels.
    package static func skipValue(_ bytes: Span<UInt8>, _ position: inout Int, depth: Int = Limits.jsonDepth)
        throws(Fault)
    {
        skipSpace(bytes, &position)
        guard position < bytes.count else { throw malformed(position) }
        switch bytes[position] {
        case UInt8(ascii: "\""): _ = try string(bytes, &position)
        case UInt8(ascii: "{"):
            guard depth > 0 else { throw Fault(.tooDeep, "nested too deeply") }
            position += 1
            if accept(UInt8(ascii: "}"), bytes, &position) { return }
            repeat {
                _ = try string(bytes, &position)
                try expect(UInt8(ascii: ":"), bytes, &position)
                try skipValue(bytes, &position, depth: depth - 1)
            } while accept(UInt8(ascii: ","), bytes, &position)
            try expect(UInt8(ascii: "}"), bytes, &position)
        case UInt8(ascii: "["):
            guard depth > 0 else { throw Fault(.tooDeep, "nested too deeply") }
            position += 1
            if accept(UInt8(ascii: "]"), bytes, &position) { return }
            repeat {
                try skipValue(bytes, &position, depth: depth - 1)
            } while accept(UInt8(ascii: ","), bytes, &position)
            try expect(UInt8(ascii: "]"), bytes, &position)
        case UInt8(ascii: "t"): try literal("true", bytes, &position)
        case UInt8(ascii: "f"): try literal("false", bytes, &position)
        case UInt8(ascii: "n"): try literal("null", bytes, &position)
        default: _ = try number(bytes, &position)
        }
    }

    /// The string that a token stands for.
    package static func text(_ token: StringToken, _ bytes: Span<UInt8>) -> String {
        let inside = bytes.extracting(token.range)
        guard token.hasEscapes else {
            return String(unsafeUninitializedCapacity: inside.count) { target in
                for index in 0..<inside.count { target[index] = inside[index] }
                return inside.count
            }
        }
        var result: [UInt8] = []
        result.reserveCapacity(inside.count)
        var index = 0
        while index < inside.count {
            guard inside[index] == UInt8(ascii: "\\") else {
                result.append(inside[index])
                index += 1
                continue
            }
            index += 1
            switch inside[index] {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                appendScalar(inside, &index, to: &result)
                continue
            default: result.append(inside[index])
            }
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Appends the character of a `\uXXXX` (or a surrogate pair) whose `u` is at `index`, and moves behind it. The
    /// token was checked by `string`, so that the digits are there.
    private static func appendScalar(_ inside: Span<UInt8>, _ index: inout Int, to result: inout [UInt8]) {
        guard var value = try? hexadecimal(inside, &index) else { return }
        if value >= 0xD800, value <= 0xDBFF {
            index += 1
            guard let low = try? hexadecimal(inside, &index) else { return }
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { return }
        result.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    }
}
