import MartletCore
import MartletWire
import Testing

/// What a session does with a stream: it keeps what is not cut, and hands it over again with what comes next.
struct ClusterChatStream {
    private let dialect = ClusterChat(.seed).dialect
    private var kept: [UInt8] = []
    private var progress = StreamProgress()
    private(set) var messages: [String] = []
    private(set) var violation: Fault.Reason?
    var keptCount: Int { kept.count }
    /// Whether what need not be kept is kept all the same.
    var isLazy = false

    mutating func feed(_ piece: some Sequence<UInt8>) {
        kept += piece
        while violation == nil {
            var state = progress
            let cut = dialect.cut(kept.span, &state)
            progress = state
            switch cut {
            case .incomplete(let dropping):
                if !isLazy { kept.removeFirst(dropping) }
                return
            case .message(let range, let end):
                messages.append(String(decoding: kept[range], as: UTF8.self))
                kept.removeFirst(end)
                progress = StreamProgress()
            case .violation(let fault): violation = fault.reason
            }
        }
    }

    static func read(_ pieces: [some Sequence<UInt8>], isLazy: Bool = false) -> ClusterChatStream {
        var stream = ClusterChatStream()
        stream.isLazy = isLazy
        for piece in pieces { stream.feed(piece) }
        return stream
    }
}

@Suite struct ClusterChatFramingTests {
    static let objects = [
        #"{"msgid":1,"id":1,"password":"a\"b}{\\"}"#, #"{}"#, #"{"a":{"b":[{"c":"]}"}]},"d":"\\\\\""}"#,
        #"{"msg":"你好 👍 \u007d"}"#, "{\"a\":\"line\nbreak\"}", "{ ]",
    ]
    static let stream = Array(
        ("\0 \r\n" + objects[0] + "\0" + objects[1] + objects[2] + "\n" + objects[3] + " \0\0\t" + objects[4] + "\0"
            + objects[5] + "\0\0").utf8)

    @Test func findsEachMessageWhole() {
        let stream = ClusterChatStream.read([Self.stream])
        #expect(stream.messages == Self.objects)
        #expect(stream.violation == nil)
        #expect(stream.keptCount == 0)
    }

    @Test func doesNotMindWhereTheBytesAreSplit() {
        for split in 0...Self.stream.count {
            for isLazy in [false, true] {
                let pieces = [Self.stream[..<split], Self.stream[split...]]
                let stream = ClusterChatStream.read(pieces, isLazy: isLazy)
                #expect(stream.messages == Self.objects, "split at \(split)")
                #expect(stream.violation == nil)
            }
        }
    }

    @Test func takesBytesOneByOne() {
        for isLazy in [false, true] {
            let stream = ClusterChatStream.read(Self.stream.map { [$0] }, isLazy: isLazy)
            #expect(stream.messages == Self.objects)
            #expect(stream.violation == nil)
        }
    }

    @Test func keepsNothingOfWhiteSpace() {
        var stream = ClusterChatStream()
        for _ in 0..<100 { stream.feed(Array(repeating: 0, count: 1000)) }
        #expect(stream.keptCount == 0)
    }

    /// The progress moves with the bytes: no look begins where an earlier one did.
    @Test func looksAtNoByteTwice() {
        let dialect = ClusterChat(.seed).dialect
        let bytes = utf8(#"{"msg":""# + String(repeating: "x", count: 1000) + #"","a":[1,2,3]"#)
        var progress = StreamProgress()
        for count in 1...bytes.count {
            let before = progress.position
            let cut = dialect.cut(bytes.span.extracting(..<count), &progress)
            guard case .incomplete(0) = cut else {
                Issue.record("\(cut)")
                return
            }
            #expect(before == count - 1)
            #expect(progress.position == count)
        }
    }

    @Test(arguments: ["x", "[1]", "\"{\"", "1", "}", "]", "\u{FEFF}{}", "GET / HTTP/1.1\r\n"])
    func refusesAnythingElseBetweenObjects(_ garbage: String) {
        let stream = ClusterChatStream.read([utf8("{} \0" + garbage)])
        #expect(stream.messages == ["{}"])
        #expect(stream.violation == .malformedJSON)
    }

    @Test func refusesAMessageThatIsTooLong() {
        let frame = #"{"msg":""}"#.utf8.count
        for (extra, isTooLong) in [(0, false), (1, true)] {
            let text = String(repeating: "x", count: Limits.requestBytes - frame + extra)
            let message = utf8(#"{"msg":""# + text + #""}"#)
            for pieces in [[message[...]], [message[..<1000], message[1000...]]] {
                let stream = ClusterChatStream.read(pieces)
                #expect(stream.violation == (isTooLong ? .tooLarge : nil))
                #expect(stream.messages.count == (isTooLong ? 0 : 1))
            }
        }
        let endless = ClusterChatStream.read([utf8("  {") + Array(repeating: 0x20, count: Limits.requestBytes)])
        #expect(endless.violation == .tooLarge)
    }

    @Test func refusesDeepNesting() {
        func nested(_ depth: Int) -> [UInt8] {
            utf8(String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth))
        }
        #expect(ClusterChatStream.read([nested(Limits.jsonDepth)]).messages.count == 1)
        #expect(ClusterChatStream.read([nested(Limits.jsonDepth + 1)]).violation == .tooDeep)
        let lists = utf8(#"{"a":"# + String(repeating: "[", count: 30_000))
        #expect(ClusterChatStream.read([lists]).violation == .tooDeep)
    }

    @Test func understandsAClientAgainBehindABrokenMessage() {
        let stream = ClusterChatStream.read([utf8("{\"msg\":\"broken\\\0{\"msgid\":1}\0")])
        #expect(stream.messages == [#"{"msg":"broken\"#, #"{"msgid":1}"#])
    }
}
