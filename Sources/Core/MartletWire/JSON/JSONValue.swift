import MartletCore

/// A parsed JSON text, for the cold path. Strict: no repeated keys, bounded depth, integers apart from other numbers.
package indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// An integer as written, up to 2^53 in size.
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package let key: String
        package let value: JSONValue
        /// Where the value stands in the source, so that a body can be kept as the bytes that came in.
        package let range: Range<Int>
    }

    /// Reads one JSON text. Throws `malformed_json`, `too_deep` or `repeated_key`.
    package init(parsing bytes: [UInt8], depth: Int = Limits.jsonDepth) throws(Fault) {
        guard UTF8Validator.isValid(bytes.span) else { throw Fault(.malformedJSON, "not valid UTF-8") }
        var position = 0
        self = try Self.value(bytes.span, &position, depth)
        JSONScan.skipSpace(bytes.span, &position)
        guard position == bytes.count else { throw JSONScan.malformed(position) }
    }

    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    package subscript(index: Int) -> JSONValue? {
        guard case .array(let items) = self, items.indices.contains(index) else { return nil }
        return items[index]
    }

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }

    private static func value(_ bytes: Span<UInt8>, _ position: inout Int, _ depth: Int) throws(Fault) -> JSONValue {
        JSONScan.skipSpace(bytes, &position)
        guard position < bytes.count else { throw JSONScan.malformed(position) }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string(JSONScan.text(try JSONScan.string(bytes, &position), bytes))
        case UInt8(ascii: "{"): return try object(bytes, &position, depth)
        case UInt8(ascii: "["): return try array(bytes, &position, depth)
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            let start = position
            try JSONScan.skipValue(bytes, &position)
            return bytes[start] == UInt8(ascii: "n") ? .null : .bool(bytes[start] == UInt8(ascii: "t"))
        default:
            let start = position
            if let integer = try JSONScan.integer(bytes, &position) { return .integer(integer) }
            let digits = JSONScan.text(.init(range: start..<position, hasEscapes: false), bytes)
            guard let number = Double(digits), number.isFinite else { throw JSONScan.malformed(start) }
            return .number(number)
        }
    }

    private static func object(_ bytes: Span<UInt8>, _ position: inout Int, _ depth: Int) throws(Fault) -> JSONValue {
        guard depth > 0 else { throw Fault(.tooDeep, "nested too deeply") }
        position += 1
        var members: [Member] = []
        if JSONScan.accept(UInt8(ascii: "}"), bytes, &position) { return .object(members) }
        var keys: Set<String> = []
        repeat {
            let key = JSONScan.text(try JSONScan.string(bytes, &position), bytes)
            guard keys.insert(key).inserted else {
                throw Fault(.repeatedKey, "a key stands twice in one object", field: String(key.prefix(64)))
            }
            try JSONScan.expect(UInt8(ascii: ":"), bytes, &position)
            JSONScan.skipSpace(bytes, &position)
            let start = position
            let value = try value(bytes, &position, depth - 1)
            members.append(Member(key: key, value: value, range: start..<position))
        } while JSONScan.accept(UInt8(ascii: ","), bytes, &position)
        try JSONScan.expect(UInt8(ascii: "}"), bytes, &position)
        return .object(members)
    }

    private static func array(_ bytes: Span<UInt8>, _ position: inout Int, _ depth: Int) throws(Fault) -> JSONValue {
        guard depth > 0 else { throw Fault(.tooDeep, "nested too deeply") }
        position += 1
        var items: [JSONValue] = []
        if JSONScan.accept(UInt8(ascii: "]"), bytes, &position) { return .array(items) }
        repeat {
            items.append(try value(bytes, &position, depth - 1))
        } while JSONScan.accept(UInt8(ascii: ","), bytes, &position)
        try JSONScan.expect(UInt8(ascii: "]"), bytes, &position)
        return .array(items)
    }
}
