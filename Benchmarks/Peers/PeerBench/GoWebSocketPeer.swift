import MartletBench
import NIOCore

/// gowebsocket: named guests in one room, who hear over a WebSocket and write over HTTP. Each writer has one HTTP
/// connection that stays open, on which answers come in the order of the requests: what is under way at once stays in
/// order.
struct GoWebSocketPeer: PeerDialect, ~Copyable {
    static let answers = true
    static let sendsBeside = true

    private let user: String
    private let app: Int
    private var socket: WebSocketClient
    private var isSignedIn = false
    private var message: MarkedBytes
    private var finder = MarkFinder()
    /// Those that are not answered yet.
    private var asked: [(counter: UInt32, due: UInt64)] = []

    init(_ number: Int, _ plan: PeerPlan) {
        user = Self.name(number)
        app = plan.app
        socket = WebSocketClient(port: plan.port, path: plan.path)
        message = Self.request(number, plan)
    }

    private static func name(_ number: Int) -> String { "u\(number)" }

    /// A message's number stands in its text and, since the server drops what it has seen before, in its `msgId`.
    private static func request(_ number: Int, _ plan: PeerPlan) -> MarkedBytes {
        let isRoom = plan.load == .room
        let target = isRoom ? "userId=\(name(number))" : "userId=\(name(number ^ 1))&from=\(name(number))"
        let form = "appId=\(plan.app)&\(target)&msgId=\(String(plan.run, radix: 16))-\(number)-"
        let rest = "00000000&message="
        let head = """
            POST \(isRoom ? "/user/sendMessageAll" : "/user/sendMessage") HTTP/1.1\r
            Host: 127.0.0.1:\(plan.sendingPort ?? plan.port)\r
            Content-Type: application/x-www-form-urlencoded\r
            Content-Length: \(form.utf8.count + rest.utf8.count + plan.size)\r
            \r

            """
        return MarkedBytes(
            before: Array((head + form + rest).utf8), text: plan.text(of: number),
            counter: head.utf8.count + form.utf8.count)
    }

    mutating func begin(_ out: inout ByteBuffer) { socket.begin(&out) }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message.fill(counter, due: due)
        asked.append((counter, due))
        out.writeBytes(message.bytes)
    }

    mutating func beat(into out: inout ByteBuffer) {
        socket.write(Array(#"{"seq":"0","cmd":"heartbeat","data":{}}"#.utf8), into: &out)
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let item = try socket.next(&bytes, &out) else { return nil }
        switch item {
        case .open:
            let login = #"{"seq":"1","cmd":"login","data":{"userId":"\#(user)","appId":\#(app)}}"#
            socket.write(Array(login.utf8), into: &out)
            return .other
        case .pong: return .other
        case .text(let payload):
            let bytes = payload.readableBytesUInt8Span
            // Comings and goings have no mark.
            if isSignedIn { return finder.find(bytes).map(PeerEvent.message) ?? .other }
            let reply = try ServerReply(bytes)
            guard reply.command == .login else { return .other }
            guard reply.code == 200 else { throw BenchFailure("signing in was refused with \(reply.code)") }
            isSignedIn = true
            return .ready
        }
    }

    mutating func nextBeside(_ bytes: inout ByteBuffer) throws -> PeerEvent? {
        guard let end = try Self.accepted(bytes.readableBytesUInt8Span) else { return nil }
        bytes.moveReaderIndex(forwardBy: end)
        guard !asked.isEmpty else { throw BenchFailure("an answer without a request") }
        let (counter, due) = asked.removeFirst()
        return .answered(counter: counter, due: due, isAccepted: true)
    }

    /// Where the answer ends. A message that was not taken ends the run with what the server said of it.
    private static func accepted(_ bytes: Span<UInt8>) throws -> Int? {
        guard let answer = try HTTPAnswer.read(bytes) else { return nil }
        guard answer.status == 200, Wire.contains("\"sendResults\":true", bytes.extracting(answer.body)) else {
            let said = Wire.text(bytes, answer.body.prefix(300))
            throw BenchFailure("a message was refused with \(answer.status) \(said)")
        }
        return answer.body.upperBound
    }
}
