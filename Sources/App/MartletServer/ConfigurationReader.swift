import Configuration

/// Reads settings one by one, checks each, and remembers what it was asked for: what nobody asks for is unknown.
struct ConfigurationReader {
    private let sources: ConfigurationSources
    private(set) var entries: [ConfigurationEntry] = []

    init(_ sources: ConfigurationSources) { self.sources = sources }

    // MARK: Values

    mutating func optionalText(_ key: String, isSecret: Bool = false) async throws(OperatorFailure) -> String? {
        let value = try await fetch(key, "text") { [reader = sources.reader] in
            try await reader.fetchString(forKey: ConfigKey(key), isSecret: isSecret)
        }
        note(key, value.map { .text($0) } ?? .none, isSecret: isSecret)
        return value
    }

    /// As above, secret where the value itself makes it so.
    mutating func optionalText(
        _ key: String, isSecret: (String) -> Bool
    ) async throws(OperatorFailure) -> String? {
        let value = try await fetch(key, "text") { [reader = sources.reader] in
            try await reader.fetchString(forKey: ConfigKey(key), isSecret: true)
        }
        note(key, value.map { .text($0) } ?? .none, isSecret: value.map(isSecret) ?? false)
        return value
    }

    mutating func text(_ key: String, default standard: String) async throws(OperatorFailure) -> String {
        let value = try await fetch(key, "text") { [reader = sources.reader] in
            try await reader.fetchString(forKey: ConfigKey(key))
        }
        note(key, .text(value ?? standard))
        return value ?? standard
    }

    mutating func choice<Choice: RawRepresentable>(
        _ key: String, _ choices: [Choice], default standard: Choice
    ) async throws(OperatorFailure) -> Choice where Choice.RawValue == String {
        let text = try await text(key, default: standard.rawValue)
        guard let value = choices.first(where: { $0.rawValue == text }) else {
            throw Self.wrong(key, "one of \(choices.map(\.rawValue).joined(separator: ", ")) is expected")
        }
        return value
    }

    mutating func integer(
        _ key: String, _ range: ClosedRange<Int>, default standard: Int
    ) async throws(OperatorFailure) -> Int {
        let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
        let value = try await fetch(key, expected) { [reader = sources.reader] in
            try await reader.fetchInt(forKey: ConfigKey(key))
        }
        guard range.contains(value ?? standard) else { throw Self.wrong(key, "\(expected) is expected") }
        note(key, .integer(value ?? standard))
        return value ?? standard
    }

    mutating func seconds(
        _ key: String, _ range: ClosedRange<Int>, default standard: Duration
    ) async throws(OperatorFailure) -> Duration {
        .seconds(try await integer(key, range, default: Int(standard.components.seconds)))
    }

    mutating func number(
        _ key: String, _ range: ClosedRange<Double>, default standard: Double
    ) async throws(OperatorFailure) -> Double {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        let value = try await fetch(key, expected) { [reader = sources.reader] in
            try await reader.fetchDouble(forKey: ConfigKey(key))
        }
        guard range.contains(value ?? standard) else { throw Self.wrong(key, "\(expected) is expected") }
        note(key, .number(value ?? standard))
        return value ?? standard
    }

    mutating func flag(_ key: String, default standard: Bool) async throws(OperatorFailure) -> Bool {
        let value = try await fetch(key, "true or false") { [reader = sources.reader] in
            try await reader.fetchBool(forKey: ConfigKey(key))
        }
        note(key, .flag(value ?? standard))
        return value ?? standard
    }

    /// Each item as `parse` reads it; `expected` says what that is. A file may have a single item without a list around it.
    mutating func list<Item: Sendable>(
        _ key: String, default standard: [String], _ expected: String, isSecret: Bool = false,
        _ parse: (String) -> Item?
    ) async throws(OperatorFailure) -> [Item] {
        let value = try await fetch(key, "a list of \(expected)") { [reader = sources.reader] in
            do {
                return try await reader.fetchStringArray(forKey: ConfigKey(key), isSecret: isSecret)
            } catch {
                return try await reader.fetchString(forKey: ConfigKey(key), isSecret: isSecret).map { [$0] }
            }
        }
        let texts = (value ?? standard).filter { !$0.isEmpty }
        note(key, isSecret && texts.isEmpty ? .none : .list(texts), isSecret: isSecret)
        var items: [Item] = []
        for (index, text) in texts.enumerated() {
            guard let item = parse(text) else {
                throw Self.wrong(key, "\(isSecret ? "item \(index + 1)" : text) is not \(expected)")
            }
            items.append(item)
        }
        return items
    }

    private func fetch<Value: Sendable>(
        _ key: String, _ expected: String, _ read: () async throws -> Value?
    ) async throws(OperatorFailure) -> Value? {
        do {
            return try await read()
        } catch {
            throw Self.wrong(key, "\(expected) is expected")
        }
    }

    private mutating func note(_ key: String, _ value: ConfigurationEntry.Value, isSecret: Bool = false) {
        entries.append(ConfigurationEntry(key: key, value: value, isSecret: isSecret))
    }

    static func wrong(_ key: String, _ message: String) -> OperatorFailure {
        OperatorFailure(.configuration, "\(key) (\(ConfigurationSources.variable(key))): \(message)")
    }

    // MARK: What nobody asked for

    /// Throws for a key of the file that is none. To be called when everything was read.
    func refuseUnknownKeys() throws(OperatorFailure) {
        let known = entries.map(\.key)
        guard let key = sources.fileKeys.first(where: { !known.contains($0) }) else { return }
        let near = known.min { Self.distance($0, key) < Self.distance($1, key) }
        let hint = near.flatMap { Self.distance($0, key) <= 3 ? "; is \($0) meant?" : nil } ?? ""
        throw OperatorFailure(.configuration, "\(key): there is no such key\(hint)")
    }

    /// Variables with our prefix that set nothing. Not refused: other programs may make some, such as a cluster for a service's name.
    var unknownVariables: [String] {
        let known = Set(
            entries.map { ConfigurationSources.variable($0.key) } + [ConfigurationSources.variable("config")])
        return sources.variables.filter { !known.contains($0) }
    }

    /// Letters to change, add or drop to get from one key to the other.
    private static func distance(_ one: String, _ other: String) -> Int {
        let (one, other) = (Array(one.utf8), Array(other.utf8))
        var row = Array(0...other.count)
        for (line, letter) in one.enumerated() {
            var previous = row[0]
            row[0] = line + 1
            for (column, otherLetter) in other.enumerated() {
                let changed = previous + (letter == otherLetter ? 0 : 1)
                previous = row[column + 1]
                row[column + 1] = min(changed, previous + 1, row[column] + 1)
            }
        }
        return row[other.count]
    }
}
