import MartletCore
import MartletWire

/// The value of a header field with its parameters: `form-data; name="userId"`.
struct HeaderParameters: Sendable {
    /// In lower case.
    let value: String
    /// Their names in lower case, each once.
    private var parameters: [String: String] = [:]

    /// Throws for the field `body` where the text is not written as RFC 9110 has it. Empty parameters are allowed, as
    /// there; in values without quotes stands whatever is no space, quote or semicolon, as clients write boundaries.
    init(_ text: ArraySlice<UInt8>) throws(Fault) {
        var rest = text
        let head = rest.take { $0 != UInt8(ascii: ";") }
        value = try Self.text(head.trimmed).lowercased()
        while rest.popFirst() != nil {
            rest.skip(\.isBlank)
            if rest.isEmpty || rest.first == UInt8(ascii: ";") { continue }
            let name = try Self.text(rest.take(while: Self.isName)).lowercased()
            guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "=") else { throw Self.malformed }
            let value = rest.first == UInt8(ascii: "\"") ? try Self.quoted(&rest) : try Self.plain(&rest)
            rest.skip(\.isBlank)
            guard rest.isEmpty || rest.first == UInt8(ascii: ";"),
                parameters.updateValue(value, forKey: name) == nil
            else { throw Self.malformed }
        }
    }

    /// Nil where it is not given; `name` is in lower case.
    subscript(_ name: String) -> String? { parameters[name] }

    private static var malformed: Fault { .invalid("body", "a header field is not written as it should be") }

    private static func plain(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> String {
        let value = rest.take { !$0.isBlank && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "\"") }
        guard !value.isEmpty else { throw malformed }
        return try text(value)
    }

    private static func quoted(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> String {
        rest.removeFirst()
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return try text(value[...])
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { throw malformed }
                value.append(escaped)
            default: value.append(byte)
            }
        }
        throw malformed
    }

    private static func text(_ bytes: ArraySlice<UInt8>) throws(Fault) -> String {
        try FormText.text(Array(bytes), field: "body")
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "*"):
            true
        default: false
        }
    }
}

extension UInt8 {
    /// A space or a tab.
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}

extension ArraySlice<UInt8> {
    /// Without blanks before and behind.
    var trimmed: ArraySlice<UInt8> {
        var rest = self
        rest.skip(\.isBlank)
        while rest.last?.isBlank == true { rest.removeLast() }
        return rest
    }

    /// Removes the first bytes that are so, and returns them.
    fileprivate mutating func take(while isPart: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let taken = prefix(while: isPart)
        removeFirst(taken.count)
        return taken
    }

    fileprivate mutating func skip(_ isPart: (UInt8) -> Bool) { _ = take(while: isPart) }
}
