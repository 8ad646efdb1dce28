import MartletBench
import MartletWire
import NIOCore

/// The bare WebSocket server of `floor.c`: the path says where messages go, and they go as they come.
struct FloorDialect: PeerDialect, ~Copyable {
    static let answers = false

    private var socket: WebSocketClient
    private let opcode: WebSocketOpcode
    private var message: MarkedBytes
    private var finder = MarkFinder()

    init(_ number: Int, _ plan: PeerPlan) {
        let path =
            switch plan.load {
            case .pairs: "/pair/\(number)"
            case .room: "/room"
            case .echo: "/echo"
            }
        socket = WebSocketClient(port: plan.port, path: path)
        opcode = plan.load == .echo ? .ping : .text
        message = MarkedBytes(before: "", text: plan.text(of: number))
    }

    mutating func begin(_ out: inout ByteBuffer) { socket.begin(&out) }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message.fill(counter, due: due)
        socket.write(message.bytes, as: opcode, into: &out)
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let item = try socket.next(&bytes, &out) else { return nil }
        switch item {
        case .open: return .ready
        case .text(let payload), .pong(let payload):
            return finder.find(payload.readableBytesUInt8Span).map(PeerEvent.message) ?? .other
        }
    }
}
