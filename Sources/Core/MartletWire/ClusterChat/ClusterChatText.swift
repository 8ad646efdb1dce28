import MartletCore

/// What a message says to a client that shows text only, and at what time.
struct ClusterChatText {
    /// The inside of a JSON string that needs no further escapes.
    enum Part {
        /// As it stands in the event's body.
        case body(Range<Int>)
        case own([UInt8])
    }

    let text: Part
    /// Nil where the content says none.
    let time: Part?

    /// Nil for what is no message, was recalled, or cannot be read.
    init?(_ event: Event) {
        guard event.kind.isMessage, let body = event.body else { return nil }
        guard let (words, time) = Self.find("text", "time", body) else { return nil }
        self.time = time.flatMap { Self.part($0, body, atMost: ClusterChatFields.timeBytes) }
        if case .text = event.kind {
            guard let words, let part = Self.part(words, body, atMost: .max) else { return nil }
            text = part
        } else {
            text = .own(ClusterChatEscape.inside(Self.readable(event.kind, body)))
        }
    }

    /// Where the values of two fields of a content stand; nil where it is no object. A content may hold a field twice that its type does not know: the
    /// first counts, so that no such message is lost.
    private static func find(
        _ one: StaticString, _ other: StaticString?, _ body: [UInt8]
    ) -> (Range<Int>?, Range<Int>?)? {
        let bytes = body.span
        var found: (Range<Int>?, Range<Int>?)
        var position = 0
        do throws(Fault) {
            try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
                let value = try JSONScan.value(bytes, &position, depth: Limits.jsonDepth)
                if found.0 == nil, JSONScan.matches(key, bytes, one) {
                    found.0 = value
                } else if found.1 == nil, let other, JSONScan.matches(key, bytes, other) {
                    found.1 = value
                }
            }
        } catch {
            return nil
        }
        return found
    }

    private static func part(_ value: Range<Int>, _ body: [UInt8], atMost count: Int) -> Part? {
        let bytes = body.span
        guard let token = JSONScan.string(at: value, bytes), token.range.count <= count else { return nil }
        guard token.hasEscapes else { return .body(token.range) }
        return .own(ClusterChatEscape.inside(JSONScan.text(token, bytes)))
    }

    /// A line that stands for what a console cannot show.
    private static func readable(_ kind: EventKind, _ body: [UInt8]) -> String {
        let words: [String] =
            switch kind {
            case .image, .voice, .video: words("url", nil, body)
            case .file: words("name", "url", body)
            case .location: words("name", nil, body) + [words("lat", "lon", body).joined(separator: ",")]
            case .card: words("userId", nil, body)
            case .redpacket: words("greeting", nil, body)
            case .forward: words("title", nil, body)
            default: []
            }
        return words.reduce("[\(kind.name)]") { $1.isEmpty ? $0 : "\($0) \($1)" }
    }

    /// The texts, or the numbers as they are written, in two fields of a content.
    private static func words(_ one: StaticString, _ other: StaticString?, _ body: [UInt8]) -> [String] {
        let found = find(one, other, body)
        return [found?.0, found?.1].compactMap { value in
            guard let value else { return nil }
            let bytes = body.span
            if let token = JSONScan.string(at: value, bytes) { return JSONScan.text(token, bytes) }
            switch bytes[value.lowerBound] {
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                return String(decoding: body[value], as: UTF8.self)
            default: return nil
            }
        }
    }
}
