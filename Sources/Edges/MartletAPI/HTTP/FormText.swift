import MartletCore
import MartletWire

/// What queries and form bodies are written in (`application/x-www-form-urlencoded`), decoded strictly: percent signs
/// come with two digits, the result is UTF-8 without control characters.
enum FormText {
    /// Names with their values, in order, at most `maximum`. A name without `=` has an empty value.
    ///
    /// - Parameter lines: values may have line breaks and tabs.
    static func pairs(
        _ text: ArraySlice<UInt8>, maximum: Int, lines: Bool = false, field: String
    ) throws(Fault) -> [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        for item in text.split(separator: UInt8(ascii: "&")) {
            guard items.count < maximum else { throw .invalid(field, "too many parameters") }
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = try decode(parts[0], plusIsSpace: true, field: field)
            let value = parts.count > 1 ? try decode(parts[1], plusIsSpace: true, lines: lines, field: field) : ""
            items.append((name, value))
        }
        return items
    }

    static func decode(
        _ text: ArraySlice<UInt8>, plusIsSpace: Bool, lines: Bool = false, field: String
    ) throws(Fault) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text
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
        return try Self.text(bytes, lines: lines, field: field)
    }

    /// UTF-8 without control characters, as it is.
    static func text(_ bytes: [UInt8], lines: Bool = false, field: String) throws(Fault) -> String {
        guard UTF8Validator.isValid(bytes.span) else { throw .invalid(field, "not UTF-8") }
        guard bytes.allSatisfy({ !isControl($0, lines: lines) }) else {
            throw .invalid(field, "control characters are not allowed")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func isControl(_ byte: UInt8, lines: Bool) -> Bool {
        guard byte < 0x20 || byte == 0x7F else { return false }
        return !(lines && (byte == 0x0A || byte == 0x0D || byte == 0x09))
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
