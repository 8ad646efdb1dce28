import ArgumentParser
import MartletServer
import MartletWire

struct UserImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make users of a CSV: username, password, nickname, id.",
        discussion: """
            A user with an empty password signs in by token only. One with an id (1 to 2147483647) keeps that number, which must be \
            nobody's; the numbers of later users are behind it. Users who exist already are left as they are. Rows that are wrong \
            are told with their lines and left out. Passwords are hashed on all cores.
            """)

    @OptionGroup var app: AppOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Take passwords of any 1 to 128 characters, as users bring them from older servers.")
    var shortPasswords = false

    @Argument(help: "The file, or - for standard input.")
    var file: String

    func run() async throws {
        let users = try UserImport(try Terminal.text(of: file))
        let bar = ProgressBar(total: users.count)
        let bench = try await app.workbench()
        defer { bench.close() }
        let report = try await users.run(
            with: bench.administration, app: bench.app, takesShortPasswords: shortPasswords
        ) { bar.show($0) }
        print(report)
        guard let last = report.problems.last else { return }
        if !output.json {
            for problem in report.problems.dropLast() { Terminal.complain(Self.line(problem)) }
        }
        throw OperatorFailure(.badData, Self.line(last))
    }

    private static func line(_ problem: (line: Int, message: String)) -> String {
        "line \(problem.line): \(problem.message)"
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
