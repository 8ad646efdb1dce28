import MartletCore

/// Text as the servers of the family write it into JSON (nlohmann's `dump`): raw UTF-8, and only what JSON asks for escaped.
enum ClusterChatEscape {
    private static let hexadecimal: [UInt8] = Array("0123456789abcdef".utf8)

    /// Appends what stands inside the quotes.
    static func append(_ bytes: Span<UInt8>, to target: inout [UInt8]) {
        var position = 0
        while position < bytes.count {
            let end = JSONScan.plainEnd(bytes, position)
            while position < end {
                target.append(bytes[position])
                position &+= 1
            }
            guard position < bytes.count else { return }
            escape(bytes[position], to: &target)
            position &+= 1
        }
    }

    private static func escape(_ byte: UInt8, to target: inout [UInt8]) {
        target.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: target.append(UInt8(ascii: "b"))
        case 0x09: target.append(UInt8(ascii: "t"))
        case 0x0A: target.append(UInt8(ascii: "n"))
        case 0x0C: target.append(UInt8(ascii: "f"))
        case 0x0D: target.append(UInt8(ascii: "r"))
        case 0..<0x20:
            target.append(contentsOf: "u00".utf8)
            target.append(hexadecimal[Int(byte >> 4)])
            target.append(hexadecimal[Int(byte & 15)])
        default: target.append(byte)
        }
    }

    /// The inside of a string.
    static func inside(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        let bytes = text.utf8.span
        append(bytes, to: &result)
        return result
    }

    /// Text as it is where there is nothing to escape, without a copy.
    static func escaped(_ text: String, atMost count: Int) -> String {
        let bytes = text.utf8.span
        if bytes.count <= count, JSONScan.plainEnd(bytes, 0) == bytes.count { return text }
        let inside = inside(text)
        return String(decoding: inside[..<end(inside.span, from: 0, room: count)], as: UTF8.self)
    }

    /// Where to cut escaped text, so that at most `room` bytes are taken from `start` on and neither a character nor an escape is torn.
    static func end(_ bytes: Span<UInt8>, from start: Int, room: Int) -> Int {
        guard bytes.count - start > room else { return bytes.count }
        var end = start
        while end < bytes.count {
            let next = min(bytes.count, end + unit(bytes, end))
            guard next - start <= room else { break }
            end = next
        }
        return end
    }

    /// The bytes of the character or the escape at `index`.
    private static func unit(_ bytes: Span<UInt8>, _ index: Int) -> Int {
        switch bytes[index] {
        case UInt8(ascii: "\\"): index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "u") ? 6 : 2
        case ..<0xC0: 1
        case ..<0xE0: 2
        case ..<0xF0: 3
        default: 4
        }
    }

    /// Text of at most `count` bytes, cut between two characters.
    static func prefix(_ text: String, bytes count: Int) -> String {
        guard text.utf8.count > count else { return text }
        let bytes = text.utf8.span
        var end = max(0, count)
        while end > 0, bytes[end] & 0xC0 == 0x80 { end &-= 1 }
        return String(decoding: text.utf8.prefix(end), as: UTF8.self)
    }
}

extension JSONWriter {
    /// A string that holds these bytes, which may be JSON themselves.
    mutating func quote(_ text: [UInt8]) {
        var result = [UInt8(ascii: "\"")]
        result.reserveCapacity(text.count + 16)
        ClusterChatEscape.append(text.span, to: &result)
        result.append(UInt8(ascii: "\""))
        raw(result)
    }

    mutating func quote(_ text: String) { quote(Array(text.utf8)) }
}
