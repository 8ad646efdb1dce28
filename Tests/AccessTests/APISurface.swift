import MartletWire

/// What `/openapi.json` says of the operations.
struct APISurface: Sendable {
    struct Field: Sendable {
        enum Place: String, Sendable { case path, query, body }

        let name: String
        let place: Place
        let isRequired: Bool
        let schema: JSONValue

        var type: String { schema["type"]?.string ?? "" }
        var choices: [String]? { schema["enum"]?.array?.compactMap(\.string) }
    }

    struct Operation: Sendable {
        let method: String
        let path: String
        let needsLogin: Bool
        let fields: [Field]

        var name: String { "\(method) \(path)" }
        var takesBody: Bool { method == "POST" || method == "PUT" }
    }

    let operations: [Operation]

    func operation(_ name: String) -> Operation? { operations.first { $0.name == name } }

    init(_ document: JSONValue) {
        operations = document["paths"].members.flatMap { path in
            path.value.members.map { method in
                Self.operation(method.key.uppercased(), path.key, method.value)
            }
        }
    }

    private static func operation(_ method: String, _ path: String, _ operation: JSONValue) -> Operation {
        let parameters = operation["parameters"]?.array ?? []
        var fields = parameters.compactMap { parameter -> Field? in
            guard let name = parameter["name"]?.string, let schema = parameter["schema"],
                let place = parameter["in"]?.string.flatMap({ Field.Place(rawValue: $0) })
            else { return nil }
            return Field(
                name: name, place: place, isRequired: parameter["required"]?.bool ?? false, schema: schema)
        }
        let body = operation["requestBody"]?["content"]?["application/json"]?["schema"]
        let required = body?["required"]?.array?.compactMap(\.string) ?? []
        fields += (body?["properties"]).members.map {
            Field(name: $0.key, place: .body, isRequired: required.contains($0.key), schema: $0.value)
        }
        return Operation(
            method: method, path: path, needsLogin: operation["security"] != nil, fields: fields)
    }
}

extension JSONValue? {
    var members: [JSONValue.Member] { self?.members ?? [] }
}

extension JSONValue {
    var members: [JSONValue.Member] { if case .object(let members) = self { members } else { [] } }
}
