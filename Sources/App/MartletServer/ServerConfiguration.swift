import Logging
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletMessaging

/// Everything that an operator may set, checked. The keys of the parts stand with each part's `Configuration`; these are the server's own:
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `host` | address to listen on | `127.0.0.1` |
/// | `port` | 0 to 65535; 0 takes a free one | 8080 |
/// | `data` | folder | `./data` |
/// | `database` | `sqlite:`, `sqlite:` and a path, or `postgres://…` as libpq reads it | a file in the data folder |
/// | `node` | this node's name | the host's name |
/// | `demo` | flag; loopback only | false |
/// | `no-rate-limits` | flag; loopback only | false |
/// | `public-url` | where clients reach the server, behind a proxy | from `host` and `port` |
/// | `log.level` | `trace`, `debug`, `info`, `notice`, `warning`, `error`, `critical` | `info` |
/// | `secrets.token-key` | secret text of 32 bytes or more | from the data folder |
/// | `secrets.previous-token-key` | the one before, still accepted | from the data folder |
/// | `secrets.metrics-token` | secret text of 16 bytes or more | from the data folder |
package struct ServerConfiguration: Sendable {
    package var dataFolder = "./data"
    package var store = StoreLocation.sqlite("./data/martlet.db")
    package var cluster = ClusterConfiguration()
    package var node = "martlet"
    package var isDemo = false
    package var isRateLimited = true
    package var publicAddress: NodeAddress?
    package var logLevel = Logger.Level.info
    package var accounts = Accounts.Configuration()
    package var accessTokenLifetime = Duration.seconds(900)
    package var messaging = MessagingConfiguration()
    package var gateway = GatewayConfiguration()
    package var api = APIConfiguration()
    package var dialects = DialectsConfiguration()
    package var retention = RetentionConfiguration()
    package var givenSecrets = GivenSecrets()
    /// All settings as they are in effect, in the order of the documentation.
    package var entries: [ConfigurationEntry] = []
    /// What looks like a mistake and is none for sure.
    package var warnings: [String] = []

    package init() {}

    /// The file of a store on SQLite. Throws where it is another one, naming the `command` that can't be done on it.
    package func sqlitePath(for command: String) throws(OperatorFailure) -> String {
        guard case .sqlite(let path) = store else {
            throw OperatorFailure(
                .configuration, "\(command) is for SQLite; PostgreSQL has its own tools, see docs/operations.md")
        }
        return path
    }

    package var host: String { gateway.host }
    package var port: Int { gateway.port }
    /// The app of clients that name none.
    package var firstApp: AppID { accounts.apps.first ?? AppID(unchecked: 1) }

    /// Where clients find this node's gateway, which listens on `port`.
    package func gatewayAddress(port: Int) -> NodeAddress {
        if let publicAddress { return publicAddress }
        let isAny = gateway.host == "0.0.0.0" || gateway.host == "::"
        return NodeAddress(host: isAny ? node : gateway.host, port: port, isSecure: false)
    }
}

/// Secrets that the configuration brings, instead of those in the data folder.
package struct GivenSecrets: Sendable {
    package var tokenKey: String?
    package var previousTokenKey: String?
    package var metricsToken: String?

    package init() {}
}

/// One setting in effect.
package struct ConfigurationEntry: Sendable {
    package enum Value: Sendable, Equatable {
        case none
        case text(String)
        case integer(Int)
        case number(Double)
        case flag(Bool)
        case list([String])
    }

    package let key: String
    package let value: Value
    package let isSecret: Bool
}
