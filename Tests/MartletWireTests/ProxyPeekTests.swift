import MartletWire
import Testing

@Suite struct ProxyPeekTests {
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// A header of version 2, spelled out so that it may be wrong.
    private static func block(
        _ content: [UInt8], version: UInt8 = 2, command: UInt8 = 1, kind: UInt8 = 0x11, length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? content.count
        return signature + [version << 4 | command, kind, UInt8(length >> 8), UInt8(length & 0xFF)] + content
    }

    private static let v4: [UInt8] = [203, 0, 113, 5, 10, 0, 0, 1, 0x12, 0x34, 0x1F, 0x90]
    private static let v6: [UInt8] =
        [0x20, 1, 0xD, 0xB8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4] + [UInt8](repeating: 0, count: 15) + [1] + [
            1, 2, 3, 4,
        ]

    private func peek(_ bytes: [UInt8]) -> ProxyPeek { ProxyPeek.read(bytes.span) }

    private func source(_ bytes: [UInt8]) -> String? {
        guard case .header(let source, _) = peek(bytes) else { return nil }
        return source?.rateName
    }

    // MARK: Version 1

    @Test(arguments: [
        ("PROXY TCP4 203.0.113.5 10.0.0.1 56324 443", "203.0.113.5"),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255"),
        ("PROXY TCP4 203.0.113.5 10.0.0.1 0 0", "203.0.113.5"),
        ("PROXY TCP6 2001:db8:1:2:3::4 ::1 1 2", "2001:db8:1:2::/64"),
        ("PROXY TCP6 2001:DB8:1:2::4 ::1 1 2", "2001:db8:1:2::/64"),
        ("PROXY TCP6 ::ffff:203.0.113.5 ::1 1 2", "203.0.113.5"),
    ])
    func readsALine(line: String, name: String) {
        let bytes = utf8(line + "\r\n")
        #expect(peek(bytes) == .header(source: IPAddress(line.split(separator: " ")[2]), bytes: bytes.count))
        #expect(source(bytes + utf8("GET / HTTP/1.1\r\n")) == name)
    }

    @Test(arguments: [
        "PROXY UNKNOWN", "PROXY UNKNOWN ", "PROXY UNKNOWN 203.0.113.5 10.0.0.1 1 2", "PROXY UNKNOWN anything at all",
    ])
    func keepsThePeerOfAnUnknownLine(line: String) {
        let bytes = utf8(line + "\r\n")
        #expect(peek(bytes + utf8("rest")) == .header(source: nil, bytes: bytes.count))
    }

    @Test(arguments: [
        "PROXY ", "PROXY TCP4", "PROXY TCP5 203.0.113.5 10.0.0.1 1 2", "PROXY tcp4 203.0.113.5 10.0.0.1 1 2",
        "PROXY UNKNOWNX", "PROXY TCP4  203.0.113.5 10.0.0.1 1 2", "PROXY TCP4 203.0.113.5 10.0.0.1 1 2 ",
        "PROXY TCP4 203.0.113.5 10.0.0.1 1", "PROXY TCP4 203.0.113 10.0.0.1 1 2",
        "PROXY TCP4 203.0.113.05 10.0.0.1 1 2",
        "PROXY TCP4 203.0.113.256 10.0.0.1 1 2", "PROXY TCP4 203.0.113.5 here 1 2", "PROXY TCP4 ::1 ::1 1 2",
        "PROXY TCP6 203.0.113.5 10.0.0.1 1 2", "PROXY TCP6 fe80::1%eth0 ::1 1 2", "PROXY TCP6 1::2::3 ::1 1 2",
        "PROXY TCP4 203.0.113.5 10.0.0.1 65536 2", "PROXY TCP4 203.0.113.5 10.0.0.1 1 -2",
        "PROXY TCP4 203.0.113.5 10.0.0.1 +1 2", "PROXY TCP4 203.0.113.5 10.0.0.1 01 2",
        "PROXY TCP4 203.0.113.5\0 10.0.0.1 1 2", "PROXY TCP4 203.0.113.5 10.0.0.1 1 2\n",
        "PROXY TCP4\t203.0.113.5 10.0.0.1 1 2",
    ])
    func refusesALineThatIsNone(line: String) {
        #expect(peek(utf8(line + "\r\n")) == .refused(.malformed))
    }

    @Test func boundsALine() {
        let longest = "PROXY UNKNOWN " + String(repeating: "x", count: 107 - 16)
        #expect(peek(utf8(longest + "\r\n")) == .header(source: nil, bytes: 107))
        #expect(peek(utf8(longest + "x\r\n")) == .refused(.tooLong))
        #expect(peek(utf8(longest + "\r")) == .incomplete)
        #expect(peek(utf8(longest + "xx")) == .refused(.tooLong))
    }

    // MARK: Version 2

    @Test func readsABlock() {
        let (v4, v6) = (Self.block(Self.v4), Self.block(Self.v6, kind: 0x21))
        #expect(peek(v4 + [1]) == .header(source: IPAddress("203.0.113.5"), bytes: 28))
        #expect(peek(v6 + [1]) == .header(source: IPAddress("2001:db8:1:2::4"), bytes: 52))
    }

