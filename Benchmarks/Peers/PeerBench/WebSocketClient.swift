import MartletBench
import MartletWire
import NIOCore

/// The client's side of a WebSocket: the handshake, then messages. Pings are answered here.
struct WebSocketClient: ~Copyable {
    enum Item {
        /// The handshake is done.
        case open
        case text(ByteBuffer)
        case pong(ByteBuffer)
    }

    private let port: Int
    private let path: String
    private let subprotocol: String?
    private let key = UpgradeRequest.randomKey()
    private let mask = UInt32.random(in: .min ... .max)
    private var isOpen = false
    private var decoder = WebSocketDecoder(role: .client, maximumMessage: 16 * 1024 * 1024)

    init(port: Int, path: String, subprotocol: String? = nil) {
        self.port = port
        self.path = path
        self.subprotocol = subprotocol
    }

    func begin(_ out: inout ByteBuffer) {
        let headers = subprotocol.map { [("Sec-WebSocket-Protocol", $0)] } ?? []
        out.writeBytes(UpgradeRequest.client(host: "127.0.0.1:\(port)", path: path, key: key, headers: headers))
    }

    func write(_ payload: [UInt8], as opcode: WebSocketOpcode = .text, into out: inout ByteBuffer) {
        // The encoder masks what it finds readable from its own start on, so that it may follow other frames.
        WebSocketEncoder.masked(opcode, payload, mask: mask, into: &out)
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> Item? {
        if !isOpen {
            switch UpgradeAnswer.read(bytes.readableBytesUInt8Span, key: key) {
            case .incomplete: return nil
            case .accepted(let head):
                bytes.moveReaderIndex(forwardBy: head)
                isOpen = true
                return .open
            case .refused(let status): throw BenchFailure("the handshake was refused with status \(status)")
            }
        }
        while let item = try decoder.next(&bytes) {
            switch item {
            case .text(let payload), .binary(let payload): return .text(payload)
            case .pong(let payload): return .pong(payload)
            case .ping(let payload): write(Array(payload.readableBytesView), as: .pong, into: &out)
            case .close(let code, let reason):
                throw BenchFailure("the server closed with \(code?.rawValue ?? 0) \(reason)")
            }
        }
        return nil
    }
}
