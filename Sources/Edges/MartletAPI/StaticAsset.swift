/// A file of the web page, held in memory: as it is and, where that is worth it, compressed.
package struct StaticAsset: Sendable {
    /// What goes out to one who accepts it.
    struct Form: Sendable {
        let bytes: [UInt8]
        /// With its quotes; each form has its own.
        let etag: String
        /// The `Content-Encoding`, where there is one.
        let encoding: String?

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

    /// As requested: `/`, `/main.js`.
    package let path: String
    package let contentType: String
    private let plain: Form
    private let compressed: Form?

    /// `etag` is that of the bytes as they are, with its quotes. Compresses them, which takes its time: to be made once.
    package init(path: String, contentType: String, bytes: [UInt8], etag: String) {
        self.path = path
        self.contentType = contentType
        plain = Form(bytes: bytes, etag: etag, encoding: nil)
        compressed = Gzip.compress(bytes).map { Form(bytes: $0, etag: "\(etag.dropLast())-gzip\"", encoding: "gzip") }
    }

    /// Whether the answer depends on `Accept-Encoding`.
    var varies: Bool { compressed != nil }

    func form(accepting acceptEncoding: String?) -> Form {
        guard let compressed, Gzip.isAccepted(by: acceptEncoding) else { return plain }
        return compressed
    }
}
