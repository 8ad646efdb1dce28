import ArgumentParser
import Foundation
import MartletServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The command: parses, calls what `MartletServer` offers, prints. What goes wrong is one line on standard error and a stable exit status.
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "Instant messaging that you host yourself.",
        discussion: "Exit statuses, settings and signals are described in docs/operations.md.",
        version: "0.1.0",
        subcommands: [
            ServeCommand.self, UserCommand.self, TokenCommand.self, APIKeyCommand.self, MigrateCommand.self,
            CheckConfigCommand.self,
            VerifyCommand.self, BackupCommand.self, RestoreCommand.self, BenchCommand.self,
            GenerateLogCommand.self,
        ])

    /// Runs the command line of this process and ends it.
    static func launch() async -> Never {
        // What a command makes is for its owner only.
        umask(0o077)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            Foundation.exit(ExitStatus.ok.rawValue)
        } catch {
            Foundation.exit(report(error).rawValue)
        }
    }

    private static func report(_ error: any Error) -> ExitStatus {
        if let failure = error as? OperatorFailure {
            Terminal.complain(failure.message)
            return failure.status
        }
        let code = exitCode(for: error)
        guard code != .success else {
            // A call for help or for the version.
            Terminal.print(fullMessage(for: error))
            return .ok
        }
        guard code == .validationFailure else {
            Terminal.complain("\(error)")
            return .failed
        }
        Terminal.complain("\(message(for: error)) (see: martlet --help)")
        return .usage
    }
}
