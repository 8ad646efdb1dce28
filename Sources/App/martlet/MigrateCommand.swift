import ArgumentParser
import MartletServer
import MartletWire

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the store to this program's schema, or move a store from SQLite to PostgreSQL.",
        discussion: """
            Without --from and --to the configured store is brought to this program's schema; a server does so itself at \
            its start. With one of them everything of an SQLite database is moved into an empty PostgreSQL database. \
            The server must be stopped. A move that is ended goes on where it stopped when the same command is given \
            again.
            """)

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("What to move (default: the configured store).", valueName: "sqlite:PATH"))
    var from: String?

    @Option(
        help: ArgumentHelp(
            "The database to move into (default: the configured store, which keeps its password off the command line).",
            valueName: "postgres://…"))
    var to: String?

    func run() async throws {
        let configuration = try await store.load()
        if from == nil, to == nil {
            try await migrate(configuration)
        } else {
            try await move(configuration)
        }
    }

    private func migrate(_ configuration: ServerConfiguration) async throws {
        let bench = try await Workbench(configuration)
        bench.close()
        if output.json {
            Terminal.print { $0.field("applied", bench.migrated) }
        } else {
            Terminal.print(
                bench.migrated.isEmpty
                    ? "the schema is up to date" : "applied: \(bench.migrated.joined(separator: ", "))")
        }
    }

    // MARK: Moving

    private func move(_ configuration: ServerConfiguration) async throws {
        let moving = try Moving(configuration, from: from, to: to)
        let stop = StopRequest()
        let bars = MovingBars(isTold: !output.json)
        let watch = MovingWatch(progress: { bars.show($0, $1, $2) }, isStopped: stop.isMade)
        defer { withExtendedLifetime(stop) {} }
        let report: MovingReport
        do throws(OperatorFailure) {
            report = try await moving.run(watch)
        } catch {
            bars.end()
            throw error
        }
        if output.json { Terminal.print { Self.write(report, to: &$0) } } else { Self.tell(report, configuration) }
        guard report.isSound else {
            let count = report.problems.count + report.differences.count
            throw OperatorFailure(.failed, "\(count) things are wrong: do not serve from this database")
        }
    }

    private static func write(_ report: MovingReport, to object: inout JSONObject) {
        object.field("ok", report.isSound)
        object.field("alreadyMoved", report.wasFinished)
        object.field("resumed", report.isResumed)
        let rows = JSONWriter.object { object in
            for (table, count) in report.rows { object.field(table, count) }
        }
        object.field("rows", RawJSON(rows))
        object.field("movedRows", report.moved)
        object.field("rowsPerSecond", report.rowsPerSecond)
        object.field("problems", report.problems)
        object.field("differences", report.differences)
    }

    private static func tell(_ report: MovingReport, _ configuration: ServerConfiguration) {
        guard !report.wasFinished else {
            Terminal.print("already moved: nothing was done")
            return
        }
        for (table, count) in report.rows where count > 0 { Terminal.print("\(table): \(count)") }
        if report.moved > 0 {
            let seconds = max(1, report.time.components.seconds)
            Terminal.print("\(report.moved) rows in \(seconds) s, \(report.rowsPerSecond) per second")
        }
        for problem in report.problems { Terminal.print("problem: \(problem)") }
        for difference in report.differences { Terminal.print("difference: \(difference)") }
        if report.isSound { tellNext(configuration) }
    }

    /// Never a secret itself: where it is, and how it is made.
    private static func tellNext(_ configuration: ServerConfiguration) {
        Terminal.print("no problems found, and no differences")
        Terminal.print("next: set database to the new URL, and do not start a server on the old one again")
        if configuration.givenSecrets.tokenKey != nil {
            Terminal.print("next: give every node the secrets.token-key that this server has")
        } else {
            Terminal.print(
                "next: give every node the same secrets.token-key; openssl rand -hex 32 makes one. Access tokens of the "
                    + "old server's own key (secrets.json) end with it; clients go on with their refresh tokens, which "
                    + "were moved"
            )
        }
    }
}

/// A bar for each phase of a move, on a terminal.
private final class MovingBars: @unchecked Sendable {
    // Touched by one thread at a time: phases follow one another.
    private var phase: MovingPhase?
    private var isEnded = true
    private let isTold: Bool

    init(isTold: Bool) { self.isTold = isTold }

    func show(_ phase: MovingPhase, _ done: Int64, _ total: Int64) {
        if self.phase != phase {
            end()
            self.phase = phase
            if isTold { Terminal.print(Self.words(phase)) }
        }
        // The bar ends its line when it is full.
        guard !isEnded || done < total else { return }
        ProgressBar(total: Int(total)).show(Int(done))
        isEnded = done == total
    }

    /// Leaves the line of a bar that is not full.
    func end() {
        if !isEnded { ProgressBar.leave() }
        isEnded = true
    }

    private static func words(_ phase: MovingPhase) -> String {
        switch phase {
        case .copying: "copying"
        case .verifying: "verifying both sides"
        case .comparing: "comparing both sides"
        }
    }
}
