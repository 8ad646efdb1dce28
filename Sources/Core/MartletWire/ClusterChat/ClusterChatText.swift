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
        let bytes = body.span
        var text = FieldPlace()
        var time = FieldPlace()
        var position = 0
        do throws(Fault) {
            let depth = Limits.jsonDepth
            try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
                if JSONScan.matches(key, bytes, "text") {
                    try text.take("text", bytes, &position, depth: depth)
                } else if JSONScan.matches(key, bytes, "time") {
                    try time.take("time", bytes, &position, depth: depth)
                } else {
                    try JSONScan.skipValue(bytes, &position, depth: depth)
                }
            }
        } catch {
            return nil
        }
        self.time = Self.part(time, bytes, atMost: ClusterChatFields.timeBytes)
        if case .text = event.kind {
            guard let part = Self.part(text, bytes, atMost: .max) else { return nil }
            self.text = part
        } else {
            self.text = .own(ClusterChatEscape.inside(Self.readable(event.kind, body)))
        }
    }

    private static func part(_ place: FieldPlace, _ bytes: Span<UInt8>, atMost count: Int) -> Part? {
        guard let value = place.value, let token = JSONScan.string(at: value, bytes), token.range.count <= count else {
            return nil
        }
        guard token.hasEscapes else { return .body(token.range) }
        return .own(ClusterChatEscape.inside(JSONScan.text(token, bytes)))
    }

    /// A line that stands for what a console cannot show.
    private static func readable(_ kind: EventKind, _ body: [UInt8]) -> String {
        let content = Content(body)
        switch kind {
        case .text: return content["text"]
        case .location:
            let place = "\(content["lat"]),\(content["lon"])"
            return line("location", [content["name"], place])
        case .image, .voice, .video: return line(kind.name, [content["url"]])
        case .file: return line(kind.name, [content["name"], content["url"]])
        case .card: return line(kind.name, [content["userId"]])
        case .redpacket: return line(kind.name, [content["greeting"]])
        case .forward: return line(kind.name, [content["title"]])
        default: return line(kind.name, [])
        }
    }

    private static func line(_ name: String, _ words: [String]) -> String {
        words.reduce("[\(name)]") { $1.isEmpty ? $0 : "\($0) \($1)" }
    }

    /// The fields of a content, numbers as they are written.
    private struct Content {
        private let members: [JSONValue.Member]
        private let body: [UInt8]

        init(_ body: [UInt8]) {
            self.body = body
            if case .object(let members)? = try? JSONValue(parsing: body) {
                self.members = members
            } else {
                members = []
            }
        }

        subscript(name: String) -> String {
            guard let member = members.first(where: { $0.key == name }) else { return "" }
            switch member.value {
            case .string(let text): return text
            case .integer, .number: return String(decoding: body[member.range], as: UTF8.self)
            default: return ""
            }
        }
    }
}
