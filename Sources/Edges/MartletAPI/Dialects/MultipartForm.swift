import MartletCore
import MartletWire

/// What `curl -F` and Postman write forms in (`multipart/form-data`, RFC 7578), decoded strictly: text fields only, nothing before the
/// first part or behind the last, lines that end with CR LF.
struct MultipartForm {
    static let maximumParts = 32
    /// Of a part's header fields, in bytes.
    static let maximumHead = 1024
    private static let boundaryBytes = 1...70
    private static let end = Array("\r\n\r\n".utf8)
    private static let line = Array("\r\n".utf8)

    /// What stands between two parts: a line's end, two hyphens and the boundary.
    private let delimiter: [UInt8]

    /// - Parameter type: the body's Content-Type.
    init(_ type: HeaderParameters) throws(Fault) {
        guard let boundary = type["boundary"], Self.boundaryBytes.contains(boundary.utf8.count),
            boundary.utf8.allSatisfy(Self.isBoundary), boundary.utf8.last != UInt8(ascii: " ")
        else { throw .invalid("body", "a boundary of 1 to 70 characters is expected") }
        delimiter = Self.line + Array("--\(boundary)".utf8)
    }

    /// RFC 2046, section 5.1.1.
    private static func isBoundary(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "'()+_,-./:=? ".utf8.contains(byte)
        }
    }

    /// Names with their values, in order. Values may have line breaks and tabs, and no other control characters.
    func fields(_ body: [UInt8]) throws(Fault) -> [(name: String, value: String)] {
        var rest = body[...]
        if rest.starts(with: Self.line) { rest.removeFirst(Self.line.count) }
        guard rest.starts(with: delimiter.dropFirst(Self.line.count)) else {
            throw .invalid("body", "a form begins with its boundary")
        }
        rest.removeFirst(delimiter.count - Self.line.count)
        var fields: [(name: String, value: String)] = []
        while try isFollowedByPart(&rest) {
            guard fields.count < Self.maximumParts else { throw .invalid("body", "too many parameters") }
            let name = try head(&rest)
            fields.append((name, try FormText.text(Array(try value(&rest)), lines: true, field: "body")))
        }
        return fields
    }

    /// Reads the rest of a boundary's line; false behind the last part.
    private func isFollowedByPart(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> Bool {
        if rest.starts(with: "--".utf8) {
            let isEnd = rest.dropFirst(2).allSatisfy { " \t\r\n".utf8.contains($0) }
            guard isEnd else { throw .invalid("body", "nothing is expected behind a form's end") }
            return false
        }
        rest = rest.drop { " \t".utf8.contains($0) }
        guard rest.starts(with: Self.line) else { throw .invalid("body", "a boundary stands on a line of its own") }
        rest.removeFirst(Self.line.count)
        return true
    }

    /// Reads a part's header fields, but for their last line's end, which may be the beginning of the next boundary.
    /// Returns the part's name.
    private func head(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> String {
        guard let end = rest.prefix(Self.maximumHead).place(of: Self.end) else {
            throw .invalid("body", "a part begins with at most \(Self.maximumHead) bytes of header fields")
        }
        var (head, name) = (rest[..<end], String?.none)
        while !head.isEmpty {
            let line = head[..<(head.place(of: Self.line) ?? head.endIndex)]
            head = head[line.endIndex...].dropFirst(Self.line.count)
            guard let named = try Self.name(line) else { continue }
            guard name == nil else { throw .invalid("body", "a part has two names") }
            name = named
        }
        guard let name else { throw .invalid("body", "a part has no name") }
        rest = rest[(end + Self.line.count)...]
        return name
    }

    /// The part's name where this header field has it. Throws for what is no header field, and for those of parts that
    /// are no text.
    private static func name(_ line: ArraySlice<UInt8>) throws(Fault) -> String? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
            throw .invalid("body", "a part's header field has no name")
        }
        let name = try FormText.text(Array(line[..<colon]), field: "body").lowercased()
        let text = line[(colon + 1)...].trimmed
        let isAllowed: Bool
        switch name {
        case "content-disposition":
            let disposition = try HeaderParameters(text)
            guard disposition["filename"] == nil, disposition["filename*"] == nil else {
                throw .invalid("body", "files are not taken")
            }
            guard disposition.value == "form-data", let name = disposition["name"] else {
                throw .invalid("body", "a part has no name")
            }
            return name
        case "content-type": isAllowed = !(try HeaderParameters(text).value.hasPrefix("multipart/"))
        case "content-transfer-encoding":
            isAllowed = ["7bit", "8bit", "binary"].contains(try HeaderParameters(text).value)
        default:
            _ = try FormText.text(Array(text), field: "body")
            isAllowed = name.utf8.allSatisfy { $0 > UInt8(ascii: " ") }
        }
        guard isAllowed else { throw .invalid("body", "parts are plain text") }
        return nil
    }

    /// Reads a part's value and the boundary behind it, from the end of the header fields' last line on.
    private func value(_ rest: inout ArraySlice<UInt8>) throws(Fault) -> ArraySlice<UInt8> {
        guard let end = rest.place(of: delimiter) else { throw .invalid("body", "the form has no end") }
        defer { rest = rest[(end + delimiter.count)...] }
        // A part without a value may have one line's end before the boundary, or two.
        return rest[..<end].dropFirst(Self.line.count)
    }
}

extension ArraySlice<UInt8> {
    /// Where these bytes, which begin with CR, begin for the first time.
    fileprivate func place(of bytes: [UInt8]) -> Int? {
        var rest = self
        while let place = rest.firstIndex(of: UInt8(ascii: "\r")) {
            rest = rest[place...]
            if rest.starts(with: bytes) { return place }
            rest.removeFirst()
        }
        return nil
    }
}