    @Test func skipsExtensions() {
        let extended = Self.block(Self.v4 + [0x04, 0, 3, 1, 2, 3] + [0xE0, 0, 1, 9])
        #expect(peek(extended + utf8("GET")) == .header(source: IPAddress("203.0.113.5"), bytes: extended.count))
    }

    @Test func boundsExtensions() {
        let longest = Self.block(Self.v4 + [UInt8](repeating: 0, count: 536 - 12))
        #expect(peek(longest) == .header(source: IPAddress("203.0.113.5"), bytes: 552))
        #expect(peek(Self.block([], length: 537)) == .refused(.tooLong))
        #expect(peek(Self.block([], command: 0, length: 65_535)) == .refused(.tooLong))
    }

    @Test(arguments: [0x00, 0x11, 0x21, 0x31, 0x77, 0xFF] as [UInt8])
    func keepsThePeerOfALocalCommand(kind: UInt8) {
        #expect(peek(Self.block([], command: 0, kind: kind)) == .header(source: nil, bytes: 16))
        #expect(peek(Self.block(Self.v4, command: 0, kind: kind)) == .header(source: nil, bytes: 28))
    }

    @Test(arguments: [(0x00, 0), (0x00, 7), (0x01, 0), (0x12, 12), (0x10, 12), (0x22, 36), (0x31, 216), (0x32, 216)])
    func keepsThePeerWithoutAnInternetStream(kind: UInt8, count: Int) {
        let bytes = Self.block([UInt8](repeating: 7, count: count), kind: kind)
        #expect(peek(bytes) == .header(source: nil, bytes: 16 + count))
    }

    @Test(arguments: [(0x11, 11), (0x11, 0), (0x21, 35), (0x31, 215), (0x12, 11), (0x13, 12), (0x1F, 12), (0x41, 300)])
    func refusesABlockThatIsNone(kind: UInt8, count: Int) {
        #expect(peek(Self.block([UInt8](repeating: 7, count: count), kind: kind)) == .refused(.malformed))
    }

    @Test func refusesOtherVersionsAndCommands() {
        #expect(peek(Self.block(Self.v4, version: 1)) == .refused(.unsupported))
        #expect(peek(Self.block(Self.v4, version: 3)) == .refused(.unsupported))
        #expect(peek(Self.block(Self.v4, command: 2)) == .refused(.unsupported))
    }

    // MARK: Neither

    @Test(arguments: ["GET / HTTP/1.1\r\n", "POST", "PX", "proxy ", "\r\n\r\nG", "\n", "\u{16}\u{3}\u{1}"])
    func missesAHeader(text: String) {
        #expect(peek(utf8(text)) == .refused(.missing))
        #expect(ProxyPeek.isHeader(utf8(text).span) == false)
    }

    @Test(arguments: ["PROXY ", "PROXY nonsense", "\r\n\r\n\0\r\nQUIT\n"])
    func knowsAHeaderWhereNoneMayBe(text: String) { #expect(ProxyPeek.isHeader(utf8(text).span) == true) }

    // MARK: Splits

    private static let samples: [[UInt8]] =
        [
            "PROXY TCP4 203.0.113.5 10.0.0.1 56324 443\r\nGET /", "PROXY TCP6 2001:db8::4 ::1 1 2\r\n",
            "PROXY UNKNOWN x y\r\n", "PROXY TCP4 203.0.113.5\r\n", "PROXY " + String(repeating: "x", count: 110),
            "GET / HTTP/1.1", "PUT /",
        ].map(utf8) + [
            block(v4), block(v6, kind: 0x21) + [1, 2], block(v4 + [4, 0, 1, 0]), block([], command: 0),
            block(v4, version: 3), block(v4, command: 9), block(v4, kind: 0x41), block(v4, length: 11),
            block(v4, length: 600), signature.dropLast() + [0],
        ]

    @Test(arguments: samples)
    func decidesOnceAtEverySplit(_ bytes: [UInt8]) throws {
        let whole = peek(bytes)
        try #require(whole != .incomplete)
        let isHeader = ProxyPeek.isHeader(bytes.span)
        var (isDecided, isKnown) = (false, false)
        for count in 0...bytes.count {
            let part = Array(bytes[..<count])
            let outcome = peek(part)
            #expect(outcome == whole || (outcome == .incomplete && !isDecided), "after \(count) bytes")
            isDecided = outcome != .incomplete
            let answer = ProxyPeek.isHeader(part.span)
            #expect(answer == isHeader || (answer == nil && !isKnown), "after \(count) bytes")
            isKnown = answer != nil
        }
    }

    @Test func survivesAnyBytes() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<20_000 {
            let sample = Self.samples[random.below(Self.samples.count)]
            let bytes = random.mutated(sample)
            guard case .header(_, let count) = peek(bytes) else { continue }
            #expect(count <= bytes.count && count <= 552)
        }
    }
}
