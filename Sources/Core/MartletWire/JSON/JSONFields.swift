import MartletCore

/// A request's input: read field by field in an initialiser, each with its bounds. The same initialiser, run over a
/// recorder, gives the schema that the documentation shows, so the two cannot part. Initialisers must therefore read
/// every field whatever the values are.
package protocol JSONInput: Sendable {
    init(_ fields: borrowing JSONFields) throws(Fault)
}

extension JSONInput {
    /// The shape of the input, recorded by running the initialiser.
    package static var schema: Schema {
        let recorder = JSONFields.Recorder()
        _ = try? Self(JSONFields(.recorder(recorder)))
        return .object(recorder.properties)
    }
}

/// No input at all.
package struct EmptyInput: JSONInput {
    package init() {}
    package init(_ fields: borrowing JSONFields) throws(Fault) {}
}

/// The fields of a request, from a JSON object or from a query. Every accessor throws `missing_field` or
/// `invalid_field` with the field's name.
package struct JSONFields {
    package enum Source {
        case object([JSONValue.Member], bytes: [UInt8])
        /// Values of a query or path are text; numbers and flags are read from it.
        case query([(name: String, value: String)])
        case recorder(Recorder)
    }

    /// Notes what an initialiser asks for.
    package final class Recorder {
        fileprivate(set) var properties: [Schema.Property] = []
        package init() {}
    }

    private let source: Source
    /// Values that stand in the request's path; they are fields like the others, and may not be given twice.
    private let parameters: [(name: String, value: String)]

    package init(_ source: Source, path parameters: [(name: String, value: String)] = []) {
        self.source = source
        self.parameters = parameters
    }

    /// Reads a request's body or a command's data, which must be an object.
    package init(parsing bytes: [UInt8], path parameters: [(name: String, value: String)] = []) throws(Fault) {
        guard case .object(let members) = try JSONValue(parsing: bytes) else {
            throw Fault(.malformedJSON, "a JSON object is expected")
        }
        self.init(.object(members, bytes: bytes), path: parameters)
    }

    private func find(_ name: String, _ schema: Schema, isRequired: Bool) throws(Fault) -> JSONValue? {
        if let value = try findInPath(name, schema) { return value }
        switch source {
        case .recorder(let recorder):
            recorder.properties.append(.init(name: name, schema: schema, isRequired: isRequired))
            return nil
        case .object(let members, _):
            let value = members.first { $0.key == name }?.value
            if let value, value != .null { return value }
        case .query(let items):
            let values = items.filter { $0.name == name }
            guard values.count < 2 else { throw Fault(.repeatedKey, "\(name) is given twice", field: name) }
            if let value = values.first?.value { return .string(value) }
        }
        if isRequired { throw .missing(name) }
        return nil
    }

    private func findInPath(_ name: String, _ schema: Schema) throws(Fault) -> JSONValue? {
        guard let value = parameters.first(where: { $0.name == name })?.value else { return nil }
        let isRepeated =
            switch source {
            case .object(let members, _): members.contains { $0.key == name }
            case .query(let items): items.contains { $0.name == name }
            case .recorder: false
            }
        if isRepeated { throw Fault(.repeatedKey, "\(name) is given twice", field: name) }
        if case .integer = schema, let number = Int64(value) { return .integer(number) }
        return .string(value)
    }

    private var isText: Bool { if case .query = source { true } else { false } }

    // MARK: Text

    /// Text of `length` characters (Unicode scalars). Control characters are refused, but for line breaks and tabs
    /// where `lines` is true.
    package func optionalText(_ name: String, _ length: ClosedRange<Int>, lines: Bool = false) throws(Fault) -> String?
    {
        try text(name, length, lines: lines, isRequired: false)
    }

    package func text(_ name: String, _ length: ClosedRange<Int>, lines: Bool = false) throws(Fault) -> String {
        try text(name, length, lines: lines, isRequired: true) ?? ""
    }

    private func text(_ name: String, _ length: ClosedRange<Int>, lines: Bool, isRequired: Bool) throws(Fault)
        -> String?
    {
        guard let value = try find(name, .string(.init(length: length)), isRequired: isRequired) else { return nil }
        guard case .string(let text) = value else { throw .invalid(name, "text is expected") }
        // Bytes first: counting characters of a text that is far too long would be work for nothing.
        guard text.utf8.count <= length.upperBound * 4, length.contains(text.unicodeScalars.count) else {
            throw .invalid(name, "\(length.lowerBound) to \(length.upperBound) characters are expected")
        }
        for byte in text.utf8 where byte < 0x20 || byte == 0x7F {
            guard lines, byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                throw .invalid(name, "control characters are not allowed")
            }
        }
        return text
    }

    /// One of an enumeration's values.
    package func optionalChoice<Value: RawRepresentable & CaseIterable>(_ name: String, of type: Value.Type)
        throws(Fault) -> Value?
    where Value.RawValue == String {
        try choice(name, Array(Value.allCases), isRequired: false)
    }

    package func choice<Value: RawRepresentable & CaseIterable>(_ name: String, among allowed: [Value]) throws(Fault)
        -> Value
    where Value.RawValue == String {
        guard let value = try choice(name, allowed, isRequired: true) else { return allowed[0] }
        return value
    }

    private func choice<Value: RawRepresentable>(_ name: String, _ allowed: [Value], isRequired: Bool) throws(Fault)
        -> Value?
    where Value.RawValue == String {
        let names = allowed.map(\.rawValue)
        guard let value = try find(name, .string(.init(choices: names)), isRequired: isRequired) else { return nil }
        guard case .string(let text) = value, names.contains(text), let result = Value(rawValue: text) else {
            throw .invalid(name, "one of \(names.joined(separator: ", ")) is expected")
        }
        return result
    }

    // MARK: Numbers and flags

    package func optionalInteger(_ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64? {
        try integer(name, range, isRequired: false)
    }

    package func integer(_ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64 {
        try integer(name, range, isRequired: true) ?? range.lowerBound
    }

    private func integer(_ name: String, _ range: ClosedRange<Int64>, isRequired: Bool) throws(Fault) -> Int64? {
        guard let value = try find(name, .integer(range), isRequired: isRequired) else { return nil }
        let number: Int64? =
            switch value {
            case .integer(let integer): integer
            case .string(let text) where isText: Int64(text)
            default: nil
            }
        guard let number, range.contains(number) else {
            throw .invalid(name, "an integer from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    package func optionalFlag(_ name: String) throws(Fault) -> Bool? {
        guard let value = try find(name, .boolean, isRequired: false) else { return nil }
        switch value {
        case .bool(let flag): return flag
        case .string("true") where isText: return true
        case .string("false") where isText: return false
        default: throw .invalid(name, "true or false is expected")
        }
    }

    /// How many items a list's page may have.
    package func limit(_ range: ClosedRange<Int> = Limits.pageSize, default standard: Int = Limits.defaultPageSize)
        throws(Fault) -> Int
    {
        Int(try optionalInteger("limit", Int64(range.lowerBound)...Int64(range.upperBound)) ?? Int64(standard))
    }

    /// Where a list's page begins: what the page before said as `nextCursor`.
    package func cursor() throws(Fault) -> String? { try optionalText("cursor", 1...128) }

    // MARK: Identifiers

    package func optionalUser(_ name: String) throws(Fault) -> UserID? {
        try optionalInteger(name, 1...maximumIdentifier).map { UserID(unchecked: $0) }
    }

    package func user(_ name: String) throws(Fault) -> UserID {
        UserID(unchecked: try integer(name, 1...maximumIdentifier))
    }

    package func group(_ name: String) throws(Fault) -> GroupID {
        GroupID(unchecked: try integer(name, 1...maximumIdentifier))
    }

    package func seq(_ name: String) throws(Fault) -> Int64 { try integer(name, 1...maximumIdentifier) }

    package func optionalSeq(_ name: String) throws(Fault) -> Int64? {
        try optionalInteger(name, 1...maximumIdentifier)
    }

    package func optionalUsers(_ name: String, _ count: ClosedRange<Int>) throws(Fault) -> [UserID]? {
        try users(name, count, isRequired: false)
    }

    package func users(_ name: String, _ count: ClosedRange<Int>) throws(Fault) -> [UserID] {
        try users(name, count, isRequired: true) ?? []
    }

    /// Different users, in the order given.
    private func users(_ name: String, _ count: ClosedRange<Int>, isRequired: Bool) throws(Fault) -> [UserID]? {
        let schema = Schema.array(.integer(1...maximumIdentifier), count)
        guard let value = try find(name, schema, isRequired: isRequired) else { return nil }
        guard case .array(let items) = value, count.contains(items.count) else {
            throw .invalid(name, "a list of \(count.lowerBound) to \(count.upperBound) user ids is expected")
        }
        var seen: Set<UserID> = []
        var users: [UserID] = []
        for item in items {
            guard case .integer(let number) = item, let user = UserID(number) else {
                throw .invalid(name, "user ids are expected")
            }
            if seen.insert(user).inserted { users.append(user) }
        }
        return users
    }

    package func optionalConversation(_ name: String) throws(Fault) -> ConversationID? {
        try conversation(name, isRequired: false)
    }

    package func conversation(_ name: String) throws(Fault) -> ConversationID {
        try conversation(name, isRequired: true) ?? .inbox(.system)
    }

    private func conversation(_ name: String, isRequired: Bool) throws(Fault) -> ConversationID? {
        guard let value = try find(name, .conversation, isRequired: isRequired) else { return nil }
        guard case .string(let text) = value, let id = ConversationID(text) else {
            throw .invalid(name, "not a conversation's name")
        }
        return id
    }

    // MARK: Bodies

    /// A client's name for one send: printable ASCII.
    package func optionalClientId(_ name: String = "clientId") throws(Fault) -> String? {
        let schema = Schema.string(.init(length: Limits.clientIdBytes, pattern: "^[ -~]+$"))
        guard let value = try find(name, schema, isRequired: false) else { return nil }
        guard case .string(let text) = value, Limits.clientIdBytes.contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
        else { throw .invalid(name, "1 to 64 printable ASCII characters are expected") }
        return text
    }

    package func clientId() throws(Fault) -> String {
        if let id = try optionalClientId() { return id }
        if case .recorder(let recorder) = source {
            let optional = recorder.properties.removeLast()
            recorder.properties.append(.init(name: optional.name, schema: optional.schema, isRequired: true))
            return "x"
        }
        throw .missing("clientId")
    }

    /// An object that is kept as the bytes that came in.
    package func object(_ name: String) throws(Fault) -> [UInt8] {
        guard let value = try find(name, .anyObject, isRequired: true) else { return Array("{}".utf8) }
        guard case .object = value, case .object(let members, let bytes) = source,
            let member = members.first(where: { $0.key == name })
        else { throw .invalid(name, "an object is expected") }
        return Array(bytes[member.range])
    }

    /// Sequence numbers by conversation, at most `count`.
    package func cursors(_ name: String, _ count: Int) throws(Fault) -> [(ConversationID, Int64)]? {
        guard let value = try find(name, .map(.integer(0...maximumIdentifier)), isRequired: false) else { return nil }
        guard case .object(let members) = value else { throw .invalid(name, "an object is expected") }
        guard members.count <= count else { throw .invalid(name, "at most \(count) conversations are expected") }
        var cursors: [(ConversationID, Int64)] = []
        for member in members {
            guard let id = ConversationID(member.key) else { throw .invalid(name, "not a conversation's name") }
            guard case .integer(let seq) = member.value, seq >= 0 else {
                throw .invalid(name, "sequence numbers are expected")
            }
            cursors.append((id, seq))
        }
        return cursors
    }
}
