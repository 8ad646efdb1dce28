import EndToEndSupport
import MartletWire

/// A request that is wrong in one way, and what it must come to.
struct BadRequest: Sendable {
    enum Expected: Sendable {
        /// 400 that names the field.
        case field(String, reason: String?)
        /// 400, with this reason where one is given.
        case bad(String?)
        case tooLarge
        /// Anything but a failure of the server's own.
        case notOurs
    }

    let name: String
    let bytes: [UInt8]
    let expected: Expected
}

/// Makes the wrong requests of an operation from its description.
struct BadRequests {
    let operation: APISurface.Operation
    let token: String?
    let samples: Samples

    private typealias Field = APISurface.Field

    var all: [BadRequest] {
        var requests = fields(.path).flatMap(inPath) + fields(.query).flatMap(inQuery) + targets
        if operation.takesBody {
            requests += fields(.body).flatMap(inBody) + bodies
        } else if operation.method == "DELETE" {
            requests += fields(.query).flatMap(inBody) + bodies
        }
        return requests
    }

    private func fields(_ place: Field.Place) -> [Field] { operation.fields.filter { $0.place == place } }

    // MARK: Right requests

    /// The members of a body that is right: what is required, what has to be there, and `name`.
    private func members(with name: String? = nil) -> [(name: String, json: [UInt8])] {
        operation.fields.filter { $0.place != .path }
            .filter { $0.isRequired || $0.name == name || samples.isNeeded($0.name, in: operation, beside: name) }
            .map { ($0.name, Array(samples.json($0, in: operation).utf8)) }
    }

    private func target(_ query: [(name: String, value: String)] = [], path: String? = nil) -> String {
        let id = path ?? samples.text("id", in: operation)
        let text = query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        return operation.path.replacing("{id}", with: id) + (text.isEmpty ? "" : "?\(text)")
    }

    private var query: [(name: String, value: String)] {
        fields(.query).filter(\.isRequired).map { ($0.name, samples.text($0.name, in: operation)) }
    }

    private static func object(_ members: [(name: String, json: [UInt8])]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, member) in members.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += Array("\"\(member.name)\":".utf8) + member.json
        }
        return bytes + [UInt8(ascii: "}")]
    }

    private func body(
        _ name: String, _ bytes: [UInt8]?, _ expected: BadRequest.Expected, type: String? = "application/json"
    ) -> BadRequest {
        BadRequest(
            name: name,
            bytes: KeptConnection.request(operation.method, target(), token: token, type: type, body: bytes),
            expected: expected)
    }

    private func at(_ name: String, _ target: String, _ expected: BadRequest.Expected) -> BadRequest {
        BadRequest(
            name: name, bytes: KeptConnection.request(operation.method, target, token: token), expected: expected)
    }

    // MARK: Wrong fields

    private func inBody(_ field: Field) -> [BadRequest] {
        var requests: [BadRequest] = []
        func change(
            _ name: String, _ expected: BadRequest.Expected,
            _ change: (inout [(name: String, json: [UInt8])], Int) -> Void
        ) {
            var members = members(with: field.name)
            guard let index = members.firstIndex(where: { $0.name == field.name }) else { return }
            change(&members, index)
            requests.append(body("\(field.name): \(name)", Self.object(members), expected))
        }
        for bad in BadValues.of(field.schema) {
            let expected: BadRequest.Expected =
                switch bad.reason {
                case "invalid_field": .field(field.name, reason: nil)
                default: .bad(bad.reason)
                }
            change(bad.name, expected) { $0[$1].json = bad.json }
        }
        let missing: BadRequest.Expected = field.isRequired ? .field(field.name, reason: "missing_field") : .notOurs
        change("missing", missing) { members, index in _ = members.remove(at: index) }
        change("null", missing) { $0[$1].json = Array("null".utf8) }
        change("twice", .field(field.name, reason: "repeated_key")) { $0.append($0[$1]) }
        change("twice, once escaped", .field(field.name, reason: "repeated_key")) { members, index in
            let scalar = field.name.unicodeScalars.first.map { String($0.value, radix: 16) } ?? ""
            members.append(("\\u00\(scalar)\(field.name.dropFirst())", members[index].json))
        }
        if let unknown = samples.unknown(field.name) {
            change("unknown", .notOurs) { $0[$1].json = Array(unknown.utf8) }
        }
        return requests.filter { if case .notOurs = $0.expected { !samples.endsSignIn(operation) } else { true } }
    }

    private func inQuery(_ field: Field) -> [BadRequest] {
        let rest = query.filter { $0.name != field.name }
        var requests = BadValues.inQuery(field.schema).map { bad in
            at(
                "\(field.name): \(bad.name)", target(rest + [(field.name, String(decoding: bad.json, as: UTF8.self))]),
                .bad(nil))
        }
        let value = samples.text(field.name, in: operation)
        requests.append(
            at(
                "\(field.name): twice", target(rest + [(field.name, value), (field.name, value)]),
                .field(field.name, reason: "repeated_key")))
        let missing: BadRequest.Expected = field.isRequired ? .field(field.name, reason: "missing_field") : .notOurs
        requests.append(at("\(field.name): missing", target(rest), missing))
        if let unknown = samples.unknown(field.name) {
            requests.append(at("\(field.name): unknown", target(rest + [(field.name, unknown)]), .notOurs))
        }
        return requests
    }

    private func inPath(_ field: Field) -> [BadRequest] {
        var texts = ["x", "1.5", "-1", "0", "%20", "1%2F2", "%zz", "%", "%ff", "%00", "\(BadValues.beyond)"]
        texts += [String(repeating: "9", count: 1000), "1;2", "%D9%A1", "null"]
        return texts.map { at("\(field.name): \($0.prefix(20))", target(query, path: $0), .bad(nil)) }
            + [at("\(field.name): unknown", target(query, path: "999999999"), .notOurs)]
    }

    // MARK: Wrong requests

    private var bodies: [BadRequest] {
        let whole = Self.object(members())
        let missing: BadRequest.Expected = members().isEmpty ? .notOurs : .bad("missing_field")
        let unknown = Self.object(members() + [("noSuchField", Array("[1]".utf8))])
        let deep = Self.object(members() + [("noSuchField", Array(BadValues.deep.utf8))])
        let big = UInt8(ascii: " ")
        let requests = [
            body("a list", Array("[]".utf8), .bad("malformed_json")),
            body("a text", Array("\"{}\"".utf8), .bad("malformed_json")),
            body("a number", Array("1".utf8), .bad("malformed_json")),
            body("null", Array("null".utf8), .bad("malformed_json")),
            body("white space", Array(" \n".utf8), .bad("malformed_json")),
            body("cut short", Array(whole.dropLast()), .bad("malformed_json")),
            body("something behind it", whole + Array("{}".utf8), .bad("malformed_json")),
            body("a byte order mark", [0xEF, 0xBB, 0xBF] + whole, .bad("malformed_json")),
            body("UTF-16", whole.flatMap { [0, $0] }, .bad("malformed_json")),
            body("a list for ever", Array(String(repeating: "[", count: 60_000).utf8), .bad(nil)),
            body("deep in what nobody reads", deep, .bad("too_deep")),
            body("plain text", whole, .bad("malformed_json"), type: "text/plain"),
            body("a form", Array("a=1".utf8), .bad("malformed_json"), type: "application/x-www-form-urlencoded"),
            body("no type", whole, .bad("malformed_json"), type: nil),
            body("another charset", whole, .bad("malformed_json"), type: "application/json; charset=utf-16"),
            body("nothing", nil, missing), body("an empty object", Array("{}".utf8), missing),
            body("a field that nobody knows", unknown, .notOurs),
            body("64 KB and one byte", whole + Array(repeating: big, count: 65_537 - whole.count), .tooLarge),
            body("a megabyte", Array(repeating: big, count: 1 << 20), .tooLarge),
        ]
        // A `DELETE` without a body has its fields in the query.
        return requests.filter { if case .notOurs = $0.expected { !samples.endsSignIn(operation) } else { true } }
    }

    private var targets: [BadRequest] {
        [
            at("a slash behind", target(query).replacing("?", with: "/?") + (query.isEmpty ? "/" : ""), .notOurs),
            at("a query of nonsense", target(query) + (query.isEmpty ? "?" : "&") + "=&&=%41&a=b=c", .notOurs),
            at("a bad name in the query", target(query) + (query.isEmpty ? "?" : "&") + "%zz=1", .bad("invalid_field")),
            at(
                "a thousand parameters",
                target(query) + (query.isEmpty ? "?" : "&") + (0..<1000).map { "a\($0)=1" }.joined(separator: "&"),
                .bad("invalid_field")),
        ].filter { request in
            if case .notOurs = request.expected { operation.method == "GET" } else { true }
        }
    }
}

