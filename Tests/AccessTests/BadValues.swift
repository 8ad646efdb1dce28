import MartletWire

/// Values that a field must refuse, made from its schema.
enum BadValues {
    struct Bad: Sendable {
        let name: String
        /// JSON as it goes over the wire.
        let json: [UInt8]
        /// Which fault it is, where that is certain.
        var reason: String? = "invalid_field"

        init(_ name: String, _ json: String, _ reason: String? = "invalid_field") {
            self.init(name, bytes: Array(json.utf8), reason)
        }

        init(_ name: String, bytes: [UInt8], _ reason: String? = "invalid_field") {
            self.name = name
            json = bytes
            self.reason = reason
        }
    }

    static let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
    static let beyond: Int64 = 9_007_199_254_740_992

    static func of(_ schema: JSONValue) -> [Bad] {
        let ofType: [Bad] =
            switch schema["type"]?.string {
            case "string": texts(schema)
            case "integer": integers(schema)
            case "boolean": flags
            case "array": arrays(schema)
            case "object": objects
            default: []
            }
        return everywhere + ofType
    }

    /// What no field takes.
    private static let everywhere: [Bad] = [
        Bad("nested too deeply", deep, "too_deep"),
        Bad("nothing", "", "malformed_json"),
        Bad("a word", "undefined", "malformed_json"),
        Bad("a number that is none", "01", "malformed_json"),
        Bad("NaN", "NaN", "malformed_json"),
        Bad("half an escape", #""\u12""#, "malformed_json"),
        Bad("half a pair", #""\ud83d""#, "malformed_json"),
        Bad("the other half of a pair", #""\ude00""#, "malformed_json"),
        Bad("a control character as it is", "\"a\u{01}b\"", "malformed_json"),
        Bad("not UTF-8", bytes: [0x22, 0xC3, 0x28, 0x22], nil),
        Bad("an overlong NUL", bytes: [0x22, 0xC0, 0x80, 0x22], nil),
        Bad("a surrogate in UTF-8", bytes: [0x22, 0xED, 0xA0, 0x80, 0x22], nil),
        Bad("a string without an end", "\"abc", "malformed_json"),
    ]

    private static func texts(_ schema: JSONValue) -> [Bad] {
        var bad = [
            Bad("a number", "1"), Bad("a flag", "true"), Bad("a list", "[]"), Bad("an object", "{}"),
        ]
        if schema["enum"] != nil || schema["pattern"] != nil {
            bad += [Bad("an unknown choice", #""no such thing é""#), Bad("nothing in it", #""""#)]
            if schema["enum"] != nil, let first = schema["enum"]?[0]?.string {
                bad.append(Bad("another case", "\"\(first.uppercased())\""))
            }
        }
        if let minimum = schema["minLength"]?.integer, minimum > 0 {
            bad.append(Bad("too short", "\"\(String(repeating: "a", count: Int(minimum) - 1))\""))
        }
        if let maximum = schema["maxLength"]?.integer {
            bad.append(Bad("too long", "\"\(String(repeating: "a", count: Int(maximum) + 1))\""))
            bad.append(Bad("far too long", "\"\(String(repeating: "é", count: 20_000))\""))
            bad.append(Bad("a NUL", #""ab\u0000cdefgh""#))
            bad.append(Bad("a bell", #""ab\u0007cdefgh""#))
        }
        return bad
    }

    private static func integers(_ schema: JSONValue) -> [Bad] {
        var bad = [
            Bad("text", #""1""#), Bad("a flag", "true"), Bad("a list", "[1]"), Bad("an object", "{}"),
            Bad("a fraction", "1.5"), Bad("a whole fraction", "1.0"), Bad("an exponent", "1e2"),
            Bad("2^53", "\(beyond)"),
            Bad("2^63", "9223372036854775808"), Bad("a thousand digits", String(repeating: "9", count: 1000), nil),
            Bad("an exponent beyond", "1e999", nil), Bad("negative", "-1"), Bad("far negative", "-9223372036854775808"),
            Bad("negative zero with a fraction", "-0.0"),
        ]
        if let minimum = schema["minimum"]?.integer { bad.append(Bad("too small", "\(minimum - 1)")) }
        if let maximum = schema["maximum"]?.integer { bad.append(Bad("too large", "\(maximum + 1)")) }
        return bad
    }

    private static let flags = [
        Bad("text", #""true""#), Bad("a number", "1"), Bad("zero", "0"), Bad("a list", "[]"), Bad("an object", "{}"),
        Bad("another case", "True", "malformed_json"),
    ]

    private static func arrays(_ schema: JSONValue) -> [Bad] {
        var bad = [
            Bad("text", #""1""#), Bad("a number", "1"), Bad("an object", "{}"), Bad("a flag", "false"),
            Bad("text in it", #"["1"]"#), Bad("null in it", "[null]"), Bad("a list in it", "[[1]]"),
            Bad("zero in it", "[0]"),
            Bad("a fraction in it", "[1.5]"), Bad("a comma too many", "[1,]", "malformed_json"),
        ]
        if let minimum = schema["minItems"]?.integer, minimum > 0 { bad.append(Bad("too few", "[]")) }
        if let maximum = schema["maxItems"]?.integer {
            let items = (1...(maximum + 1)).map(String.init).joined(separator: ",")
            bad.append(Bad("too many", "[\(items)]"))
        }
        return bad
    }

    private static let objects = [
        Bad("text", #""{}""#), Bad("a number", "1"), Bad("a list", "[]"), Bad("a flag", "true"),
        Bad("a key without a value", #"{"a"}"#, "malformed_json"),
        Bad("a comma too many", #"{"a":1,}"#, "malformed_json"),
    ]

    /// What a query's or path's text must refuse, as it goes over the wire.
    static func inQuery(_ schema: JSONValue) -> [Bad] {
        var bad = [
            Bad("half a percent sign", "%2"), Bad("no digits", "%zz"), Bad("not UTF-8", "%ff%fe"), Bad("a NUL", "%00"),
            Bad("a bell", "a%07b"),
        ]
        switch schema["type"]?.string {
        case "integer":
            bad += ["x", "1.5", "1e2", "-1", "0x10", "\(beyond)", "9223372036854775808", "%20", "1%20", "true", ""].map
            {
                Bad("\"\($0)\"", $0)
            }
            if let minimum = schema["minimum"]?.integer { bad.append(Bad("too small", "\(minimum - 1)")) }
            if let maximum = schema["maximum"]?.integer { bad.append(Bad("too large", "\(maximum + 1)")) }
        case "string":
            if let minimum = schema["minLength"]?.integer, minimum > 0 { bad.append(Bad("nothing", "")) }
            if let maximum = schema["maxLength"]?.integer {
                bad.append(Bad("too long", String(repeating: "a", count: Int(maximum) + 1)))
            }
            if schema["pattern"] != nil { bad += [Bad("nonsense", "nonsense"), Bad("nothing", "")] }
        default: break
        }
        return bad
    }
}
