import MartletBench
import MartletCore
import MartletWire
import NIOCore
import Testing

@testable import PeerBench

/// What a dialect made of the bytes that a server said.
struct Heard: Equatable {
    var events: [PeerEvent] = []
    var sent: [UInt8] = []
}

/// Feeds `bytes` to `dialect` in the given pieces, and gathers what it makes of them.
func hear<Dialect: PeerDialect & ~Copyable>(
    _ dialect: inout Dialect, _ pieces: [ArraySlice<UInt8>]
) throws -> Heard {
    var heard = Heard()
    var bytes = ByteBuffer()
    var out = ByteBuffer()
    for piece in pieces {
        bytes.writeBytes(piece)
        while let event = try dialect.next(&bytes, &out) { heard.events.append(event) }
    }
    heard.sent = Array(out.readableBytesView)
    #expect(bytes.readableBytes == 0)
    return heard
}

/// The same bytes whole, byte by byte and in two pieces at every place must mean the same; returns what.
func hearAtEverySplit<Dialect: PeerDialect & ~Copyable>(
    _ bytes: [UInt8], _ make: () -> Dialect
) throws -> Heard {
    var first = make()
    let whole = try hear(&first, [bytes[...]])
    var second = make()
    let single = try hear(&second, bytes.indices.map { bytes[$0...$0] })
    #expect(single == whole)
    for place in bytes.indices.dropFirst() {
        var dialect = make()
        let split = try hear(&dialect, [bytes[..<place], bytes[place...]])
        #expect(split == whole, "split at \(place)")
    }
    return whole
}

/// What a dialect writes for message `counter`.
func published<Dialect: PeerDialect & ~Copyable>(_ dialect: inout Dialect, _ counter: UInt32, due: UInt64) -> [UInt8] {
    var out = ByteBuffer()
    dialect.publish(counter, due: due, into: &out)
    return Array(out.readableBytesView)
}

/// What a dialect says first.
func beginning<Dialect: PeerDialect & ~Copyable>(_ dialect: inout Dialect) -> String {
    var out = ByteBuffer()
    dialect.begin(&out)
    return String(buffer: out)
}

/// True where `body` throws.
func fails(_ body: () throws -> Void) -> Bool {
    do {
        try body()
        return false
    } catch { return true }
}

extension PeerPlan {
    /// Message `counter` of `number`, as it should arrive.
    func mark(_ number: Int, _ counter: UInt32, due: UInt64) -> Mark {
        Mark(run: run, sender: number, counter: counter, time: due)
    }

    /// The text of that message.
    func text(_ number: Int, _ counter: UInt32, due: UInt64) -> String {
        let bytes = mark(number, counter, due: due).bytes + Array(repeating: 0x78, count: size - Mark.length)
        return String(decoding: bytes, as: UTF8.self)
    }
}
