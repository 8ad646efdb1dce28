/// What a node does. A role is a list of services.
package enum NodeRole: String, Sendable, CaseIterable {
    /// Sessions.
    case gateway
    /// REST, its documentation and the page.
    case api
    /// What is done from time to time: history that is trimmed, sign-ins that expired.
    case worker

    package static let all = Set(allCases)

    /// Reads `all`, or names with commas between them; nil for anything else.
    static func set(_ names: [String]) -> Set<NodeRole>? {
        if names == ["all"] { return all }
        var roles: Set<NodeRole> = []
        for name in names {
            guard let role = NodeRole(rawValue: name) else { return nil }
            roles.insert(role)
        }
        return roles.isEmpty ? nil : roles
    }
}
