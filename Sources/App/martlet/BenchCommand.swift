import ArgumentParser
import Foundation
import MartletBench

/// Measures a server on this machine.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure a server on this machine.",
        discussion: """
            Profiles:
              idle   sessions that are signed in and silent: what one costs
              echo   pings and their pongs: the gateway without a message
              pairs  connections 2i and 2i+1 write to one another
              rest   connections 2i send through the REST API to sessions 2i+1
              room   --senders write into a room that everybody is in
              group  --senders write into a group of --members; it is made first, the connections are its members
              slow   a group again, in which --slow of them stop reading for the middle third of three times --duration
              storm  all sessions are cut at once and come back with their cursors

            Ends with 1 where a message was lost, repeated, out of order or delivered to somebody else.
            """)

    @Argument(help: "idle, echo, pairs, rest, room, group, slow or storm.")
    var profile: BenchProfile

    @Option(
        help: "The server, or a node of it: once for each. Only loopback addresses are measured.")
    var url = ["ws://127.0.0.1:8080/ws"]

    @Option(help: "A file with a line `<userId> <accessToken>` for each connection.")
    var tokens: String

    @Option(help: "Connections, at most \(BenchOptions.mostConnections); a room's or a group's senders are among them.")
    var connections = 100

    @Option(
        help: "Messages a second of all senders together (open loop); 0: as fast as the window allows (closed loop).")
    var rate = 0.0

    @Option(help: "Messages of one sender under way in a closed loop, or in a storm's burst.")
    var window = 1

    @Option(help: "Seconds to measure.")
    var duration = 10.0

    @Option(help: "Seconds of traffic before that.")
    var warmup = 2.0

    @Option(help: "Bytes of a message's text, or of a ping.")
    var size = 100

    @Option(help: "Senders in a room or a group.")
    var senders = 1

    @Option(help: "Of pairs: connections that write, the others are silent (default: all).")
    var active: Int?

    @Option(help: "Members of a group, of whom the connections are online (default: nobody else).")
    var members: Int?

    @Option(help: "Connections that stop reading for a while (default: 10 for the slow profile).")
    var slow: Int?

    @Flag(help: "Say when the slowest deliveries were, one for each tenth of a second.")
    var traceSlowest = false

    @Option(help: "Event loops of the generator.")
    var loops = max(1, ProcessInfo.processInfo.activeProcessorCount / 2)

    @Option(help: "The server's process, for its CPU time and memory; once for each node.")
    var serverPid: [Int32] = []

    @Flag(help: "Write one line of JSON instead of a table.")
    var json = false

    @Option(help: "Write the JSON into this file as well.")
    var jsonFile: String?

    func run() async throws {
        let report = try await Bench(try options(), progress: progress).run()
        if let jsonFile { try Data((report.json + "\n").utf8).write(to: URL(filePath: jsonFile)) }
        print(json ? report.json : report.table)
        guard report.integrity.isSound else { throw ExitCode(1) }
    }

    private func options() throws -> BenchOptions {
        guard let text = try? String(contentsOfFile: tokens, encoding: .utf8) else {
            throw ValidationError("the file \(tokens) can't be read")
        }
        let addresses = try url.map { url in try BenchAddress(url) }
        guard let first = addresses.first else { throw ValidationError("a URL is needed") }
        var options = BenchOptions(
            profile, first: first, others: Array(addresses.dropFirst()), try BenchToken.read(text))
        options.connections = connections
        options.rate = rate
        options.window = window
        options.duration = .seconds(duration)
        options.warmup = .seconds(warmup)
        options.size = size
        options.senders = senders
        options.active = active
        options.members = members
        options.slow = slow ?? (profile == .slow ? 10 : 0)
        options.tracesSlowest = traceSlowest
        options.loops = loops
        options.servers = serverPid
        return options
    }

    private var progress: @Sendable (String) -> Void {
        let isTerminal = isatty(STDERR_FILENO) != 0
        return { line in
            if isTerminal { FileHandle.standardError.write(Data("\(line) …\n".utf8)) }
        }
    }
}

extension BenchProfile: ExpressibleByArgument {}