/// Values that are right, for the fields that schemas say too little of.
struct Samples: Sendable {
    let group: Int64
    let other: Int64

    func json(_ field: APISurface.Field, in operation: APISurface.Operation) -> String {
        switch field.name {
        case "conversationId": return "\"g:\(group)\""
        case "clientId": return "\"\(randomClientID())\""
        case "content": return #"{"text":"hello"}"#
        case "type": return "\"text\""
        case "userIds", "members": return "[\(other)]"
        default: break
        }
        if field.type == "integer" { return text(field.name, in: operation) }
        if let choice = field.choices?.first { return "\"\(choice)\"" }
        switch field.type {
        case "boolean": return "false"
        case "array": return "[]"
        case "object": return "{}"
        default: return "\"\(text(field.name, in: operation))\""
        }
    }

    /// As it stands in a query or path, which needs no escapes.
    func text(_ name: String, in operation: APISurface.Operation) -> String {
        switch name {
        case "conversationId": "g:\(group)"
        // Nothing must happen to the group that everything else is tried on.
        case "id", "groupId":
            operation.method == "DELETE" || operation.path.hasSuffix("/leave") ? "999999999" : "\(group)"
        case "userId", "to": "\(other)"
        case "username": "somebody"
        case "password", "oldPassword", "newPassword": "not this one"
        case "cursor", "limit", "seq", "target", "before", "after", "requestId", "appId": "1"
        case "until": "4102444800000"
        case "email": "somebody@example.org"
        case "phone": "123456789"
        case "avatar": "/a.png"
        default: "x1"
        }
    }

    /// Whether an optional field has to be there for a request to be right.
    func isNeeded(_ name: String, in operation: APISurface.Operation, beside other: String?) -> Bool {
        switch (operation.name, name) {
        case ("POST /api/chat/send", "conversationId"): other != "to"
        case ("POST /api/friend/request", "userId"): other != "username"
        default: false
        }
    }

    /// A well-formed value for which there is nothing.
    func unknown(_ name: String) -> String? {
        switch name {
        case "userId", "to", "groupId", "requestId", "target": "9007199254740991"
        case "userIds", "members": "[9007199254740991]"
        default: nil
        }
    }

    /// Whether the operation, where it succeeds, ends the sign-in that everything else is tried with.
    func endsSignIn(_ operation: APISurface.Operation) -> Bool {
        ["POST /api/auth/logout", "PUT /api/user/password"].contains(operation.name)
    }
}
