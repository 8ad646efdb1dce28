/// What a message's text begins with: who sent it, which of theirs it is, and when it should have gone out. Fixed in
/// width and plain ASCII, so that it is found in a frame without reading the frame.
package struct Mark: Equatable, Sendable {
    /// The run that the message belongs to: others' messages, and those of earlier runs, are none of ours.
    package let run: UInt32
    /// The sender's number within the run, below 2^24.
    package let sender: Int
    /// 0, 1, 2 … of each sender.
    package let counter: UInt32
    /// Nanoseconds of the generator's monotonic clock.
    package let time: UInt64

    package init(run: UInt32, sender: Int, counter: UInt32, time: UInt64) {
        self.run = run
        self.sender = sender
        self.counter = counter
        self.time = time
    }

    /// `mk~`, and 8, 6, 8 and 16 hexadecimal digits.
    package static let length = prefixLength + 8 + 6 + 8 + 16
    static let prefixLength = 3
    /// Where counter and time begin.
    package static let counterOffset = prefixLength + 14
    package static let timeOffset = counterOffset + 8

    /// What the marks of a run begin with.
    static func beginning(run: UInt32) -> [UInt8] { Array("mk~".utf8) + Hexadecimal.bytes(UInt64(run), digits: 8) }

    package var bytes: [UInt8] {
        Self.beginning(run: run) + Hexadecimal.bytes(UInt64(sender), digits: 6)
            + Hexadecimal.bytes(UInt64(counter), digits: 8) + Hexadecimal.bytes(time, digits: 16)
    }

    /// Reads a mark that begins at `offset`; nil where there is none.
    package init?(_ bytes: Span<UInt8>, at offset: Int) {
        guard offset >= 0, bytes.count - offset >= Self.length, bytes[offset] == UInt8(ascii: "m"),
            bytes[offset + 1] == UInt8(ascii: "k"), bytes[offset + 2] == UInt8(ascii: "~"),
            let run = Hexadecimal.value(bytes, offset + Self.prefixLength, digits: 8),
            let sender = Hexadecimal.value(bytes, offset + Self.prefixLength + 8, digits: 6),
            let counter = Hexadecimal.value(bytes, offset + Self.counterOffset, digits: 8),
            let time = Hexadecimal.value(bytes, offset + Self.timeOffset, digits: 16)
        else { return nil }
        self.init(run: UInt32(run), sender: Int(sender), counter: UInt32(counter), time: time)
    }
}

/// Lower-case hexadecimal digits of a fixed number.
package enum Hexadecimal {
    static func bytes(_ value: UInt64, digits: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: digits)
        write(value, digits: digits, to: &bytes, at: 0)
        return bytes
    }

    package static func write(_ value: UInt64, digits: Int, to bytes: inout [UInt8], at offset: Int) {
        var rest = value
        var index = offset + digits
        while index > offset {
            index -= 1
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            bytes[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest >>= 4
        }
    }

    /// Nil where one of the characters is no digit.
    static func value(_ bytes: Span<UInt8>, _ offset: Int, digits: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in offset..<(offset + digits) {
            let byte = bytes[index]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x61...0x66: digit = byte - 0x57
            default: return nil
            }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}
