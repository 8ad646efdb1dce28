import MartletBench
import NIOCore

/// An answer over HTTP/1.1 on a connection that stays open, as it stands in what was received so far.
struct HTTPAnswer: Equatable {
    private static let mostHead = 16 * 1024
    private static let mostBody = 1024 * 1024

    let status: Int
    /// Where its body is; the next answer begins at the end of it.
    let body: Range<Int>

    /// Reads the answer at the front of `bytes`; nil where its end is not there yet. Throws where it is none, or does
    /// not say how long it is.
    static func read(_ bytes: Span<UInt8>) throws(BenchFailure) -> HTTPAnswer? {
        guard let first = Wire.lineEnd(bytes, from: 0) else { return try incomplete(bytes) }
        guard Wire.has("HTTP/1.1 ", bytes), first >= 12, let status = Wire.number(bytes, 9..<12) else {
            throw BenchFailure("not HTTP")
        }
        var length: Int?
        var start = first + 2
        while let end = Wire.lineEnd(bytes, from: start) {
            if end == start {
                guard let length, length <= mostBody else {
                    throw BenchFailure("an answer over HTTP does not say how long it is")
                }
                guard bytes.count >= end + 2 + length else { return nil }
                return HTTPAnswer(status: status, body: (end + 2)..<(end + 2 + length))
            }
            if let value = Self.length(bytes, start..<end) { length = value }
            start = end + 2
        }
        return try incomplete(bytes)
    }

    private static func incomplete(_ bytes: Span<UInt8>) throws(BenchFailure) -> HTTPAnswer? {
        guard bytes.count < mostHead else { throw BenchFailure("an answer over HTTP has no end of its head") }
        return nil
    }

    /// What the line says about the body's length; nil where it is about something else.
    private static func length(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Int? {
        let name: StaticString = "content-length:"
        guard line.count > name.utf8CodeUnitCount else { return nil }
        for offset in 0..<name.utf8CodeUnitCount {
            let byte = bytes[line.lowerBound + offset]
            let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            guard (isUpper ? byte | 0x20 : byte) == name.utf8Start[offset] else { return nil }
        }
        var digits = (line.lowerBound + name.utf8CodeUnitCount)..<line.upperBound
        while let first = digits.first, bytes[first] == 0x20 { digits = (first + 1)..<digits.upperBound }
        return Wire.number(bytes, digits)
    }
}
