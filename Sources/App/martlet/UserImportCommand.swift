import ArgumentParser
import MartletServer
import MartletWire

struct UserImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make users of a CSV: username, password, nickname.",
        discussion: """
            A user with an empty password signs in by token only. Users who exist already are left as they are. Passwords are \
            hashed on all cores.
            """)

    @OptionGroup var app: AppOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The file, or - for standard input.")
    var file: String

    func run() async throws {
        let users = try UserImport(try Terminal.text(of: file))
        let bar = ProgressBar(total: users.count)
        let bench = try await app.workbench()
        defer { bench.close() }
        let report = try await users.run(with: bench.administration, app: bench.app) { bar.show($0) }
        print(report)
        if let first = report.problems.first {
            let rest = report.problems.count - 1
            throw OperatorFailure(
                .badData,
                "line \(first.line): \(first.message)" + (rest > 0 ? " (and \(rest) more lines are wrong)" : ""))
        }
    }

    private func print(_ report: UserImport.Report) {
        guard output.json else {
            Terminal.print("\(report.created) users made, \(report.existing) were there already")
            return
        }
        Terminal.print { object in
            object.field("created", report.created)
            object.field("existing", report.existing)
            object.field(
                "problems",
                report.problems.map { problem in
                    RawJSON(
                        JSONWriter.object { object in
                            object.field("line", problem.line)
                            object.field("message", problem.message)
                        })
                })
        }
    }
}
