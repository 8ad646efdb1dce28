import NIOCore

/// One value of Redis' protocol, version 3 (https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md).
package enum RESPValue: Sendable, Equatable {
    /// A simple, bulk or verbatim string, or a big number.
    case bytes(ByteBuffer)
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    case null
    case error(String)
    /// An array or a set.
    case array([RESPValue])
    /// Keys and values in turns.
    case map([RESPValue])
    /// What the server sends on its own: an answer to nothing.
    case push([RESPValue])

    package static func text(_ text: String) -> RESPValue { .bytes(ByteBuffer(string: text)) }

    /// The bytes as text, mended where they are not UTF-8; nil for values of other kinds.
    package var text: String? {
        guard case .bytes(let bytes) = self else { return nil }
        return String(buffer: bytes)
    }

    /// Nil for values of other kinds.
    package var integer: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    /// The elements of an array, a map or a push; nil for values of other kinds.
    package var elements: [RESPValue]? {
        switch self {
        case .array(let elements), .map(let elements), .push(let elements): elements
        default: nil
        }
    }

    /// The value of a key in a map.
    package subscript(_ key: String) -> RESPValue? {
        guard case .map(let elements) = self else { return nil }
        var index = 0
        while index + 1 < elements.count {
            if elements[index].text == key { return elements[index + 1] }
            index += 2
        }
        return nil
    }
}

/// What arrived is not Redis' protocol, or is beyond the bounds: the connection is of no use any more.
package struct RESPDamage: Error, Equatable {
    package let what: StaticText

    /// One of a few fixed texts, for the log.
    package enum StaticText: String, Sendable {
        case unknownType = "unknown type"
        case badNumber = "bad number"
        case badLineEnd = "bad line end"
        case lineTooLong = "line too long"
        case bulkTooLong = "string too long"
        case tooManyElements = "too many elements"
        case tooDeep = "too deep"
        case pushInside = "push inside of a value"
    }

    init(_ what: StaticText) { self.what = what }
}

/// How large a value may be.
package struct RESPBounds: Sendable {
    /// Of one string.
    package var bulkBytes = 16 << 20
    /// Of a line: numbers, simple strings, errors.
    package var lineBytes = 16 << 10
    /// Of one value, nested ones included.
    package var elements = 1 << 20
    package var depth = 8

    package init() {}
}
