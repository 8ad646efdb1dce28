import MartletCore

/// A field that a message type knows, and what it takes.
struct MessageField: Sendable {
    enum Rule: Sendable {
        /// In characters.
        case text(ClosedRange<Int>)
        /// `http:`, `https:` or a path that begins with one `/`.
        case link
        /// A text of 1 to 128 characters, or a positive integer.
        case identifier
        case integer(ClosedRange<Int64>)
        /// The `seq` of the message that is answered.
        case replyTo
        case number(ClosedRange<Double>)
        case mentions
        /// The name of a message type.
        case messageType
        case object
        /// Forwarded messages.
        case items
    }

    let name: StaticString
    let rule: Rule
    let isRequired: Bool

    private init(_ name: StaticString, _ rule: Rule, isRequired: Bool = true) {
        self.name = name
        self.rule = rule
        self.isRequired = isRequired
    }

    private static func optional(_ name: StaticString, _ rule: Rule) -> MessageField {
        MessageField(name, rule, isRequired: false)
    }

    /// What a message type knows; `custom` knows nothing.
    static func fields(of kind: EventKind) -> [MessageField] {
        switch kind {
        case .text: text
        case .image, .voice, .video, .file: media
        case .location: location
        case .card: card
        case .sticker: sticker
        case .redpacket: redpacket
        case .forward: forward
        default: []
        }
    }

    private static let count = Rule.integer(0...maximumIdentifier)
    /// Names and titles, where the protocol sets no bound: what file systems allow.
    private static let label = Rule.text(0...255)

    private static let text = [
        MessageField("text", .text(Limits.textCharacters)), optional("mentions", .mentions),
        optional("replyTo", .replyTo),
    ]

    private static let media = [
        MessageField("fileId", .text(1...128)), MessageField("url", .link), optional("name", label),
        optional("size", count), optional("width", count), optional("height", count), optional("durationMs", count),
        optional("thumbnail", .link), optional("replyTo", .replyTo),
    ]

    private static let location = [
        MessageField("lat", .number(-90...90)), MessageField("lon", .number(-180...180)), optional("name", label),
    ]

    private static let card = [MessageField("userId", .integer(1...maximumIdentifier))]

    private static let sticker = [MessageField("packId", .identifier), MessageField("stickerId", .identifier)]

    private static let redpacket = [MessageField("packetId", .identifier), MessageField("greeting", label)]

    private static let forward = [MessageField("items", .items), optional("title", label)]

    static let forwardedItem = [
        MessageField("from", count), MessageField("fromName", label), MessageField("type", .messageType),
        MessageField("content", .object), MessageField("time", count),
    ]

    /// Whether a client may make a link of the text, or load it. Browsers read `\` as `/` and drop tabs and line
    /// breaks, so that either could turn a path of ours into another host's.
    static func isLink(_ token: JSONScan.StringToken, _ bytes: Span<UInt8>) -> Bool {
        guard (1...1024).contains(JSONScan.scalarCount(token, bytes)) else { return false }
        guard token.hasEscapes else { return isLink(bytes.extracting(token.range)) }
        return isLink(Array(JSONScan.text(token, bytes).utf8).span)
    }

    private static func isLink(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where text[index] <= 0x20 || text[index] == 0x7F || text[index] == UInt8(ascii: "\\")
        {
            return false
        }
        if text[0] == UInt8(ascii: "/") { return text.count == 1 || text[1] != UInt8(ascii: "/") }
        return begins(text, "http:") || begins(text, "https:")
    }

    private static func begins(_ text: Span<UInt8>, _ scheme: StaticString) -> Bool {
        let count = scheme.utf8CodeUnitCount
        return text.count > count && JSONScan.matches(0..<count, text, scheme)
    }
}
