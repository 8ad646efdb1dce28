import MartletCore
import MartletWire

/// The API's OpenAPI document, to hold requests and answers against.
package struct APIDocument {
    package let json: JSONValue
    private let check: SchemaCheck

    package init(parsing bytes: [UInt8]) throws(Fault) {
        // Schemas of answers lie deep.
        json = try JSONValue(parsing: bytes, depth: 64)
        check = SchemaCheck(document: json)
    }

    /// Methods with the templates of their paths: `GET /api/group/{id}`.
    package var operations: [String] {
        members(json["paths"]).flatMap { path in members(path.value).map { "\($0.key.uppercased()) \(path.key)" } }
    }

    /// The operation for a method and a path, which may be a template or one that fits it.
    package func operation(_ method: String, _ path: String) -> JSONValue? {
        let plain = String(path.prefix { $0 != "?" })
        if let exact = json["paths"]?[plain]?[method.lowercased()] { return exact }
        let parts = plain.split(separator: "/")
        return members(json["paths"]).first { template in
            let names = template.key.split(separator: "/")
            return names.count == parts.count
                && zip(names, parts).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
                && template.value[method.lowercased()] != nil
        }?.value[method.lowercased()]
    }

    /// What is wrong with an answer: undocumented, or not of the documented shape.
    package func problems(answer: JSONValue, _ method: String, _ path: String, status: Int) -> [String] {
        guard let operation = operation(method, path) else { return ["\(method) \(path): not documented"] }
        guard let response = operation["responses"]?[String(status)].flatMap(check.resolve),
            let schema = response["content"]?["application/json"]?["schema"]
        else { return ["\(method) \(path): status \(status) is not documented"] }
        return check.problems(answer, schema)
    }

    /// What is wrong with a request's body.
    package func problems(body: JSONValue, _ method: String, _ path: String) -> [String] {
        guard let schema = operation(method, path)?["requestBody"]?["content"]?["application/json"]?["schema"] else {
            return ["\(method) \(path): takes no body"]
        }
        return check.problems(body, schema)
    }

    private func members(_ value: JSONValue?) -> [JSONValue.Member] {
        guard case .object(let members) = value else { return [] }
        return members
    }
}
