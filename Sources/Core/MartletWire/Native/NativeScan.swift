import MartletCore

// What the native scans share: walking an object's members and judging values by where they stand.

extension JSONScan {
    /// Walks the members of the object at `position`. `member` is called with each key, at its value, and must end
    /// behind it.
    @inline(__always)
    static func members(
        _ bytes: Span<UInt8>, _ position: inout Int, _ member: (StringToken, inout Int) throws(Fault) -> Void
    ) throws(Fault) {
        try expect(UInt8(ascii: "{"), bytes, &position)
        if accept(UInt8(ascii: "}"), bytes, &position) { return }
        repeat {
            let key = try string(bytes, &position)
            try expect(UInt8(ascii: ":"), bytes, &position)
            skipSpace(bytes, &position)
            try member(key, &position)
        } while accept(UInt8(ascii: ","), bytes, &position)
        try expect(UInt8(ascii: "}"), bytes, &position)
    }

    /// Moves over the value at `position` and gives its place, without white space around it.
    @inline(__always)
    static func value(_ bytes: Span<UInt8>, _ position: inout Int, depth: Int) throws(Fault) -> Range<Int> {
        let start = position
        try skipValue(bytes, &position, depth: depth)
        return start..<position
    }

    /// Whether a string is `text`, however it is escaped: a key must not pass unseen because a letter of it is written
    /// `\u0061`.
    @inline(__always)
    static func matches(_ token: StringToken, _ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        token.hasEscapes ? matchesUnescaped(token, bytes, text) : matches(token.range, bytes, text)
    }

    @inline(__always)
    static func matches(_ range: Range<Int>, _ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let start = text.utf8Start
        for offset in 0..<range.count where bytes[range.lowerBound &+ offset] != start[offset] { return false }
        return true
    }

    /// Six bytes are the longest way to write one of ours.
    private static func matchesUnescaped(_ token: StringToken, _ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        token.range.count <= text.utf8CodeUnitCount * 6 && Self.text(token, bytes) == "\(text)"
    }

    /// The string that stands at `value`, or nil where it is another kind of value. The bytes were scanned before.
    static func string(at value: Range<Int>, _ bytes: Span<UInt8>) -> StringToken? {
        guard bytes[value.lowerBound] == UInt8(ascii: "\"") else { return nil }
        let inside = (value.lowerBound + 1)..<(value.upperBound - 1)
        // There is nothing else inside that is not plain.
        let end = plainEnd(bytes.extracting(..<inside.upperBound), inside.lowerBound)
        return StringToken(range: inside, hasEscapes: end < inside.upperBound)
    }

    /// The integer that stands at `value`, or nil where it is another kind of value. The bytes were scanned before.
    static func integer(at value: Range<Int>, _ bytes: Span<UInt8>) -> Int64? {
        switch bytes[value.lowerBound] {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            var position = value.lowerBound
            return (try? integer(bytes, &position)) ?? nil
        default: return nil
        }
    }

    /// A string's characters (Unicode scalars); an escape is one, and so is a pair of them that stands for one
    /// character.
    static func scalarCount(_ token: StringToken, _ bytes: Span<UInt8>) -> Int {
        var count = 0
        guard token.hasEscapes else {
            for index in token.range where bytes[index] & 0xC0 != 0x80 { count &+= 1 }
            return count
        }
        var index = token.range.lowerBound
        while index < token.range.upperBound {
            if bytes[index] == UInt8(ascii: "\\") {
                index += escapeBytes(bytes, index)
                count += 1
            } else {
                if bytes[index] & 0xC0 != 0x80 { count += 1 }
                index += 1
            }
        }
        return count
    }

    /// The bytes of the escape, or pair of escapes, at `index`: 2, 6 or 12. D8 to DB begin a pair.
    private static func escapeBytes(_ bytes: Span<UInt8>, _ index: Int) -> Int {
        guard bytes[index + 1] == UInt8(ascii: "u") else { return 2 }
        guard bytes[index + 2] | 0x20 == UInt8(ascii: "d") else { return 6 }
        switch bytes[index + 3] {
        case UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "A"), UInt8(ascii: "B"), UInt8(ascii: "a"),
            UInt8(ascii: "b"):
            return 12
        default: return 6
        }
    }
}

/// The place of a field's value, met at most once. `null` counts as not given, as it does for `JSONFields`.
struct FieldPlace {
    private(set) var value: Range<Int>?
    private var isMet = false

    @inline(__always)
    mutating func take(
        _ name: StaticString, _ bytes: Span<UInt8>, _ position: inout Int, depth: Int
    ) throws(Fault) {
        guard !isMet else { throw Fault(.repeatedKey, "a key stands twice in one object", field: "\(name)") }
        isMet = true
        let range = try JSONScan.value(bytes, &position, depth: depth)
        if bytes[range.lowerBound] != UInt8(ascii: "n") { value = range }
    }

    func required(_ name: StaticString) throws(Fault) -> Range<Int> {
        guard let value else { throw .missing("\(name)") }
        return value
    }
}
