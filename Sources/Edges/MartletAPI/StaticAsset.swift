/// A file of the web page, held in memory.
package struct StaticAsset: Sendable {
    /// As requested: `/`, `/main.js`.
    package let path: String
    package let contentType: String
    package let bytes: [UInt8]
    /// With its quotes.
    package let etag: String

    package init(path: String, contentType: String, bytes: [UInt8], etag: String) {
        self.path = path
        self.contentType = contentType
        self.bytes = bytes
        self.etag = etag
    }

    /// True where the browser's `If-None-Match` names this version (RFC 9110, weak comparison).
    func isCurrent(_ ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        if ifNoneMatch == "*" { return true }
        let version = Self.opaque(etag[...])
        return ifNoneMatch.split(separator: ",").contains { Self.opaque($0) == version }
    }

    private static func opaque(_ tag: Substring) -> Substring {
        var tag = tag.drop { $0 == " " }
        while tag.last == " " { tag.removeLast() }
        return tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
    }
}
