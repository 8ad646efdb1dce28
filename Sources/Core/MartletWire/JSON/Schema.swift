import MartletCore

/// The shape of a JSON value, as far as the protocol uses JSON Schema (2020-12).
package indirect enum Schema: Sendable {
    package struct Text: Sendable {
        /// In characters (Unicode scalars).
        package var length: ClosedRange<Int>?
        package var choices: [String]?
        package var pattern: String?
        package init(length: ClosedRange<Int>? = nil, choices: [String]? = nil, pattern: String? = nil) {
            self.length = length
            self.choices = choices
            self.pattern = pattern
        }
    }

    package struct Property: Sendable {
        package let name: String
        package let schema: Schema
        package let isRequired: Bool
        package init(name: String, schema: Schema, isRequired: Bool) {
            self.name = name
            self.schema = schema
            self.isRequired = isRequired
        }
    }

    case boolean
    case integer(ClosedRange<Int64>)
    case number
    case string(Text)
    case array(Schema, ClosedRange<Int>)
    case object([Property])
    /// An object of any members.
    case anyObject
    /// An object whose members all have one shape, such as cursors by conversation.
    case map(Schema)

    /// The text forms of a conversation's name.
    package static let conversation = Schema.string(
        Text(pattern: "^(d:[1-9][0-9]*:[1-9][0-9]*|[gu]:[1-9][0-9]*|r:[1-9][0-9]*(:[a-z0-9_-]{1,32})?)$"))

    package var properties: [Property] { if case .object(let properties) = self { properties } else { [] } }
}

extension Schema: JSONEncodable {
    package static var schema: Schema { .anyObject }

    package func write(to writer: inout JSONWriter) { writer.object { write(to: &$0) } }

    private func write(to object: inout JSONObject) {
        switch self {
        case .boolean: object.field("type", "boolean")
        case .integer(let range):
            object.field("type", "integer")
            object.field("minimum", range.lowerBound)
            object.field("maximum", range.upperBound)
        case .number: object.field("type", "number")
        case .string(let text):
            object.field("type", "string")
            if let length = text.length {
                object.field("minLength", length.lowerBound)
                object.field("maxLength", length.upperBound)
            }
            object.optional("enum", text.choices)
            object.optional("pattern", text.pattern)
        case .array(let element, let count):
            object.field("type", "array")
            object.field("items", element)
            if count.lowerBound > 0 { object.field("minItems", count.lowerBound) }
            if count.upperBound < Int.max { object.field("maxItems", count.upperBound) }
        case .object(let properties):
            object.field("type", "object")
            object.field("properties", Properties(properties: properties))
            let required = properties.filter(\.isRequired).map(\.name)
            if !required.isEmpty { object.field("required", required) }
        case .anyObject: object.field("type", "object")
        case .map(let element):
            object.field("type", "object")
            object.field("additionalProperties", element)
        }
    }

    private struct Properties: JSONOutput {
        static let example = Properties(properties: [])
        let properties: [Property]
        func write(to object: inout JSONObject) {
            for property in properties { object.field(property.name, property.schema) }
        }
    }
}
