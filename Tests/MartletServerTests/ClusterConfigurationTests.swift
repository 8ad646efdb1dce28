import MartletCore
import MartletServer
import Testing

@Suite struct ClusterConfigurationTests {
    private static let database = ["MARTLET_DATABASE": "postgres://martlet:hidden@db/martlet"]
    private static let key = ["MARTLET_SECRETS_TOKEN_KEY": String(repeating: "k", count: 40)]

    private func load(_ environment: [String: String]) async throws -> ServerConfiguration {
        try await ServerConfiguration.load(ConfigurationFlags(), environment: environment)
    }

    /// The message of the refusal; nil where there is none.
    private func refusal(_ environment: [String: String]) async -> String? {
        do {
            _ = try await load(environment)
            return nil
        } catch let failure as OperatorFailure {
            return failure.status == .configuration ? failure.message : "\(failure.status): \(failure.message)"
        } catch {
            return "\(error)"
        }
    }

    @Test func aNodeOfAClusterHasADatabaseABusAndAKey() async throws {
        let bus = ["MARTLET_BUS": "redis://:hidden@one:6379,rediss://two"]
        let configuration = try await load(Self.database.merging(Self.key) { $1 }.merging(bus) { $1 })
        #expect(configuration.store == .postgres("postgres://martlet:hidden@db/martlet"))
        #expect(configuration.cluster.bus == ["redis://:hidden@one:6379", "rediss://two"])
        #expect(configuration.cluster.roles == NodeRole.all)
    }

    @Test func urlsWithPasswordsAreSecret() async throws {
        let bus = ["MARTLET_BUS": "redis://:hidden@one"]
        let configuration = try await load(Self.database.merging(Self.key) { $1 }.merging(bus) { $1 })
        for key in ["database", "bus", "secrets.token-key"] {
            let entry = try #require(configuration.entries.first { $0.key == key })
            #expect(entry.isSecret, "\(key)")
        }
        let plain = try await load([:])
        #expect(plain.entries.first { $0.key == "database" }?.isSecret == false)
    }

    @Test(arguments: [
        "postgres://martlet:100%hidden@db/martlet", "postgres://martlet:hidden@db/martlet?sslmod=require",
    ])
    func aBrokenURLOfTheDatabaseIsRefused(url: String) async throws {
        let message = try #require(await refusal(["MARTLET_DATABASE": url]))
        #expect(message.hasPrefix("database (MARTLET_DATABASE): "))
        #expect(!message.contains("hidden"))
    }

    @Test(arguments: ["redis://:100%hidden@one", "redis://:hidden@one:port"])
    func aBrokenURLOfTheBusIsRefused(url: String) async throws {
        let message = try #require(
            await refusal(Self.database.merging(Self.key) { $1 }.merging(["MARTLET_BUS": url]) { $1 }))
        #expect(message.hasPrefix("bus (MARTLET_BUS): "))
        #expect(!message.contains("hidden"))
    }

    @Test func rolesAreChosenByName() async throws {
        let settings = Self.database.merging(Self.key) { $1 }.merging(
            ["MARTLET_BUS": "redis://one", "MARTLET_ROLES": "api,worker"]
        ) { $1 }
        let roles = try await load(settings).cluster.roles
        #expect(roles == [.api, .worker])
    }

    @Test(arguments: [
        (["MARTLET_BUS": "redis://one"], "database"),
        (["MARTLET_ROLES": "gateway"], "roles"),
        (["MARTLET_ROLES": "gateway,cook"], "roles"),
        (["MARTLET_ROLES": "all,api"], "roles"),
        (["MARTLET_BUS": "nats://one"], "bus"),
        (["MARTLET_BUS_PREFIX": "two words"], "bus-prefix"),
        (["MARTLET_BUS_COMPARE": "0"], "bus-compare"),
        (["MARTLET_DATABASE_CONNECTIONS": "0"], "database-connections"),
        (database.merging(["MARTLET_ROLES": "gateway"]) { $1 }, "bus"),
        (database.merging(["MARTLET_BUS": "redis://one"]) { $1 }, "secrets.token-key"),
        (database.merging(key) { $1 }.merging(["MARTLET_BUS": "redis://one", "MARTLET_DEMO": "true"]) { $1 }, "demo"),
    ])
    func whatCannotWorkTogetherIsRefusedByTheKeyToChange(environment: [String: String], key: String) async throws {
        let message = try #require(await refusal(environment))
        #expect(message.hasPrefix("\(key) ("), "\(message)")
        #expect(!message.contains("hidden"))
    }

    @Test func aBusURLThatIsWrongIsNotRepeated() async throws {
        let message = try #require(await refusal(["MARTLET_BUS": "http://user:hidden@one"]))
        #expect(!message.contains("hidden"), "\(message)")
    }
}
