import Foundation
import MartletBench
import NIOCore

/// XMPP over WebSocket (RFC 7395): each message of the socket is one whole element. SASL PLAIN, one resource, chat
/// messages between full addresses; a room is a MUC.
struct XMPPDialect: PeerDialect, ~Copyable {
    /// Streams have no answers by message.
    static let answers = false

    private enum Phase {
        case opening, authenticating, binding, entering, ready
    }

    private static let domain = "localhost"
    private static let room = "bench@conference.localhost"

    private var socket: WebSocketClient
    private let number: Int
    private let load: PeerLoad
    private var phase = Phase.opening
    private var message: MarkedBytes
    private var finder = MarkFinder()

    init(_ number: Int, _ plan: PeerPlan) {
        socket = WebSocketClient(port: plan.port, path: plan.path, subprotocol: "xmpp")
        self.number = number
        load = plan.load
        let target =
            plan.load == .room
            ? "to='\(Self.room)' type='groupchat'" : "to='bench\(number ^ 1)@\(Self.domain)/bench' type='chat'"
        message = MarkedBytes(
            before: "<message xmlns='jabber:client' \(target)><body>", text: plan.text(of: number),
            after: "</body></message>")
    }

    mutating func begin(_ out: inout ByteBuffer) { socket.begin(&out) }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message.fill(counter, due: due)
        socket.write(message.bytes, into: &out)
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let item = try socket.next(&bytes, &out) else { return nil }
        switch item {
        case .open:
            open(&out)
            return .other
        case .pong: return .other
        case .text(let payload):
            let bytes = payload.readableBytesUInt8Span
            if Wire.has("<message", bytes) { return finder.find(bytes).map(PeerEvent.message) ?? .other }
            return try read(bytes, &out)
        }
    }

    private mutating func read(_ bytes: Span<UInt8>, _ out: inout ByteBuffer) throws -> PeerEvent {
        if Wire.has("<failure", bytes) || Wire.has("<close", bytes) || Wire.has("<stream:error", bytes) {
            throw BenchFailure(Wire.text(bytes, 0..<min(bytes.count, 300)))
        }
        let isFeatures = Wire.has("<stream:features", bytes) || Wire.has("<features", bytes)
        switch phase {
        case .opening where isFeatures:
            let secret = Data("\0bench\(number)\0bench".utf8).base64EncodedString()
            write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\(secret)</auth>", &out)
            phase = .authenticating
        case .authenticating where Wire.has("<success", bytes):
            open(&out)
            phase = .binding
        case .binding where isFeatures:
            write(
                """
                <iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                <resource>bench</resource></bind></iq>
                """, &out)
        case .binding where Wire.has("<iq", bytes):
            guard Wire.contains("</jid>", bytes) else {
                throw BenchFailure(Wire.text(bytes, 0..<min(bytes.count, 300)))
            }
            write("<presence xmlns='jabber:client'/>", &out)
            guard load == .room else {
                phase = .ready
                return .ready
            }
            write(
                """
                <presence xmlns='jabber:client' to='\(Self.room)/n\(number)'><x \
                xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>
                """, &out)
            phase = .entering
        case .entering where Wire.has("<presence", bytes):
            // The last of a room's presences is one's own, with status 110.
            if Wire.contains("code='110'", bytes) || Wire.contains("code=\"110\"", bytes) {
                phase = .ready
                return .ready
            }
            if Wire.contains("<error", bytes) { throw BenchFailure(Wire.text(bytes, 0..<min(bytes.count, 300))) }
        default: break
        }
        return .other
    }

    private func open(_ out: inout ByteBuffer) {
        write("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='\(Self.domain)' version='1.0'/>", &out)
    }

    private func write(_ text: String, _ out: inout ByteBuffer) { socket.write(Array(text.utf8), into: &out) }
}
