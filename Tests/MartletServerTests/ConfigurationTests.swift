import Foundation
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletServer
import Testing

@Suite struct ConfigurationTests {
    private func load(
        _ flags: ConfigurationFlags = ConfigurationFlags(), _ environment: [String: String] = [:], file: String? = nil
    ) async throws -> ServerConfiguration {
        var flags = flags
        let folder = try Folder()
        if let file { flags.config = try folder.write("martlet.yaml", file) }
        return try await ServerConfiguration.load(flags, environment: environment)
    }

    private func refusal(
        _ flags: ConfigurationFlags = ConfigurationFlags(), _ environment: [String: String] = [:], file: String? = nil
    ) async -> OperatorFailure? {
        await #expect(throws: OperatorFailure.self) { try await load(flags, environment, file: file) }
    }

    // MARK: Precedence

    @Test func hasDefaultsThatAreSafe() async throws {
        let configuration = try await load()
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8080)
        #expect(configuration.store == .sqlite("./data/martlet.db"))
        #expect(configuration.isRateLimited)
        #expect(!configuration.isDemo)
        #expect(!configuration.accounts.allowsGuests)
        #expect(configuration.api.corsOrigins.isEmpty)
        #expect(configuration.warnings.isEmpty)
    }

    @Test func prefersFlagsToEnvironmentToFile() async throws {
        let file = "port: 1001\nnode: file\nhost: 127.0.0.9\n"
        let environment = ["MARTLET_PORT": "1002", "MARTLET_NODE": "environment"]
        var flags = ConfigurationFlags()
        flags.port = 1003
        let configuration = try await load(flags, environment, file: file)
        #expect(configuration.port == 1003)
        #expect(configuration.node == "environment")
        #expect(configuration.host == "127.0.0.9")
    }

    @Test func readsNestedKeysFromFileAndEnvironment() async throws {
        let file = """
            # a comment
            accounts:
              registration: closed
              apps: [1, 2]
            gateway:
              heartbeat: 7
              same-device: replace
              proxy-protocol: true
              drain-notice: 5
            api:
              trusted-proxies:
                - 10.0.0.0/8
                - ::1
            log.retention-days: 30
            """
        let environment = [
            "MARTLET_ACCOUNTS_MAX_FAMILIES_PER_USER": "3",
            "MARTLET_API_CORS_ORIGINS": "https://a.example, https://b.example",
        ]
        let configuration = try await load(ConfigurationFlags(), environment, file: file)
        #expect(!configuration.accounts.isOpen)
        #expect(configuration.accounts.apps.map(\.value) == [1, 2])
        #expect(configuration.accounts.maximumFamilies == 3)
        #expect(configuration.gateway.heartbeat == .seconds(7))
        #expect(configuration.gateway.sameDevice == .replace)
        #expect(configuration.api.trustedProxies.count == 2)
        #expect(configuration.gateway.trustedProxies == configuration.api.trustedProxies)
        #expect(configuration.gateway.proxyProtocol)
        #expect(configuration.gateway.drainNotice == .seconds(5))
        #expect(configuration.api.corsOrigins == ["https://a.example", "https://b.example"])
        #expect(configuration.retention.days == 30)
    }

    @Test func findsTheFileByTheEnvironment() async throws {
        let folder = try Folder()
        let file = try folder.write("martlet.yaml", "port: 1234")
        let configuration = try await ServerConfiguration.load(
            ConfigurationFlags(), environment: ["MARTLET_CONFIG": file])
        #expect(configuration.port == 1234)
    }

    @Test(arguments: ["", "# nothing\n", "---\n# nothing\n", "gateway:\n", "gateway:\n  # heartbeat: 3\napi:\n"])
    func takesAFileThatSetsNothing(file: String) async throws {
        #expect(try await load(file: file).port == 8080)
    }

    @Test func takesAnEmptyVariableAsNotSet() async throws {
        #expect(try await load(ConfigurationFlags(), ["MARTLET_PORT": ""]).port == 8080)
    }

    @Test func keepsTheRelationOfBurstToRate() async throws {
        let configuration = try await load(file: "gateway.sends-per-second: 100")
        #expect(configuration.gateway.sends.perSecond == 100)
        #expect(configuration.gateway.sends.burst == 300)
    }

    // MARK: Refusals

    @Test(arguments: [
        ("prot: 1", "prot", "port"), ("gateway:\n  heart-beat: 3", "gateway.heart-beat", "gateway.heartbeat"),
        ("gatway:\n  heartbeat: 3", "gatway.heartbeat", "gateway.heartbeat"),
        ("something:\n  else: 1", "something.else", ""),
    ])
    func refusesUnknownKeys(file: String, key: String, hint: String) async {
        let failure = await refusal(file: file)
        #expect(failure?.status == .configuration)
        #expect(failure?.message.hasPrefix("\(key): there is no such key") == true)
        #expect(failure?.message.contains("meant") == !hint.isEmpty)
        #expect(hint.isEmpty || failure?.message.contains(hint) == true)
    }

    @Test(arguments: [
        ("port: eighty", "port"), ("port: 70000", "port"), ("port: -1", "port"), ("port: [1]", "port"),
        ("gateway:\n  heartbeat: 0", "gateway.heartbeat"),
        ("accounts:\n  registration: maybe", "accounts.registration"),
        ("accounts:\n  guests: 3", "accounts.guests"), ("accounts:\n  apps: [0]", "accounts.apps"),
        ("accounts:\n  apps: []", "accounts.apps"), ("api:\n  trusted-proxies: [here]", "api.trusted-proxies"),
        ("api:\n  cors-origins: [app]", "api.cors-origins"),
        ("public-url: chat.example.org", "public-url"), ("public-url: https://a.example/chat", "public-url"),
        ("gateway:\n  proxy-protocol: true", "gateway.proxy-protocol"),
        ("gateway:\n  drain-notice: 301", "gateway.drain-notice"),
        ("node: two words", "node"), ("log:\n  level: loud", "log.level"), ("gateway: 3", "gateway"),
        ("database: 'sqlite://host/file'", "database"),
    ])
    func namesTheKeyThatIsWrong(file: String, key: String) async {
        let failure = await refusal(file: file)
        #expect(failure?.status == .configuration)
        #expect(failure?.message.hasPrefix(key) == true, "\(failure?.message ?? "")")
    }

    @Test func refusesAVariableThatIsWrong() async {
        let failure = await refusal(ConfigurationFlags(), ["MARTLET_GATEWAY_HEARTBEAT": "often"])
        #expect(failure?.message.contains("MARTLET_GATEWAY_HEARTBEAT") == true)
    }

    @Test func refusesAStoreOfAnotherKind() async {
        let failure = await refusal(ConfigurationFlags(), ["MARTLET_DATABASE": "mysql://martlet:hidden@db/martlet"])
        #expect(failure?.status == .configuration)
        #expect(failure?.message.hasPrefix("database (MARTLET_DATABASE)") == true)
        #expect(failure?.message.contains("hidden") == false)
    }

    @Test(arguments: [
        ("sqlite:", "./data/martlet.db"), ("sqlite:/srv/a.db", "/srv/a.db"), ("sqlite:///srv/a.db", "/srv/a.db"),
    ])
    func findsTheDatabase(url: String, path: String) async throws {
        #expect(try await load(ConfigurationFlags(), ["MARTLET_DATABASE": url]).store == .sqlite(path))
    }

    @Test(arguments: ["a: [", "- a\n- b", "just text", "a: 1\na: 2\n b: 3"])
    func refusesAFileThatIsNoMapping(file: String) async {
        let failure = await refusal(file: file)
        #expect(failure?.status == .configuration)
        #expect(failure?.message.contains("\n") == false)
    }

    @Test func refusesAFileThatIsNotThere() async {
        var flags = ConfigurationFlags()
        flags.config = "/nowhere/martlet.yaml"
        let failure = await refusal(flags)
        #expect(failure?.status == .noInput)
    }

    @Test func warnsOfVariablesThatSetNothing() async throws {
        let configuration = try await load(ConfigurationFlags(), ["MARTLET_PROT": "1", "OTHER": "2"])
        #expect(configuration.warnings == ["MARTLET_PROT sets nothing"])
    }

    // MARK: Trials

    @Test(arguments: ["0.0.0.0", "::", "192.168.1.1", "example.org", "127.0.0.1.example.org"])
    func keepsTrialsOnLoopback(host: String) async {
        for flag in ["demo", "no-rate-limits"] {
            let failure = await refusal(file: "host: '\(host)'\n\(flag): true")
            #expect(failure?.status == .configuration)
            #expect(failure?.message.hasPrefix(flag) == true)
        }
    }

    @Test(arguments: ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
    func letsTrialsRunOnLoopback(host: String) async throws {
        let configuration = try await load(file: "host: '\(host)'\ndemo: true\nno-rate-limits: true")
        #expect(configuration.accounts.allowsGuests)
        #expect(!configuration.isRateLimited)
        #expect(!configuration.gateway.isRateLimited)
    }

    // MARK: What is shown

    @Test func marksSecrets() async throws {
        let key = "k8Zq0vR3xT6yB9nM2cW5eU7iO1pL4sDf"
        let configuration = try await load(ConfigurationFlags(), ["MARTLET_SECRETS_TOKEN_KEY": key])
        let entry = configuration.entries.first { $0.key == "secrets.token-key" }
        #expect(entry?.isSecret == true)
        #expect(configuration.givenSecrets.tokenKey == key)
    }

    @Test func isDescribedKeyByKey() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/operations.md"), encoding: .utf8)
        for entry in try await load().entries {
            #expect(text.contains("| `\(entry.key)` |"), "\(entry.key) is not in docs/operations.md")
        }
        for status in ExitStatus.allCases { #expect(text.contains("| \(status.rawValue) |"), "\(status)") }
    }

    @Test func saysWhereClientsFindTheGateway() async throws {
        #expect(
            try await load().gatewayAddress(port: 8080) == NodeAddress(host: "127.0.0.1", port: 8080, isSecure: false))
        let configuration = try await load(file: "public-url: https://chat.example.org/")
        #expect(
            configuration.gatewayAddress(port: 8080) == NodeAddress(host: "chat.example.org", port: 443, isSecure: true)
        )
    }
}
