/// Finds what a path leads to. A path without parameters wins over one with.
struct RouteTable<Value: Sendable>: Sendable {
    struct Match {
        /// What answers each method; not empty.
        let methods: [Endpoint.Method: Value]
        let parameters: [(name: String, value: String)]
    }

    private enum Segment: Sendable {
        case text(String)
        case parameter(String)
    }

    private var exact: [[String]: [Endpoint.Method: Value]] = [:]
    private var templates: [(path: String, segments: [Segment], methods: [Endpoint.Method: Value])] = []

    /// `path` may have parameters: `/api/group/{id}`. The last one added for a path and method counts.
    mutating func add(_ method: Endpoint.Method, _ path: String, _ value: Value) {
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.contains(where: { $0.hasPrefix("{") }) else {
            exact[parts, default: [:]][method] = value
            return
        }
        if let index = templates.firstIndex(where: { $0.path == path }) {
            templates[index].methods[method] = value
        } else {
            let segments: [Segment] = parts.map {
                $0.hasPrefix("{") ? .parameter(String($0.dropFirst().dropLast())) : .text($0)
            }
            templates.append((path, segments, [method: value]))
        }
    }

    func find(_ segments: [String]) -> Match? {
        if let methods = exact[segments] { return Match(methods: methods, parameters: []) }
        for template in templates {
            guard let parameters = Self.match(template.segments, segments) else { continue }
            return Match(methods: template.methods, parameters: parameters)
        }
        return nil
    }

    private static func match(_ template: [Segment], _ segments: [String]) -> [(name: String, value: String)]? {
        guard template.count == segments.count else { return nil }
        var parameters: [(name: String, value: String)] = []
        for (part, segment) in zip(template, segments) {
            switch part {
            case .text(let text): guard text == segment else { return nil }
            case .parameter(let name):
                guard !segment.isEmpty else { return nil }
                parameters.append((name, segment))
            }
        }
        return parameters
    }
}
