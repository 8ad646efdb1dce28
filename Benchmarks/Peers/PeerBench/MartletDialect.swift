import MartletBench
import MartletCore
import MartletWire
import NIOCore

/// This tree's own server: each message is stored, then answered, and the answer is waited for.
struct MartletDialect: PeerDialect, ~Copyable {
    static let answers = true
    private static let room: ConversationID? = AppID(1).map { .room($0, "bench") }

    private var socket: WebSocketClient
    private let load: PeerLoad
    private let token: String
    private let epoch: UInt64
    private var message: SendTemplate?
    private var ping: MarkedBytes
    private var finder = MarkFinder()

    init(_ number: Int, _ plan: PeerPlan) {
        socket = WebSocketClient(port: plan.port, path: plan.path)
        load = plan.load
        token = plan.tokens[number].token
        epoch = plan.epoch
        ping = MarkedBytes(before: "", text: plan.text(of: number))
        switch plan.load {
        case .pairs:
            message = UserID(plan.tokens[number ^ 1].user).map {
                SendTemplate(run: plan.run, sender: number, to: .user($0), size: plan.size)
            }
        case .room:
            message = Self.room.map {
                SendTemplate(run: plan.run, sender: number, to: .conversation($0), size: plan.size)
            }
        case .echo: break
        }
    }

    mutating func begin(_ out: inout ByteBuffer) { socket.begin(&out) }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        if load == .echo {
            ping.fill(counter, due: due)
            return socket.write(ping.bytes, as: .ping, into: &out)
        }
        message?.fill(counter: counter, time: due, milliseconds: epoch + due / 1_000_000)
        if let message { socket.write(message.bytes, into: &out) }
    }

    mutating func beat(into out: inout ByteBuffer) { socket.write(NativeRequest.heartbeat(seq: nil), into: &out) }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let item = try socket.next(&bytes, &out) else { return nil }
        switch item {
        case .open:
            socket.write(NativeRequest.login(seq: "login", token: token), into: &out)
            return .other
        case .pong(let payload): return mark(payload.readableBytesUInt8Span)
        case .text(let payload):
            let bytes = payload.readableBytesUInt8Span
            if ServerReply.isPlainMessage(bytes) { return mark(bytes) }
            return try read(try ServerReply(bytes), bytes, &out)
        }
    }

    private mutating func mark(_ bytes: Span<UInt8>) -> PeerEvent {
        finder.find(bytes).map(PeerEvent.message) ?? .other
    }

    private mutating func read(
        _ reply: ServerReply, _ bytes: Span<UInt8>, _ out: inout ByteBuffer
    ) throws -> PeerEvent {
        switch reply.command {
        case .send:
            guard let range = reply.number, let number = SendTemplate.number(bytes, range) else { return .other }
            return .answered(counter: number.counter, due: number.time, isAccepted: reply.code == 200)
        case .message: return mark(bytes)
        case .login:
            guard reply.code == 200 else { throw BenchFailure("signing in was refused with \(reply.code)") }
            guard load == .room, let room = Self.room else { return .ready }
            socket.write(NativeRequest.command("enter", .enter) { $0.field("conversationId", room) }, into: &out)
            return .other
        case .enter:
            guard reply.code == 200 else { throw BenchFailure("the room was refused with \(reply.code)") }
            return .ready
        default: return .other
        }
    }
}
