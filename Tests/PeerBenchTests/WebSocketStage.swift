import MartletBench
import MartletWire
import NIOCore
import Testing

@testable import PeerBench

/// What follows a handshake that went well, at every split; `sent` holds the payloads of the client's frames, since
/// every connection has a mask of its own.
func hearFramesAtEverySplit<Dialect: PeerDialect & ~Copyable>(
    _ bytes: [UInt8], _ make: () -> Dialect
) throws -> Heard {
    let ends = [0, bytes.count]
    let whole = try hearFrames(bytes, at: ends, make)
    let single = try hearFrames(bytes, at: Array(0...bytes.count), make)
    #expect(single == whole)
    for place in bytes.indices.dropFirst() {
        let split = try hearFrames(bytes, at: [0, place, bytes.count], make)
        #expect(split == whole, "split at \(place)")
    }
    return whole
}

private func hearFrames<Dialect: PeerDialect & ~Copyable>(
    _ bytes: [UInt8], at places: [Int], _ make: () -> Dialect
) throws -> Heard {
    var dialect = make()
    let opening = try open(&dialect)
    var heard = try hear(&dialect, zip(places, places.dropFirst()).map { bytes[$0..<$1] })
    heard.events = opening.events + heard.events
    heard.sent = try payloads(opening.sent + heard.sent)
    return heard
}

/// Shakes hands, in two pieces.
func open<Dialect: PeerDialect & ~Copyable>(_ dialect: inout Dialect) throws -> Heard {
    let request = beginning(&dialect)
    let key = request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19)
    let answer = UpgradeResponse.accept(key: String(key ?? ""))
    return try hear(&dialect, [answer[..<20], answer[20...]])
}

/// The payloads of a client's frames, one behind the other.
func payloads(_ frames: [UInt8]) throws -> [UInt8] {
    var bytes = ByteBuffer(bytes: frames)
    var decoder = WebSocketDecoder(role: .server, maximumMessage: 65_536)
    var result: [UInt8] = []
    while let item = try decoder.next(&bytes) {
        switch item {
        case .text(let payload), .binary(let payload), .ping(let payload), .pong(let payload):
            result += payload.readableBytesView
        case .close: break
        }
    }
    return result
}

/// A server's frame.
func frame(_ text: String, _ opcode: WebSocketOpcode = .text) -> [UInt8] {
    var buffer = ByteBuffer()
    let payload = Array(text.utf8)
    WebSocketEncoder.writeHeader(opcode: opcode, payload: payload.count, mask: nil, into: &buffer)
    buffer.writeBytes(payload)
    return Array(buffer.readableBytesView)
}
