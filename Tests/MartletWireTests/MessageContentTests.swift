import MartletCore
import MartletWire
import Testing

@Suite struct MessageContentTests {
    private func check(_ kind: EventKind, _ content: String) throws(Fault) -> MessageContentFacts {
        try MessageContent.check(kind, utf8(content).span)
    }

    private func refusal(_ kind: EventKind, _ content: String) -> Refusal? {
        fault { () throws(Fault) in _ = try check(kind, content) }
    }

    private static let item = #"{"from":5,"fromName":"a","type":"text","content":{"text":"x"},"time":1}"#

    /// A content of each type with every field that the type knows.
    private static let whole: [(EventKind, String)] = [
        (.text, #"{"text":"hello","mentions":[5,9],"replyTo":3}"#),
        (
            .image,
            #"{"fileId":"f1","url":"/files/f1","name":"a.png","size":10,"width":3,"height":4,"durationMs":0,"#
                + #""thumbnail":"/t","replyTo":3}"#
        ),
        (.location, #"{"lat":-90,"lon":180.0,"name":"x"}"#),
        (.card, #"{"userId":5}"#),
        (.sticker, #"{"packId":"p","stickerId":"s"}"#),
        (.redpacket, #"{"packetId":"12","greeting":""}"#),
        (.forward, "{\"items\":[\(item)],\"title\":\"t\"}"),
    ]

    /// The fields that a content of `kind` must have.
    private static func required(_ kind: EventKind) -> [String] {
        switch kind {
        case .text: ["text"]
        case .image, .voice, .video, .file: ["fileId", "url"]
        case .location: ["lat", "lon"]
        case .card: ["userId"]
        case .sticker: ["packId", "stickerId"]
        case .redpacket: ["packetId", "greeting"]
        case .forward: ["items"]
        default: []
        }
    }

    /// The members of a content, by name, each value as it is written.
    private static func members(_ content: String) throws -> [(String, String)] {
        let bytes = utf8(content)
        guard case .object(let members) = try JSONValue(parsing: bytes) else { return [] }
        return members.map { ($0.key, String(decoding: bytes[$0.range], as: UTF8.self)) }
    }

    private static func object(_ members: [(String, String)]) -> String {
        "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    // MARK: Every type

    @Test func takesEveryFieldThatATypeKnows() {
        for (kind, content) in Self.whole { #expect(refusal(kind, content) == nil, "\(content)") }
        for kind in [EventKind.voice, .video, .file] { #expect(refusal(kind, Self.whole[1].1) == nil) }
    }

    @Test func missesWhatATypeRequires() throws {
        for (kind, content) in Self.whole {
            let members = try Self.members(content)
            for (name, _) in members {
                let isRequired = Self.required(kind).contains(name)
                let expected = isRequired ? Refusal(.missingField, "content.\(name)") : nil
                #expect(refusal(kind, Self.object(members.filter { $0.0 != name })) == expected)
                #expect(refusal(kind, Self.object(members.map { ($0.0, $0.0 == name ? "null" : $0.1) })) == expected)
            }
        }
    }

    @Test func refusesEveryFieldOfAWrongKind() throws {
        for (kind, content) in Self.whole {
            let members = try Self.members(content)
            for (name, value) in members {
                for wrong in ["true", "[[]]", "{\"x\":1}", "-1e400", value.hasPrefix("\"") ? "1.5" : "\"1\""] {
                    let wrongContent = Self.object(members.map { ($0.0, $0.0 == name ? wrong : $0.1) })
                    #expect(refusal(kind, wrongContent) == Refusal(.invalidField, "content.\(name)"), "\(wrongContent)")
                }
            }
        }
    }

    @Test func refusesEveryKnownKeyThatIsRepeated() throws {
        for (kind, content) in Self.whole {
            let members = try Self.members(content)
            for (name, value) in members {
                let repeated = Refusal(.repeatedKey, "content.\(name)")
                #expect(refusal(kind, Self.object(members + [(name, value)])) == repeated)
                let escaped = "\\u00" + String(name.utf8.first ?? 0, radix: 16) + name.dropFirst()
                #expect(refusal(kind, Self.object(members + [(escaped, value)])) == repeated)
            }
        }
    }

    @Test func keepsUnknownFields() {
        for (kind, content) in Self.whole {
            let more = content.dropLast() + ",\"x\":1,\"x\":[{\"text\":2}],\"\":null}"
            #expect(refusal(kind, String(more)) == nil)
        }
    }

    @Test func standsEveryCut() {
        for (kind, content) in Self.whole {
            for count in 0..<content.utf8.count {
                let cut = Array(content.utf8.prefix(count)).span
                let isRefused = (try? MessageContent.check(kind, cut)) == nil
                #expect(isRefused)
            }
            #expect(refusal(kind, content + " \n") == nil)
            #expect(refusal(kind, content + "x") == Refusal(.malformedJSON))
        }
    }

    @Test(arguments: ["", "[]", "1", "\"{}\"", "null"])
    func wantsAnObject(_ content: String) {
        for kind in EventKind.allCases where kind.isMessage {
            #expect(refusal(kind, content) == Refusal(.invalidField, "content"))
        }
    }

    @Test func knowsMessagesOnly() {
        for kind in EventKind.allCases where !kind.isMessage {
            #expect(refusal(kind, "{}") == Refusal(.unknownType, "type"))
        }
    }

    @Test func boundsTheSize() {
        let filler = { (count: Int) in "{\"text\":\"a\",\"x\":\"" + String(repeating: "x", count: count - 19) + "\"}" }
        #expect(refusal(.text, filler(Limits.contentBytes)) == nil)
        #expect(refusal(.text, filler(Limits.contentBytes + 1)) == Refusal(.tooLarge, "content"))
        #expect(refusal(.custom, filler(Limits.customContentBytes)) == nil)
        #expect(refusal(.custom, filler(Limits.customContentBytes + 1)) == Refusal(.tooLarge, "content"))
    }

    @Test func boundsTheDepth() {
        let nested = { (levels: Int) in
            String(repeating: "{\"a\":", count: levels - 1) + "{}" + String(repeating: "}", count: levels - 1)
        }
        #expect(refusal(.custom, nested(Limits.customContentDepth)) == nil)
        #expect(refusal(.custom, nested(Limits.customContentDepth + 1)) == Refusal(.tooDeep, "content"))
        #expect(refusal(.card, "{\"userId\":1,\"x\":\(nested(Limits.jsonDepth - 1))}") == nil)
        #expect(refusal(.card, "{\"userId\":1,\"x\":\(nested(Limits.jsonDepth))}")?.reason == .tooDeep)
        #expect(refusal(.custom, nested(1_000))?.reason == .tooDeep)
    }

    // MARK: Text

    @Test func countsCharactersAsUnicodeScalars() {
        let most = Limits.textCharacters.upperBound
        for character in ["a", "é", "語", "\\n", "\\\"", "\\u00e9", "\\u8a9e"] where character.utf8.count * most < 16_300
        {
            #expect(
                refusal(.text, "{\"text\":\"\(String(repeating: character, count: most))\"}") == nil, "\(character)")
            let more = "{\"text\":\"\(String(repeating: character, count: most + 1))\"}"
            #expect(refusal(.text, more) == Refusal(.invalidField, "content.text"), "\(character)")
        }
        let pairs = { (count: Int) in
            "{\"fileId\":\"\(String(repeating: "\\uD83D\\uDE00", count: count))\",\"url\":\"/\"}"
        }
        #expect(refusal(.file, pairs(128)) == nil)
        #expect(refusal(.file, pairs(129)) == Refusal(.invalidField, "content.fileId"))
        let mixed = { (count: Int) in
            "{\"fileId\":\"\(String(repeating: "\\n語👍\\udbff\\udfffx", count: count))\",\"url\":\"/\"}"
        }
        #expect(refusal(.file, mixed(25)) == nil)
        #expect(refusal(.file, mixed(26)) == Refusal(.invalidField, "content.fileId"))
        #expect(refusal(.text, "{\"text\":\"\"}") == Refusal(.invalidField, "content.text"))
    }

    @Test func tellsTheFacts() throws {
        let facts = try check(.text, #"{"text":"a","mentions":[ 9 , 0,5,9 ],"replyTo":12}"#)
        #expect(facts.mentions.map(\.value) == [9, 5])
        #expect(facts.mentionsEveryone)
        #expect(facts.replyTo == 12)
        #expect(try check(.text, #"{"text":"a","mentions":[]}"#) == MessageContentFacts())
        #expect(try check(.image, #"{"fileId":"a","url":"/a","replyTo":7}"#).replyTo == 7)
        #expect(try check(.card, #"{"userId":5,"replyTo":7,"mentions":[1]}"#) == MessageContentFacts())
    }

    @Test func boundsMentions() throws {
        let list = { (count: Int) in
            "{\"text\":\"a\",\"mentions\":[\((1...count).map(String.init).joined(separator: ","))]}"
        }
        #expect(try check(.text, list(50)).mentions.count == 50)
        #expect(refusal(.text, list(51)) == Refusal(.invalidField, "content.mentions"))
        for item in ["-1", "1.5", "\"1\"", "9007199254740992", "null", "[1]"] {
            #expect(
                refusal(.text, "{\"text\":\"a\",\"mentions\":[1,\(item)]}")
                    == Refusal(.invalidField, "content.mentions"))
        }
    }

    @Test(arguments: ["0", "-1", "1.5", "9007199254740992"])
    func refusesAReplyToNothing(_ seq: String) {
        #expect(refusal(.text, "{\"text\":\"a\",\"replyTo\":\(seq)}") == Refusal(.invalidField, "content.replyTo"))
    }

    // MARK: Media

    @Test(arguments: [
        "/a", "/", "/a//b", "http://x/y", "https://x/语?q=%20#f", "\\/files\\/1", "https:\\/\\/x", "\\u002Fa", "/a:b",
    ])
    func takesLinks(_ url: String) {
        #expect(refusal(.file, "{\"fileId\":\"f\",\"url\":\"\(url)\"}") == nil)
    }

    @Test(arguments: [
        "", "a", "//evil.example", "\\/\\/evil", "\\u002f\\u002fevil", "/\\\\evil", "/\\t/evil", "/\\n/evil",
        "javascript:alert(1)",
        "java\\nscript:1", "data:text/html,x", "ftp://x", "HTTPS://x", " /a", "/a b", "http:", "https:", "httpx://a",
        "\\u0000/a",
        "/a\u{7F}", "\\u006aavascript:1",
    ])
    func refusesOtherLinks(_ url: String) {
        let content = { (name: String) in "{\"fileId\":\"f\",\"url\":\"/u\",\"\(name)\":\"\(url)\"}" }
        #expect(refusal(.file, "{\"fileId\":\"f\",\"url\":\"\(url)\"}") == Refusal(.invalidField, "content.url"))
        #expect(refusal(.file, content("thumbnail")) == Refusal(.invalidField, "content.thumbnail"))
    }

    @Test func boundsLinks() {
        let content = { (count: Int) in "{\"fileId\":\"f\",\"url\":\"/\(String(repeating: "x", count: count - 1))\"}" }
        #expect(refusal(.file, content(1024)) == nil)
        #expect(refusal(.file, content(1025)) == Refusal(.invalidField, "content.url"))
    }

    @Test(arguments: ["size", "width", "height", "durationMs"])
    func boundsMeasures(_ name: String) {
        let content = { (value: String) in "{\"fileId\":\"f\",\"url\":\"/u\",\"\(name)\":\(value)}" }
        #expect(refusal(.video, content("9007199254740991")) == nil)
        for value in ["-1", "1.5", "9007199254740992"] {
            #expect(refusal(.video, content(value)) == Refusal(.invalidField, "content.\(name)"))
        }
    }

    // MARK: Others

    @Test func boundsPlaces() {
        let place = { (lat: String, lon: String) in "{\"lat\":\(lat),\"lon\":\(lon)}" }
        for (lat, lon) in [("90", "-180"), ("-90.0", "180e0"), ("0", "-0"), ("1e-400", "1e1")] {
            #expect(refusal(.location, place(lat, lon)) == nil)
        }
        #expect(refusal(.location, place("90.001", "0")) == Refusal(.invalidField, "content.lat"))
        #expect(refusal(.location, place("0", "-180.5")) == Refusal(.invalidField, "content.lon"))
        #expect(refusal(.location, place("1e999", "0")) == Refusal(.invalidField, "content.lat"))
    }

    @Test func takesIdentifiersAsTextOrNumber() {
        let content = { (id: String) in "{\"packId\":\(id),\"stickerId\":\"s\"}" }
        for id in ["\"p\"", "7", "\"\(String(repeating: "x", count: 128))\""] {
            #expect(refusal(.sticker, content(id)) == nil)
        }
        for id in ["\"\"", "0", "-1", "\"\(String(repeating: "x", count: 129))\""] {
            #expect(refusal(.sticker, content(id)) == Refusal(.invalidField, "content.packId"))
        }
    }

    @Test func boundsForwardedMessages() {
        let content = { (count: Int) in
            "{\"items\":[\([String](repeating: Self.item, count: count).joined(separator: ","))]}"
        }
        #expect(refusal(.forward, content(0)) == Refusal(.invalidField, "content.items"))
        #expect(refusal(.forward, content(100)) == nil)
        #expect(refusal(.forward, content(101)) == Refusal(.invalidField, "content.items"))
    }

    @Test func checksForwardedMessages() throws {
        let members = try Self.members(Self.item)
        let content = { (members: [(String, String)]) in "{\"items\":[\(Self.item),\(Self.object(members))]}" }
        for (name, value) in members {
            let path = "content.items.\(name)"
            #expect(refusal(.forward, content(members.filter { $0.0 != name })) == Refusal(.missingField, path))
            #expect(refusal(.forward, content(members + [(name, value)])) == Refusal(.repeatedKey, path))
            #expect(
                refusal(.forward, content(members.map { ($0.0, $0.0 == name ? "true" : $0.1) }))
                    == Refusal(.invalidField, path))
        }
        let unknown = content(members.map { ($0.0, $0.0 == "type" ? "\"edit\"" : $0.1) })
        #expect(refusal(.forward, unknown) == Refusal(.unknownType, "content.items.type"))
        #expect(refusal(.forward, "{\"items\":[1]}") == Refusal(.invalidField, "content.items"))
    }

    /// What is forwarded stays what it was when it was sent, but it nests only so far.
    @Test func nestsForwardedMessagesWithinTheDepth() {
        func forwarded(_ levels: Int) -> String {
            guard levels > 0 else { return "{\"text\":\"x\"}" }
            return
                #"{"items":[{"from":5,"fromName":"","type":"forward","time":0,"content":\#(forwarded(levels - 1))}]}"#
        }
        #expect(refusal(.forward, forwarded(5)) == nil)
        #expect(refusal(.forward, forwarded(6))?.reason == .tooDeep)
        #expect(refusal(.forward, forwarded(60))?.reason == .tooDeep)
    }

    // MARK: Fuzz

    @Test func standsMutatedContents() {
        var random = SplitMix64(seed: 13)
        for _ in 0..<1_000 {
            for (kind, content) in Self.whole + [(.custom, Self.whole[0].1)] {
                let input = random.mutated(utf8(content))
                guard UTF8Validator.isValid(input.span) else { continue }
                _ = try? MessageContent.check(kind, input.span)
            }
        }
    }
}
