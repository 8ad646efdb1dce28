/// Reads the head of an HTTP/1.1 message (RFC 9112), as far as a WebSocket handshake needs it.
enum HTTPHead {
    /// A longer head is refused.
    static let maximumBytes = 16 * 1024

    /// How many bytes the head has, its empty line included; nil where the end is not among the first `maximumBytes`.
    static func size(_ bytes: Span<UInt8>) -> Int? {
        var index = 3
        let end = min(bytes.count, maximumBytes)
        while index < end {
            switch bytes[index] {
            case 0x0A:
                if bytes[index - 1] == 0x0D, bytes[index - 2] == 0x0A, bytes[index - 3] == 0x0D { return index + 1 }
                index += 2
            case 0x0D: index += 1
            // This byte is none of CR LF CR LF, so the last of them is at least four bytes away.
            default: index += 4
            }
        }
        return nil
    }

    /// The first line's end: where its CRLF begins.
    static func lineEnd(_ bytes: Span<UInt8>, from start: Int, head: Int) -> Int {
        var index = start
        while index + 1 < head, bytes[index] != 0x0D || bytes[index + 1] != 0x0A { index += 1 }
        return index
    }

    /// Calls `field` with the name and the trimmed value of each header line behind the one that ends at `firstEnd`.
    /// False where a line is not `name: value` (RFC 9112 5.1), folded over two lines, or has control characters.
    static func fields(
        _ bytes: Span<UInt8>, firstEnd: Int, head: Int, _ field: (Range<Int>, Range<Int>) -> Void
    ) -> Bool {
        var start = firstEnd + 2
        while start < head - 2 {
            let end = lineEnd(bytes, from: start, head: head)
            var colon = start
            while colon < end, isToken(bytes[colon]) { colon += 1 }
            guard colon > start, colon < end, bytes[colon] == UInt8(ascii: ":") else { return false }
            var value = (colon + 1)..<end
            while let first = value.first, isSpace(bytes[first]) { value = (first + 1)..<value.upperBound }
            while let last = value.last, isSpace(bytes[last]) { value = value.lowerBound..<last }
            for index in value where bytes[index] == 0x7F || (bytes[index] < 0x20 && bytes[index] != 0x09) {
                return false
            }
            field(start..<colon, value)
            start = end + 2
        }
        return true
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// RFC 9110 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"),
            UInt8(ascii: "_"),
            UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Compares without regard to the case of ASCII letters; `text` is in lower case.
    static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for (offset, index) in range.enumerated() {
            let byte = bytes[index]
            let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            guard (isUpper ? byte | 0x20 : byte) == text.utf8Start[offset] else { return false }
        }
        return true
    }

    /// Whether a comma-separated list names `token`, in any case.
    static func list(_ bytes: Span<UInt8>, _ range: Range<Int>, names token: StaticString) -> Bool {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != UInt8(ascii: ",") { end += 1 }
            var item = start..<end
            while let first = item.first, isSpace(bytes[first]) { item = (first + 1)..<item.upperBound }
            while let last = item.last, isSpace(bytes[last]) { item = item.lowerBound..<last }
            if matches(bytes, item, token) { return true }
            start = end + 1
        }
        return false
    }

    static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        String(decoding: range.map { bytes[$0] }, as: UTF8.self)
    }
}
