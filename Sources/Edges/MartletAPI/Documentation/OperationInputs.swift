import MartletCore
import MartletWire

/// An endpoint's fields, by where they come from.
struct OperationInputs {
    let path: [Schema.Property]
    let query: [Schema.Property]
    /// Nil where there is no body.
    let body: [Schema.Property]?

    init(_ endpoint: Endpoint) {
        let names = endpoint.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { $0.dropFirst().dropLast() }
        let properties = endpoint.input.properties
        path = properties.filter { names.contains($0.name[...]) }
        let rest = properties.filter { !names.contains($0.name[...]) }
        let isQuery = endpoint.method == .get || endpoint.method == .delete
        query = isQuery ? rest : []
        body = isQuery || rest.isEmpty ? nil : rest
    }
}

extension Endpoint {
    /// Unique and stable: `getGroupByIdMembers`.
    var operationId: String {
        let words = path.split(separator: "/").dropFirst().map { segment in
            let isParameter = segment.hasPrefix("{")
            let name = isParameter ? segment.dropFirst().dropLast() : segment
            return (isParameter ? "By" : "") + name.prefix(1).uppercased() + name.dropFirst()
        }
        return method.rawValue + words.joined()
    }
}

extension Fault.Code {
    /// The name of the answer among the document's components.
    var componentName: String {
        switch self {
        case .badRequest: "BadRequest"
        case .unauthenticated: "Unauthenticated"
        case .forbidden: "Forbidden"
        case .notFound: "NotFound"
        case .methodNotAllowed: "MethodNotAllowed"
        case .conflict: "Conflict"
        case .tooLarge: "TooLarge"
        case .tooMany: "TooMany"
        case .internalError: "Internal"
        case .unavailable: "Unavailable"
        }
    }

    var meaning: String {
        switch self {
        case .badRequest: "bad parameters"
        case .unauthenticated: "not signed in"
        case .forbidden: "not allowed"
        case .notFound: "not there"
        case .methodNotAllowed: "this path takes other methods"
        case .conflict: "conflict"
        case .tooLarge: "too large"
        case .tooMany: "too many requests"
        case .internalError: "our fault"
        case .unavailable: "try again"
        }
    }
}
