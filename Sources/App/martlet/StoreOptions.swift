import ArgumentParser
import MartletServer

/// Where a command finds the server's files.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read settings from this YAML file.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("The folder with all data (default: ./data).", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "The store: sqlite:PATH or postgres://… (default: a file in the data folder).", valueName: "url"))
    var database: String?

    var flags: ConfigurationFlags {
        var flags = ConfigurationFlags()
        flags.config = config
        flags.data = data
        flags.database = database
        return flags
    }

    func load() async throws(OperatorFailure) -> ServerConfiguration { try await ServerConfiguration.load(flags) }
}

/// As above, and which app's users a command is about.
struct AppOptions: ParsableArguments {
    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("The app that users belong to (default: the first of accounts.apps).", valueName: "id"))
    var app: Int?

    func workbench() async throws(OperatorFailure) -> Workbench {
        try await Workbench(try await store.load(), app: app)
    }
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "Answer in JSON.")
    var json = false
}

/// The settings that flags can make.
struct ServerOptions: ParsableArguments {
    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("The address to listen on (default: 127.0.0.1).", valueName: "address"))
    var host: String?

    @Option(help: ArgumentHelp("The port to listen on (default: 8080).", valueName: "port"))
    var port: Int?

    @Flag(help: "Make sample users and let guests in, to try things out. Loopback only.")
    var demo = false

    @Option(help: ArgumentHelp("The bus to other nodes: redis://…, several with commas.", valueName: "urls"))
    var bus: String?

    @Option(help: ArgumentHelp("This node's name (default: the host's).", valueName: "name"))
    var node: String?

    @Option(
        help: ArgumentHelp(
            "What this node does: all, or some of gateway,api,worker (default: all).", valueName: "roles"))
    var roles: String?

    @Option(
        help: ArgumentHelp(
            "Speak clusterchat on this port; several with commas, one for each numbering.", valueName: "port"))
    var clusterchatPort: String?

    @Option(
        help: ArgumentHelp(
            "The numbering of each of these ports: seed (default) or course.", valueName: "seed|course"))
    var clusterchatNumbering: String?

    @Flag(help: "Limit nobody's rate, for load tests. Loopback only.")
    var noRateLimits = false

    var flags: ConfigurationFlags {
        var flags = store.flags
        flags.host = host
        flags.port = port
        flags.demo = demo
        flags.bus = bus
        flags.node = node
        flags.roles = roles
        flags.clusterchatPort = clusterchatPort
        flags.clusterchatNumbering = clusterchatNumbering
        flags.noRateLimits = noRateLimits
        return flags
    }

    func load() async throws(OperatorFailure) -> ServerConfiguration { try await ServerConfiguration.load(flags) }
}
