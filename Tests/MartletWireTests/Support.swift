import MartletCore
import MartletWire
import NIOCore
import Testing

/// Steele, Lea and Flood's generator: the same seed gives the same run on every machine.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func chance(_ one: Int) -> Bool { below(one) == 0 }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }

    mutating func integer() -> Int64 {
        Int64.random(in: -maximumIdentifier...maximumIdentifier, using: &self) >> Int64(below(50))
    }

    /// Text with what escapes and encodings trip over.
    mutating func text(_ maximum: Int) -> String {
        let pieces = [
            "a", "Z", "0", " ", "\"", "\\", "/", "\n", "\t", "\u{1}", "\u{7F}", "é", "語", "👍", "\u{10FFFF}", "\u{0}",
        ]
        return (0..<below(maximum + 1)).map { _ in pieces[below(pieces.count)] }.joined()
    }

    mutating func json(_ depth: Int) -> String {
        switch below(depth > 0 ? 7 : 5) {
        case 0: return "null"
        case 1: return Bool.random(using: &self) ? "true" : "false"
        case 2: return "\(integer())"
        case 3: return "\(Double.random(in: -1e6...1e6, using: &self))"
        case 4: return string(text(6))
        case 5: return "[" + (0..<below(4)).map { _ in json(depth - 1) }.joined(separator: ",") + "]"
        default:
            return "{" + (0..<below(4)).map { "\"k\($0)\": \(json(depth - 1))" }.joined(separator: " , ") + "}"
        }
    }

    /// The bytes with a few of them changed, lost, added or swapped for what a grammar cares about.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let grammar = Array("{}[]\",:\\u0n-1e. \r\n".utf8) + [0x80, 0xFF, 0x00]
        for _ in 0...below(3) {
            guard !bytes.isEmpty else { return bytes }
            let index = below(bytes.count)
            switch below(5) {
            case 0: bytes[index] = grammar[below(grammar.count)]
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(grammar[below(grammar.count)], at: index)
            case 3: bytes[index] ^= 1 << UInt8(below(8))
            default: bytes.removeSubrange(index...)
            }
        }
        return bytes
    }
}

/// A JSON string for `text`.
func string(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return String(decoding: writer.bytes, as: UTF8.self)
}

/// The bytes of a text.
func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: utf8(text)) }

/// The reason and field of the fault that `body` throws; nil where it throws none.
func fault(_ body: () throws(Fault) -> Void) -> Refusal? {
    do {
        try body()
        return nil
    } catch {
        return Refusal(error.reason, error.field)
    }
}

struct Refusal: Equatable, CustomStringConvertible {
    let reason: Fault.Reason
    let field: String?

    init(_ reason: Fault.Reason, _ field: String? = nil) {
        self.reason = reason
        self.field = field
    }

    var description: String { "\(reason.rawValue) \(field ?? "-")" }
}

/// What a decoder made of its input, comparable.
enum Decoded: Equatable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16?, String)
    case violation(UInt16, String)

    init(_ item: WebSocketDecoder.Item) {
        switch item {
        case .text(let buffer): self = .text(String(buffer: buffer))
        case .binary(let buffer): self = .binary(Array(buffer.readableBytesView))
        case .ping(let buffer): self = .ping(Array(buffer.readableBytesView))
        case .pong(let buffer): self = .pong(Array(buffer.readableBytesView))
        case .close(let code, let reason): self = .close(code?.rawValue, reason)
        }
    }
}

/// Feeds the pieces one after the other, as a connection would, until a violation.
func decode(
    _ pieces: [ArraySlice<UInt8>], role: WebSocketDecoder.Role = .server, maximum: Int = 65_536
) -> [Decoded] {
    var decoder = WebSocketDecoder(role: role, maximumMessage: maximum)
    var buffer = ByteBuffer()
    var items: [Decoded] = []
    for piece in pieces {
        buffer.writeBytes(piece)
        do {
            while let item = try decoder.next(&buffer) { items.append(Decoded(item)) }
        } catch {
            items.append(.violation(error.code.rawValue, error.reason))
            return items
        }
    }
    return items
}

func decode(_ bytes: [UInt8], role: WebSocketDecoder.Role = .server, maximum: Int = 65_536) -> [Decoded] {
    decode([bytes[...]], role: role, maximum: maximum)
}

/// A client's frame, spelled out so that it may be wrong.
func frame(
    _ opcode: UInt8, _ payload: [UInt8] = [], fin: Bool = true, bits: UInt8 = 0, mask: UInt32? = 0x1234_ABCD
) -> [UInt8] {
    var frame: [UInt8] = [(fin ? 0x80 : 0) | bits | opcode]
    let masked: UInt8 = mask == nil ? 0 : 0x80
    switch payload.count {
    case ...125: frame.append(masked | UInt8(payload.count))
    case ...0xFFFF: frame += [masked | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default: frame += [masked | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    guard let mask else { return frame + payload }
    let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> (24 - 8 * UInt32($0))) }
    return frame + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
}
