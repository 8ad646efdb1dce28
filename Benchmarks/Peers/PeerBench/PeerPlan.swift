import Foundation
import MartletBench
import NIOCore

/// What connections do.
enum PeerLoad: String, Sendable, CaseIterable {
    /// Connections 2i and 2i+1 write to one another.
    case pairs
    /// The first connection writes to all others.
    case room
    /// Every connection has its own WebSocket pings answered.
    case echo
}

/// One run; fixed at its start.
struct PeerPlan: Sendable {
    let load: PeerLoad
    let port: Int
    let connections: Int
    /// What the report calls server and load.
    var system = ""
    var profile = ""
    /// Of the WebSocket.
    var path = "/ws"
    var tokens: [BenchToken] = []
    /// Where a second connection goes, of dialects that send beside; nil: `port`.
    var sendingPort: Int?
    /// The app of gowebsocket, which is its room, too.
    var app = 101
    /// What a clusterchat server calls its messages, and who signs in to it: one for each connection.
    var numbering = ClusterChatNumbers.seed
    var users: [ClusterChatUser] = []
    /// The clusterchat group that is the room.
    var group: Int64?
    /// Connections that may be on their way in at once, and for how long all of them together may be.
    var atOnce = 32
    var patience = Duration.seconds(60)
    /// Messages a second of all senders together; 0: as fast as the window lets them.
    var rate = 0.0
    /// Messages of one sender that may be under way in a closed loop.
    var window = 1
    var duration = Duration.seconds(5)
    var warmup = Duration.seconds(1)
    /// Bytes of a message's text.
    var size = 100
    /// Processes of the server.
    var servers: [Int32] = []
    let run = UInt32.random(in: .min ... .max)
    /// The time of day at the monotonic clock's zero, in milliseconds.
    let epoch = UInt64(Date().timeIntervalSince1970 * 1000) - NIODeadline.now().uptimeNanoseconds / 1_000_000

    init(_ load: PeerLoad, port: Int, connections: Int) {
        self.load = load
        self.port = port
        self.connections = connections
    }

    /// Throws where the run would make no sense.
    func check() throws(BenchFailure) {
        guard (1...65_535).contains(port), (1...65_535).contains(sendingPort ?? port) else {
            throw BenchFailure("the port is not one")
        }
        guard (1...BenchOptions.mostConnections).contains(connections) else {
            throw BenchFailure("between 1 and \(BenchOptions.mostConnections) connections are possible")
        }
        if load == .pairs, !connections.isMultiple(of: 2) {
            throw BenchFailure("pairs need an even number of connections")
        }
        if load == .room, connections < 2 { throw BenchFailure("a room needs somebody who listens") }
        let sizes = load == .echo ? Mark.length...125 : BenchOptions.sizes
        guard sizes.contains(size) else {
            throw BenchFailure("the size must lie between \(sizes.lowerBound) and \(sizes.upperBound) bytes")
        }
        guard (1...10_000).contains(window) else { throw BenchFailure("the window must lie between 1 and 10,000") }
        guard rate >= 0, rate <= 10_000_000 else { throw BenchFailure("the rate must lie between 0 and 10,000,000") }
        guard duration > .zero, warmup >= .zero else { throw BenchFailure("the duration must be positive") }
    }

    var isOpenLoop: Bool { rate > 0 }

    /// Who gets each message.
    var receiversPerMessage: Int { load == .room ? connections - 1 : 1 }

    /// The first connections write.
    var senders: Int { load == .room ? 1 : connections }

    /// Whom a connection hears; nil: nobody.
    func heard(by number: Int) -> Int? {
        switch load {
        case .pairs: number ^ 1
        case .room: number == 0 ? nil : 0
        case .echo: number
        }
    }

    /// The first message of `number`, whose mark changes for each further one.
    func text(of number: Int) -> [UInt8] {
        Mark(run: run, sender: number, counter: 0, time: 0).bytes
            + Array(repeating: UInt8(ascii: "x"), count: size - Mark.length)
    }
}
