import MartletWire

/// Holds JSON values against JSON Schemas, as far as the API's document uses them: `type`, `const`, `enum`, `properties`, `required`,
/// `additionalProperties`, `items`, bounds, `pattern` and local `$ref`. An object with `properties` may have no others: what is answered is
/// documented.
package struct SchemaCheck {
    /// Where `$ref` points into.
    let document: JSONValue

    package init(document: JSONValue) { self.document = document }

    /// What is wrong with a value, each with its place; empty where it fits.
    package func problems(_ value: JSONValue, _ schema: JSONValue, at place: String = "$") -> [String] {
        guard let schema = resolve(schema) else { return ["\(place): the schema is not there"] }
        var problems: [String] = []
        if let type = schema["type"]?.string, !Self.isOf(type, value) { return ["\(place): not of type \(type)"] }
        if let constant = schema["const"], !Self.isEqual(constant, value) {
            problems.append("\(place): not the constant")
        }
        if let choices = schema["enum"]?.array, !choices.contains(where: { Self.isEqual($0, value) }) {
            problems.append("\(place): none of the choices")
        }
        switch value {
        case .string(let text): problems += text.problems(schema).map { "\(place): \($0)" }
        case .integer(let number): problems += Self.bounds(number, schema).map { "\(place): \($0)" }
        case .array(let items): problems += self.problems(items, schema, at: place)
        case .object(let members): problems += self.problems(members, schema, at: place)
        case .null, .bool, .number: break
        }
        return problems
    }

    /// Follows `$ref` within the document.
    func resolve(_ schema: JSONValue) -> JSONValue? {
        guard let reference = schema["$ref"]?.string else { return schema }
        guard reference.hasPrefix("#/") else { return nil }
        var target: JSONValue? = document
        for name in reference.dropFirst(2).split(separator: "/") { target = target?[String(name)] }
        return target
    }

    private func problems(_ items: [JSONValue], _ schema: JSONValue, at place: String) -> [String] {
        var problems: [String] = []
        if let least = schema["minItems"]?.integer, items.count < least { problems.append("\(place): too few items") }
        if let most = schema["maxItems"]?.integer, items.count > most { problems.append("\(place): too many items") }
        guard let element = schema["items"] else { return problems }
        for (index, item) in items.enumerated() { problems += self.problems(item, element, at: "\(place)[\(index)]") }
        return problems
    }

    private func problems(_ members: [JSONValue.Member], _ schema: JSONValue, at place: String) -> [String] {
        var problems: [String] = []
        for name in (schema["required"]?.array ?? []).compactMap(\.string)
        where !members.contains(where: { $0.key == name }) {
            problems.append("\(place).\(name): missing")
        }
        for member in members {
            let inside = "\(place).\(member.key)"
            if let property = schema["properties"]?[member.key] {
                problems += self.problems(member.value, property, at: inside)
            } else if let other = schema["additionalProperties"] {
                problems += self.problems(member.value, other, at: inside)
            } else if schema["properties"] != nil {
                problems.append("\(inside): not documented")
            }
        }
        return problems
    }

    private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("null", .null),
            ("integer", .integer), ("number", .integer), ("number", .number):
            true
        default: false
        }
    }

    /// Equal as JSON, wherever the values stand in their texts.
    private static func isEqual(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.object(let one), .object(let other)):
            one.count == other.count
                && one.allSatisfy { member in
                    other.contains { $0.key == member.key && isEqual($0.value, member.value) }
                }
        case (.array(let one), .array(let other)):
            one.count == other.count && zip(one, other).allSatisfy { isEqual($0, $1) }
        default: one == other
        }
    }

    private static func bounds(_ number: Int64, _ schema: JSONValue) -> [String] {
        var problems: [String] = []
        if let least = schema["minimum"]?.integer, number < least { problems.append("below \(least)") }
        if let most = schema["maximum"]?.integer, number > most { problems.append("above \(most)") }
        return problems
    }
}

extension String {
    fileprivate func problems(_ schema: JSONValue) -> [String] {
        var problems: [String] = []
        let count = unicodeScalars.count
        if let least = schema["minLength"]?.integer, count < least { problems.append("shorter than \(least)") }
        if let most = schema["maxLength"]?.integer, count > most { problems.append("longer than \(most)") }
        if let pattern = schema["pattern"]?.string {
            guard let regex = try? Regex(pattern) else { return problems + ["the pattern is none"] }
            if firstMatch(of: regex) == nil { problems.append("not as the pattern") }
        }
        return problems
    }
}
