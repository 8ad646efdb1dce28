import Configuration
import Foundation
import Synchronization

/// What the command line says of the configuration; nil where it says nothing.
package struct ConfigurationFlags: Sendable {
    package var config: String?
    package var host: String?
    package var port: Int?
    package var data: String?
    package var database: String?
    package var bus: String?
    package var node: String?
    package var roles: String?
    package var clusterchatPort: String?
    package var clusterchatNumbering: String?
    package var demo = false
    package var noRateLimits = false

    package init() {}

    fileprivate var values: [AbsoluteConfigKey: ConfigValue] {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, text) in [("host", host), ("data", data), ("database", database), ("node", node)] {
            if let text { values[AbsoluteConfigKey([key])] = ConfigValue(.string(text), isSecret: key == "database") }
        }
        let lists = [
            ("bus", bus), ("roles", roles), ("clusterchat.port", clusterchatPort),
            ("clusterchat.numbering", clusterchatNumbering),
        ]
        for (key, text) in lists {
            guard let items = text?.split(separator: ",").map(String.init) else { continue }
            values[AbsoluteConfigKey(key.split(separator: ".").map(String.init))] = ConfigValue(
                .stringArray(items), isSecret: key == "bus")
        }
        if let port { values[AbsoluteConfigKey(["port"])] = ConfigValue(.int(port), isSecret: false) }
        for (key, flag) in [("demo", demo), ("no-rate-limits", noRateLimits)] where flag {
            values[AbsoluteConfigKey([key])] = ConfigValue(.bool(true), isSecret: false)
        }
        return values
    }
}

/// Where settings come from: flags win over the environment, the environment over the file.
struct ConfigurationSources {
    static let prefix = "MARTLET_"

    let reader: ConfigReader
    /// The keys that stand in the file, dotted.
    let fileKeys: [String]
    /// Variables of the environment that begin with our prefix.
    let variables: [String]

    init(_ flags: ConfigurationFlags, environment: [String: String]) async throws(OperatorFailure) {
        // An empty variable is how scripts say "not set".
        let ours = environment.filter { $0.key.hasPrefix(Self.prefix) && !$0.value.isEmpty }
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "flags", values: flags.values),
            EnvironmentVariablesProvider(environmentVariables: ours).prefixKeys(with: ConfigKey(["martlet"])),
        ]
        var keys: [String] = []
        if let path = flags.config ?? ours[Self.variable("config")] {
            let file = try await ConfigurationFile(path: path)
            providers += file.providers
            keys = file.keys
        }
        reader = ConfigReader(providers: providers)
        fileKeys = keys
        variables = ours.keys.sorted()
    }

    /// The variable of a key: `accounts.max-families-per-user` is `MARTLET_ACCOUNTS_MAX_FAMILIES_PER_USER`.
    static func variable(_ key: String) -> String {
        prefix + String(key.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }
}

/// The YAML file.
private struct ConfigurationFile {
    let providers: [any ConfigProvider]
    let keys: [String]

    init(path: String) async throws(OperatorFailure) {
        guard let content = FileManager.default.contents(atPath: path) else {
            throw OperatorFailure(.noInput, "the configuration file \(path) can't be read")
        }
        let lines = String(decoding: content, as: UTF8.self).split(whereSeparator: \.isNewline)
        // A file of comments is an empty configuration, which YAML itself does not call a mapping.
        guard lines.contains(where: { !$0.drop { $0 == " " }.hasPrefix("#") && $0 != "---" }) else {
            providers = []
            keys = []
            return
        }
        let seen = SeenKeys()
        do {
            // The file tells its keys only to whoever decides which of them are secret, so that is what listens.
            let options = YAMLSnapshot.ParsingOptions(
                secretsSpecifier: .dynamic { key, _ in
                    seen.add(key)
                    return key.hasPrefix("secrets.")
                })
            let place = ConfigReader(
                provider: InMemoryProvider(values: ["filePath": ConfigValue(.string(path), isSecret: false)]))
            let file = try await FileProvider<YAMLSnapshot>(parsingOptions: options, config: place)
            keys = Self.withoutEmptySections(seen.all, in: file)
            providers = [file]
        } catch {
            throw OperatorFailure(.configuration, "the configuration file \(path) is not a mapping in YAML: \(error)")
        }
    }

    /// `gateway:` with nothing, or only comments, below it sets nothing.
    private static func withoutEmptySections(_ keys: [String], in file: FileProvider<YAMLSnapshot>) -> [String] {
        keys.filter { key in
            let isSection = [
                "accounts", "messages", "rooms", "gateway", "api", "gowebsocket", "clusterchat", "log", "secrets",
            ].contains(key)
            let value = try? file.value(forKey: AbsoluteConfigKey([key]), type: .string).value?.content
            return !(isSection && (value == .string("") || value == .string("~") || value == .string("null")))
        }
    }
}

/// Keys noted while the file is read.
private final class SeenKeys: Sendable {
    private let keys = Mutex<[String]>([])

    func add(_ key: String) { keys.withLock { $0.append(key) } }

    var all: [String] { keys.withLock { $0.sorted() } }
}
