import ArgumentParser
import MartletLog
import MartletServer
import MartletWire

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Prove the log's contract on the store, also while a server runs.")

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let report = try await Workbench.verify(try await store.load())
        if output.json {
            Terminal.print { object in
                object.field("ok", report.problems.isEmpty)
                let counts = JSONWriter.object { object in
                    for (name, count) in report.counts { object.field(name, count) }
                }
                object.field("counts", RawJSON(counts))
                object.field("problems", report.problems)
            }
        } else {
            for (name, count) in report.counts { Terminal.print("\(name): \(count)") }
            for problem in report.problems { Terminal.print("problem: \(problem)") }
        }
        guard report.problems.isEmpty else { throw OperatorFailure(.failed, "\(report.problems.count) problems found") }
        if !output.json { Terminal.print("no problems found") }
    }
}

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the store and the secrets into a new folder, also while a server runs.")

    @OptionGroup var store: StoreOptions

    @Argument(help: "The folder to make.")
    var destination: String

    func run() async throws {
        try Backup(try await store.load()).save(to: destination)
        Terminal.print("saved to \(destination); it holds secrets, keep it as safe as the server")
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Verify a backup and put it into the data folder. The server must be stopped."
    )

    @OptionGroup var store: StoreOptions

    @Argument(help: "The folder that backup made.")
    var source: String

    @Flag(help: "Replace what the data folder holds.")
    var force = false

    func run() async throws {
        let configuration = try await store.load()
        try await Backup(configuration).restore(from: source, isForced: force)
        Terminal.print("restored to \(configuration.dataFolder)")
    }
}
