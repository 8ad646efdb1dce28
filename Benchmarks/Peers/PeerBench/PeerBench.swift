import ArgumentParser
import Foundation
import MartletBench

// martlet-peer-bench: drives one server with one load, whatever it speaks. Every system gets the same connections, the
// same bodies and the same engine (PeerLoop.swift, PeerConnection.swift); only the codec differs (one file for each
// protocol, see PeerDialect.swift). Benchmarks/peers.sh starts the servers and calls this.

@main
struct PeerBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-peer-bench", abstract: "Measure servers on this machine, whatever they speak.",
        subcommands: [DriveCommand.self, ServeCommand.self])
}

/// Measures one server with one load.
struct DriveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drive", abstract: "Measure one server with one load.",
        discussion: """
            Loads:
              pairs  connections 2i and 2i+1 write to one another
              room   the first connection writes to all others
              echo   every connection has its WebSocket pings answered (martlet and floor)

            Ends with 1 where a message was lost, repeated, out of order or delivered to somebody else.
            """)

    enum Speech: String, ExpressibleByArgument, CaseIterable {
        case martlet, gowebsocket, clusterchat, floor, redis, nats, mqtt, xmpp

        var path: String { self == .gowebsocket ? "/acc" : "/ws" }
    }

    @Argument(help: "What the server speaks: \(Speech.allCases.map(\.rawValue).joined(separator: ", ")).")
    var speech: Speech

    @Argument(help: "pairs, room or echo.")
    var load: PeerLoad

    @Option(help: "The server's port on 127.0.0.1; nothing else is measured.")
    var port: Int

    @Option(help: "Where its WebSocket is (default: /ws, and /acc for gowebsocket).")
    var path: String?

    @Option(help: "A file with a line `<userId> <accessToken>` for each connection (martlet).")
    var tokens: String?

    @OptionGroup(title: "gowebsocket and clusterchat")
    var older: OlderOptions

    @Option(help: "Connections; a room's sender is one of them.")
    var connections = 100

    @Option(help: "Messages a second of all senders together (open loop); 0: as fast as the window allows.")
    var rate = 0.0

    @Option(help: "Messages of one sender under way in a closed loop.")
    var window = 1

    @Option(help: "Seconds to measure.")
    var duration = 5.0

    @Option(help: "Seconds of traffic before that.")
    var warmup = 1.0

    @Option(help: "Bytes of a message's text.")
    var size = 100

    @Option(help: "The server's process; its children count too. May be given several times.")
    var serverPid: [Int32] = []

    @Option(help: "What the report calls the server.")
    var system: String?

    @Option(help: "What the report calls the load.")
    var profile: String?

    @Option(help: "Write the report as JSON into this file.")
    var jsonFile: String?

    func run() async throws {
        var plan = try plan()
        if speech == .clusterchat { plan = try await ClusterChatPreparation(plan).prepared() }
        let report =
            switch speech {
            case .martlet: try await PeerRun<MartletDialect>(plan).report()
            case .gowebsocket: try await PeerRun<GoWebSocketPeer>(plan).report()
            case .clusterchat: try await PeerRun<ClusterChatPeer>(plan).report()
            case .floor: try await PeerRun<FloorDialect>(plan).report()
            case .redis: try await PeerRun<RedisDialect>(plan).report()
            case .nats: try await PeerRun<NATSDialect>(plan).report()
            case .mqtt: try await PeerRun<MQTTDialect>(plan).report()
            case .xmpp: try await PeerRun<XMPPDialect>(plan).report()
            }
        if let jsonFile { try report.json().write(to: URL(filePath: jsonFile)) }
        print(report.line)
        for warning in report.warnings { print("  warning: \(warning)") }
        guard report.integrity.isSound else { throw ExitCode(1) }
    }

    private func plan() throws -> PeerPlan {
        var plan = PeerPlan(load, port: port, connections: connections)
        plan.system = system ?? speech.rawValue
        plan.profile = profile ?? load.rawValue
        plan.path = path ?? speech.path
        plan.rate = rate
        plan.window = window
        plan.duration = .seconds(duration)
        plan.warmup = .seconds(warmup)
        plan.size = size
        plan.servers = serverPid
        if speech == .gowebsocket || speech == .clusterchat { try older.apply(to: &plan, speech) }
        if let tokens {
            guard let text = try? String(contentsOfFile: tokens, encoding: .utf8) else {
                throw ValidationError("the file \(tokens) can't be read")
            }
            plan.tokens = try BenchToken.read(text)
        }
        if speech == .martlet, plan.tokens.count < connections {
            throw ValidationError("\(connections) connections need as many tokens")
        }
        if load == .echo, speech != .martlet, speech != .floor {
            throw ValidationError("only martlet and floor answer pings of one's own making")
        }
        try plan.check()
        return plan
    }
}

/// Serves the floor that calibrates SwiftNIO on this machine.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Answer WebSocket pings, and do nothing else.")

    @Option(help: "The port on 127.0.0.1; 0: a free one.")
    var port = 0

    func run() async throws { try await EchoServer.serve(port: port) }
}

extension PeerLoad: ExpressibleByArgument {}
