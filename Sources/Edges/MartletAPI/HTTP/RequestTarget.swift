import MartletCore
import MartletWire

/// A request's path and query, decoded strictly: percent signs come with two digits, the result is UTF-8 without control characters.
struct RequestTarget: Sendable {
    static let queryItems = 64

    /// Decoded segments between the slashes: `["api", "user"]`. An empty segment stays one, so that `//api` is not `/api`.
    let segments: [String]
    let query: [(name: String, value: String)]

    init(_ text: String) throws(Fault) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, path.utf8.first == UInt8(ascii: "/") else {
            throw Fault(.notFound, "there is nothing here")
        }
        var segments: [String] = []
        for segment in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            segments.append(try Self.decode(segment, plusIsSpace: false, field: "path"))
        }
        self.segments = segments
        query = parts.count > 1 ? try Self.parse(parts[1]) : []
    }

    private static func parse(_ text: Substring) throws(Fault) -> [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        for item in text.split(separator: "&") {
            guard items.count < queryItems else { throw .invalid("query", "too many parameters") }
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try decode(parts[0], plusIsSpace: true, field: "query")
            items.append((name, parts.count > 1 ? try decode(parts[1], plusIsSpace: true, field: "query") : ""))
        }
        return items
    }

    private static func decode(_ text: Substring, plusIsSpace: Bool, field: String) throws(Fault) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    throw .invalid(field, "a percent sign without two hexadecimal digits")
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        guard UTF8Validator.isValid(bytes.span) else { throw .invalid(field, "not UTF-8") }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw .invalid(field, "control characters are not allowed")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
