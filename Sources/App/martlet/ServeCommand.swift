import ArgumentParser
import Logging
import MartletCore
import MartletGateway
import MartletServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Run the server.")

    @OptionGroup var options: ServerOptions

    func run() async throws {
        let configuration = try await options.load()
        let logger = Self.logger(configuration)
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let folder = try DataFolder(preparing: configuration.dataFolder)
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        let secrets = try Secrets.load(folder, given: configuration.givenSecrets)
        let server: Server
        do throws(Fault) {
            server = try await Server(configuration, secrets: secrets, logger: logger)
        } catch {
            throw OperatorFailure(error)
        }
        let demo = configuration.isDemo ? try await Self.prepareDemo(server, configuration) : nil
        do {
            try await server.run { ports in Self.announce(configuration, ports, demo) }
        } catch {
            throw Self.failure(error)
        }
    }

    private static func logger(_ configuration: ServerConfiguration) -> Logger {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "martlet")
        logger.logLevel = configuration.logLevel
        logger[metadataKey: "node"] = "\(configuration.node)"
        return logger
    }

    /// Returns the password of the sample users, which is another one at each start.
    private static func prepareDemo(_ server: Server, _ configuration: ServerConfiguration) async throws -> String {
        let password = Secrets.random(6)
        do throws(Fault) {
            try await server.demo.make(
                password: password, app: configuration.firstApp)
        } catch {
            throw OperatorFailure(error)
        }
        return password
    }

    private static func announce(_ configuration: ServerConfiguration, _ ports: OpenPorts, _ demo: String?) {
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        Terminal.print("listening on http://\(host):\(ports.port)")
        for dialect in ports.dialects { Terminal.print("\(dialect.name) on \(host):\(dialect.port)") }
        guard let demo else { return }
        let names = DemoData.people.map(\.username).joined(separator: ", ")
        Terminal.print("Demo: sign in as \(names) with the password \(demo), or come in as a guest.")
    }

    private static func failure(_ error: any Error) -> OperatorFailure {
        if let fault = error as? Fault { return OperatorFailure(fault) }
        return OperatorFailure(.failed, "the server failed: \(error)")
    }
}
