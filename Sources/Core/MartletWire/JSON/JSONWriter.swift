import MartletCore

/// Writes JSON text. Numbers and raw values go out as they are; strings are escaped as RFC 8259 asks and no further.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    package mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func raw(_ json: [UInt8]) { bytes.append(contentsOf: json) }

    package mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    package mutating func integer(_ value: some FixedWidthInteger) { bytes.append(contentsOf: String(value).utf8) }

    package mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: raw("\\n")
            case 0x0D: raw("\\r")
            case 0x09: raw("\\t")
            case 0..<0x20:
                raw("\\u00")
                bytes.append(Self.hexadecimal[Int(byte >> 4)])
                bytes.append(Self.hexadecimal[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Writes one object through `JSONObject`.
    package mutating func object(_ fill: (inout JSONObject) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        var object = JSONObject(writer: self)
        bytes = []
        fill(&object)
        self = object.writer
        bytes.append(UInt8(ascii: "}"))
    }

    /// The bytes of one value.
    package static func encode(_ value: some JSONEncodable) -> [UInt8] {
        var writer = JSONWriter()
        value.write(to: &writer)
        return writer.bytes
    }

    /// The bytes of one object.
    package static func object(_ fill: (inout JSONObject) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(fill)
        return writer.bytes
    }
}

/// The members of an object that is being written. In recording mode it notes each member's schema as well, so that
/// what is documented is what is written.
package struct JSONObject: Sendable {
    fileprivate var writer: JSONWriter
    private var isEmpty = true
    fileprivate var recorded: [Schema.Property]?

    fileprivate init(writer: JSONWriter, recording: Bool = false) {
        self.writer = writer
        recorded = recording ? [] : nil
    }

    package mutating func field<Value: JSONEncodable>(_ name: String, _ value: Value) {
        key(name)
        value.write(to: &writer)
        recorded?.append(.init(name: name, schema: Value.schema, isRequired: true))
    }

    /// Writes nothing where the value is nil.
    package mutating func optional<Value: JSONEncodable>(_ name: String, _ value: Value?) {
        if let value {
            key(name)
            value.write(to: &writer)
        }
        recorded?.append(.init(name: name, schema: Value.schema, isRequired: false))
    }

    /// A string with one of the values of an enumeration.
    package mutating func choice<Value: RawRepresentable & CaseIterable>(_ name: String, _ value: Value)
    where Value.RawValue == String {
        key(name)
        writer.string(value.rawValue)
        recorded?.append(
            .init(name: name, schema: .string(.init(choices: Value.allCases.map(\.rawValue))), isRequired: true))
    }

    private mutating func key(_ name: String) {
        if !isEmpty { writer.byte(UInt8(ascii: ",")) }
        isEmpty = false
        writer.string(name)
        writer.byte(UInt8(ascii: ":"))
    }

    fileprivate static func schema(of fill: (inout JSONObject) -> Void) -> Schema {
        var object = JSONObject(writer: JSONWriter(), recording: true)
        fill(&object)
        return .object(object.recorded ?? [])
    }
}

/// What can be written as JSON, and knows the shape of what it writes.
package protocol JSONEncodable: Sendable {
    func write(to writer: inout JSONWriter)
    static var schema: Schema { get }
}

/// An answer's object. Its schema is recorded by writing `example`.
package protocol JSONOutput: JSONEncodable {
    func write(to object: inout JSONObject)
    /// A typical value, shown in the documentation.
    static var example: Self { get }
}

extension JSONOutput {
    package func write(to writer: inout JSONWriter) { writer.object { write(to: &$0) } }
    package static var schema: Schema { JSONObject.schema { example.write(to: &$0) } }
}

/// `{}`.
package struct EmptyOutput: JSONOutput {
    package static let example = EmptyOutput()
    package init() {}
    package func write(to object: inout JSONObject) {}
}

/// JSON that is passed on as it came in.
package struct RawJSON: JSONEncodable, Equatable {
    package let bytes: [UInt8]
    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package static let schema = Schema.anyObject
    package static let emptyObject = RawJSON([UInt8(ascii: "{"), UInt8(ascii: "}")])
    package func write(to writer: inout JSONWriter) { writer.raw(bytes) }
}

extension String: JSONEncodable {
    package static var schema: Schema { .string(.init()) }
    package func write(to writer: inout JSONWriter) { writer.string(self) }
}

extension Int64: JSONEncodable {
    package static var schema: Schema { .integer(-maximumIdentifier...maximumIdentifier) }
    package func write(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Int: JSONEncodable {
    package static var schema: Schema { .integer(-maximumIdentifier...maximumIdentifier) }
    package func write(to writer: inout JSONWriter) { writer.integer(self) }
}

extension Bool: JSONEncodable {
    package static var schema: Schema { .boolean }
    package func write(to writer: inout JSONWriter) { writer.raw(self ? "true" : "false") }
}

extension UserID: JSONEncodable {
    package static var schema: Schema { .integer(0...maximumIdentifier) }
    package func write(to writer: inout JSONWriter) { writer.integer(value) }
}

extension GroupID: JSONEncodable {
    package static var schema: Schema { .integer(1...maximumIdentifier) }
    package func write(to writer: inout JSONWriter) { writer.integer(value) }
}

extension ConversationID: JSONEncodable {
    package static var schema: Schema { .conversation }
    package func write(to writer: inout JSONWriter) { writer.string(text) }
}

extension Instant: JSONEncodable {
    package static var schema: Schema { .integer(0...maximumIdentifier) }
    package func write(to writer: inout JSONWriter) { writer.integer(milliseconds) }
}

extension Array: JSONEncodable where Element: JSONEncodable {
    package static var schema: Schema { .array(Element.schema, 0...Int.max) }
    package func write(to writer: inout JSONWriter) {
        writer.byte(UInt8(ascii: "["))
        for (index, element) in enumerated() {
            if index > 0 { writer.byte(UInt8(ascii: ",")) }
            element.write(to: &writer)
        }
        writer.byte(UInt8(ascii: "]"))
    }
}
