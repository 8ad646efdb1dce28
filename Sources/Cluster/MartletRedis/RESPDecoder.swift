import NIOCore

/// Takes bytes as they come, in pieces of any size, and gives the values in them. Pure. What it holds is bounded: the
/// values' elements by `RESPBounds`, bytes by what was received.
package struct RESPDecoder {
    /// An array, a map or a push whose elements are not all there yet.
    private struct Open {
        let type: UInt8
        var missing: Int
        var elements: [RESPValue] = []
    }

    private let bounds: RESPBounds
    private var buffer = ByteBuffer()
    /// From the reader's index on: no line ends there, so that a long line is looked through once.
    private var searched = 0
    /// The length of the string whose head was read.
    private var bulk: Int?
    private var open: [Open] = []
    private var elements = 0

    package init(_ bounds: RESPBounds = RESPBounds()) { self.bounds = bounds }

    package mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        guard buffer.readableBytes > 0 else {
            buffer = bytes
            return
        }
        var bytes = bytes
        buffer.discardReadBytes()
        buffer.writeBuffer(&bytes)
    }

    /// The next whole value, or nil until more bytes come. After an error nothing more comes.
    package mutating func next() throws(RESPDamage) -> RESPValue? {
        while var value = try nextPart() {
            // A value may be the last of what holds it, and so on upwards.
            var isWhole = true
            while let last = open.indices.last {
                open[last].elements.append(value)
                open[last].missing -= 1
                guard open[last].missing == 0 else {
                    isWhole = false
                    break
                }
                value = Self.close(open.removeLast())
            }
            guard isWhole else { continue }
            elements = 0
            return value
        }
        return nil
    }

    /// A value without elements, whole. Opens those with elements, and goes on to the first of these.
    private mutating func nextPart() throws(RESPDamage) -> RESPValue? {
        while true {
            if let length = bulk { return try readBulk(length) }
            guard let line = try readLine(), let type = line.first else { return nil }
            switch type {
            case UInt8(ascii: "$"), UInt8(ascii: "="):
                let length = try Self.number(line)
                if length == -1 { return .null }
                guard length >= 0, length <= bounds.bulkBytes else { throw RESPDamage(.bulkTooLong) }
                bulk = Int(length)
            case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: "%"), UInt8(ascii: ">"):
                if let empty = try openValue(type, try Self.number(line)) { return empty }
            default:
                return try Self.scalar(type, line)
            }
        }
    }

    private mutating func openValue(_ type: UInt8, _ count: Int64) throws(RESPDamage) -> RESPValue? {
        if count == -1, type == UInt8(ascii: "*") { return .null }
        guard count >= 0, count <= bounds.elements else { throw RESPDamage(.tooManyElements) }
        guard type != UInt8(ascii: ">") || open.isEmpty else { throw RESPDamage(.pushInside) }
        let parts = type == UInt8(ascii: "%") ? Int(count) * 2 : Int(count)
        elements += parts
        guard elements <= bounds.elements else { throw RESPDamage(.tooManyElements) }
        guard parts > 0 else { return Self.close(Open(type: type, missing: 0)) }
        guard open.count < bounds.depth else { throw RESPDamage(.tooDeep) }
        // Nothing is reserved for what was only announced.
        open.append(Open(type: type, missing: parts))
        return nil
    }

    private static func close(_ open: Open) -> RESPValue {
        switch open.type {
        case UInt8(ascii: "%"): .map(open.elements)
        case UInt8(ascii: ">"): .push(open.elements)
        default: .array(open.elements)
        }
    }

    private mutating func readBulk(_ length: Int) throws(RESPDamage) -> RESPValue? {
        guard buffer.readableBytes >= length + 2, let bytes = buffer.readSlice(length: length),
            let end = buffer.readInteger(as: UInt16.self)
        else { return nil }
        guard end == 0x0D0A else { throw RESPDamage(.badLineEnd) }
        bulk = nil
        return .bytes(bytes)
    }

    /// A line without its end, or nil until its end comes.
    private mutating func readLine() throws(RESPDamage) -> [UInt8]? {
        let start = buffer.readerIndex
        let found = buffer.withUnsafeReadableBytes { bytes in
            bytes.dropFirst(searched).firstIndex(of: 0x0A)
        }
        guard let end = found else {
            searched = buffer.readableBytes
            guard searched <= bounds.lineBytes else { throw RESPDamage(.lineTooLong) }
            return nil
        }
        searched = 0
        guard end <= bounds.lineBytes else { throw RESPDamage(.lineTooLong) }
        guard end > 1, let line = buffer.getBytes(at: start, length: end - 1),
            buffer.getInteger(at: start + end - 1, as: UInt8.self) == 0x0D
        else { throw RESPDamage(.badLineEnd) }
        buffer.moveReaderIndex(forwardBy: end + 1)
        return line
    }

    private static func scalar(_ type: UInt8, _ line: [UInt8]) throws(RESPDamage) -> RESPValue {
        switch type {
        case UInt8(ascii: "+"), UInt8(ascii: "("):
            return .bytes(ByteBuffer(bytes: line[1...]))
        case UInt8(ascii: "-"):
            return .error(String(decoding: line[1...], as: UTF8.self))
        case UInt8(ascii: ":"):
            return .integer(try number(line))
        case UInt8(ascii: "_"):
            return .null
        case UInt8(ascii: "#"):
            guard line.count == 2, line[1] == UInt8(ascii: "t") || line[1] == UInt8(ascii: "f") else {
                throw RESPDamage(.badNumber)
            }
            return .boolean(line[1] == UInt8(ascii: "t"))
        case UInt8(ascii: ","):
            guard line.count <= 64, let value = Double(String(decoding: line[1...], as: UTF8.self)) else {
                throw RESPDamage(.badNumber)
            }
            return .double(value)
        default:
            throw RESPDamage(.unknownType)
        }
    }

    /// The number after the type.
    private static func number(_ line: [UInt8]) throws(RESPDamage) -> Int64 {
        guard line.count <= 21, line.count > 1, line[1] != UInt8(ascii: "+"),
            let value = Int64(String(decoding: line[1...], as: UTF8.self))
        else {
            throw RESPDamage(.badNumber)
        }
        return value
    }
}
