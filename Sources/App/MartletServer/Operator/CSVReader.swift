/// Reads comma-separated values (RFC 4180): quotes around fields that hold commas, quotes (doubled) or line breaks.
package struct CSVReader: Sendable {
    package struct Row: Sendable, Equatable {
        /// Where the row begins, counted from 1.
        package let line: Int
        package let fields: [String]
    }

    /// Why a text is not CSV.
    package struct Failure: Error, Equatable {
        package let line: Int
        package let message: String
    }

    /// The rows of a whole text. Empty lines are left out.
    package static func rows(_ text: String) throws(Failure) -> [Row] {
        var reader = CSVReader(text)
        var rows: [Row] = []
        while let row = try reader.next() {
            if row.fields != [""] { rows.append(row) }
        }
        return rows
    }

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1

    private init(_ text: String) {
        let bytes = Array(text.utf8)
        // Spreadsheets put a byte order mark in front.
        self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    }

    private mutating func next() throws(Failure) -> Row? {
        guard position < bytes.count else { return nil }
        let start = line
        var fields: [String] = []
        while true {
            fields.append(try field())
            guard position < bytes.count else { break }
            let separator = bytes[position]
            position += 1
            if separator == UInt8(ascii: ",") {
                // A comma at the end of the text has an empty field behind it.
                if position == bytes.count { fields.append("") } else { continue }
            }
            endLine(separator)
            break
        }
        return Row(line: start, fields: fields)
    }

    private mutating func endLine(_ separator: UInt8) {
        if separator == 0x0D, position < bytes.count, bytes[position] == 0x0A { position += 1 }
        line += 1
    }

    /// Ends at a comma, a line break or the end.
    private mutating func field() throws(Failure) -> String {
        guard bytes[position] == UInt8(ascii: "\"") else {
            let start = position
            while position < bytes.count, !Self.isSeparator(bytes[position]) {
                guard bytes[position] != UInt8(ascii: "\"") else {
                    throw Failure(line: line, message: "a quote inside a field without quotes")
                }
                position += 1
            }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }
        return try quotedField()
    }

    private mutating func quotedField() throws(Failure) -> String {
        let start = line
        position += 1
        var content: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") {
                guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                    guard position == bytes.count || Self.isSeparator(bytes[position]) else {
                        throw Failure(line: line, message: "text behind a closing quote")
                    }
                    return String(decoding: content, as: UTF8.self)
                }
                position += 1
            }
            if byte == 0x0A { line += 1 }
            content.append(byte)
        }
        throw Failure(line: start, message: "a quote that is not closed")
    }

    private static func isSeparator(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ",") || byte == 0x0A || byte == 0x0D }
}
