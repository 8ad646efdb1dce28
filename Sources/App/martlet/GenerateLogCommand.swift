import ArgumentParser
import MartletBench
import MartletCore
import MartletServer

/// Prepares a long log, for load tests.
struct GenerateLogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-log", abstract: "Fill an empty log with made-up messages, for load tests.",
        discussion: """
            The server must be stopped, and the users of --tokens be there. Conversations are between two of them, those of \
            the pairs profile first. Where it is interrupted, the data folder is of no use any more.
            """,
        shouldDisplay: false)

    @OptionGroup var store: StoreOptions

    @Option(help: "The tokens that the load generator will use.")
    var tokens: String

    @Option(help: "Messages to write.")
    var events: Int64

    @Option(help: "Conversations that they belong to.")
    var conversations = 10_000

    @Option(help: "Bytes of a message's text.")
    var size = 100

    func validate() throws {
        guard (1...1_000_000_000).contains(events), conversations >= 1, BenchOptions.sizes.contains(size) else {
            throw ValidationError("events, conversations and size must be positive, and size a message's")
        }
    }

    func run() async throws {
        let text = try Terminal.text(of: tokens)
        let users: [UserID]
        do throws(BenchFailure) {
            users = try BenchToken.read(text).compactMap { UserID($0.user) }
        } catch {
            throw OperatorFailure(.badData, error.description)
        }
        let generation = try LogGeneration(try await store.load(), users: users, conversations: conversations)
        let bar = ProgressBar(total: Int(events))
        let time = try await ContinuousClock().measure {
            try await generation.run(events: events, size: size) { bar.show(Int($0)) }
        }
        let seconds = max(1, Int(time.components.seconds))
        Terminal.print("\(events) messages in \(seconds) s, \(Int(events) / seconds) per second")
    }
}
