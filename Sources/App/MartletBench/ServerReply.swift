import MartletCore
import MartletWire

/// A frame of the server, as far as the generator cares: found by a scan, in whatever order the members stand.
package struct ServerReply {
    package enum Command {
        case login, heartbeat, send, sync, enter, message, other
    }

    package private(set) var command = Command.other
    /// Inside the quotes; nil for pushes.
    package private(set) var number: Range<Int>?
    /// 0 for pushes.
    package private(set) var code = 0
    /// The value of `data`, of the push or of the response.
    private(set) var data: Range<Int>?

    package init(_ bytes: Span<UInt8>) throws(Fault) {
        var position = 0
        var response: Range<Int>?
        try Self.members(bytes, &position) { key, value in
            if Self.matches(bytes, key, "cmd") {
                command = Self.command(bytes, (value.lowerBound + 1)..<max(value.lowerBound + 1, value.upperBound - 1))
            } else if Self.matches(bytes, key, "seq") {
                number = (value.lowerBound + 1)..<max(value.lowerBound + 1, value.upperBound - 1)
            } else if Self.matches(bytes, key, "data") {
                data = value
            } else if Self.matches(bytes, key, "response") {
                response = value
            }
        }
        if let response {
            position = response.lowerBound
            try Self.members(bytes, &position) { key, value in
                if Self.matches(bytes, key, "code") {
                    code = Int(Self.integer(bytes, value) ?? -1)
                } else if Self.matches(bytes, key, "data") {
                    data = value
                }
            }
        }
    }

    private static func command(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Command {
        if matches(bytes, range, "msg") { return .message }
        if matches(bytes, range, "send") { return .send }
        if matches(bytes, range, "heartbeat") { return .heartbeat }
        if matches(bytes, range, "login") { return .login }
        if matches(bytes, range, "sync") { return .sync }
        return matches(bytes, range, "enter") ? .enter : .other
    }

    /// An integer member of `data`.
    func integer(_ name: StaticString, _ bytes: Span<UInt8>) -> Int64? {
        guard let data, bytes[data.lowerBound] == UInt8(ascii: "{") else { return nil }
        var position = data.lowerBound
        var result: Int64?
        try? Self.members(bytes, &position) { key, value in
            if Self.matches(bytes, key, name) { result = Self.integer(bytes, value) }
        }
        return result
    }

    private static func integer(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        var position = range.lowerBound
        return (try? JSONScan.integer(bytes, &position)) ?? nil
    }

    /// Calls `member` with the inside of each key and its value's place.
    private static func members(
        _ bytes: Span<UInt8>, _ position: inout Int, _ member: (Range<Int>, Range<Int>) -> Void
    ) throws(Fault) {
        try JSONScan.expect(UInt8(ascii: "{"), bytes, &position)
        if JSONScan.accept(UInt8(ascii: "}"), bytes, &position) { return }
        repeat {
            let key = try JSONScan.string(bytes, &position)
            try JSONScan.expect(UInt8(ascii: ":"), bytes, &position)
            JSONScan.skipSpace(bytes, &position)
            let start = position
            try JSONScan.skipValue(bytes, &position, depth: 32)
            member(key.range, start..<position)
        } while JSONScan.accept(UInt8(ascii: ","), bytes, &position)
        try JSONScan.expect(UInt8(ascii: "}"), bytes, &position)
    }

    private static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where bytes[range.lowerBound + offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// True for a frame that begins as this server begins a message: the only frame that comes in numbers. Others are
    /// read in full.
    package static func isPlainMessage(_ bytes: Span<UInt8>) -> Bool {
        let text: StaticString = "{\"cmd\":\"msg\""
        guard bytes.count > text.utf8CodeUnitCount else { return false }
        for offset in 0..<text.utf8CodeUnitCount where bytes[offset] != text.utf8Start[offset] { return false }
        return true
    }
}

/// Finds marks. Frames of one run look alike, so that the last place is tried first.
package struct MarkFinder {
    private var hint = 0

    package init() {}

    package mutating func find(_ bytes: Span<UInt8>) -> Mark? {
        if let mark = Mark(bytes, at: hint) { return mark }
        var offset = 0
        while offset + Mark.length <= bytes.count {
            if bytes[offset] == UInt8(ascii: "m"), let mark = Mark(bytes, at: offset) {
                hint = offset
                return mark
            }
            offset += 1
        }
        return nil
    }
}
