import MartletCore

/// A request's path and query, decoded strictly, as `FormText` says.
struct RequestTarget: Sendable {
    static let queryItems = 64

    /// Decoded segments between the slashes: `["api", "user"]`. An empty segment stays one, so that `//api` is not `/api`.
    let segments: [String]
    let query: [(name: String, value: String)]

    init(_ text: String) throws(Fault) {
        let parts = Array(text.utf8).split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first, path.first == UInt8(ascii: "/") else {
            throw Fault(.notFound, "there is nothing here")
        }
        var segments: [String] = []
        for segment in path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            segments.append(try FormText.decode(segment, plusIsSpace: false, field: "path"))
        }
        self.segments = segments
        query = parts.count > 1 ? try FormText.pairs(parts[1], maximum: Self.queryItems, field: "query") : []
    }
}
