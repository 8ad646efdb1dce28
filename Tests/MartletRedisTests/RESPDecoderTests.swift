import MartletRedis
import NIOCore
import Testing

@Suite struct RESPDecoderTests {
    private static let samples: [(text: String, values: [RESPValue])] = [
        ("+OK\r\n", [.text("OK")]),
        ("-ERR no\r\n", [.error("ERR no")]),
        (":-12\r\n,1.5\r\n#t\r\n#f\r\n_\r\n", [.integer(-12), .double(1.5), .boolean(true), .boolean(false), .null]),
        ("$0\r\n\r\n$3\r\na\r\n\r\n$-1\r\n", [.text(""), .text("a\r\n"), .null]),
        ("*0\r\n*2\r\n:1\r\n*1\r\n+a\r\n*-1\r\n", [.array([]), .array([.integer(1), .array([.text("a")])]), .null]),
        ("%1\r\n+k\r\n*1\r\n:2\r\n", [.map([.text("k"), .array([.integer(2)])])]),
        (
            ">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n:1\r\n",
            [.push([.text("smessage"), .text("c"), .text("hi")]), .integer(1)]
        ),
        (
            "~2\r\n:1\r\n*0\r\n=5\r\ntxt:a\r\n(99\r\n",
            [.array([.integer(1), .array([])]), .text("txt:a"), .text("99")]
        ),
    ]

    private func decode(_ pieces: [ByteBuffer], _ bounds: RESPBounds = RESPBounds()) throws -> [RESPValue] {
        var decoder = RESPDecoder(bounds)
        var values: [RESPValue] = []
        for piece in pieces {
            decoder.append(piece)
            while let value = try decoder.next() { values.append(value) }
        }
        return values
    }

    @Test func `Every split of the bytes gives the same values`() throws {
        for (text, values) in Self.samples {
            let whole = ByteBuffer(string: text)
            for first in 0...whole.readableBytes {
                for second in first...whole.readableBytes {
                    let pieces = [0..<first, first..<second, second..<whole.readableBytes].map { range in
                        whole.getSlice(at: range.lowerBound, length: range.count) ?? ByteBuffer()
                    }
                    let decoded = try decode(pieces)
                    #expect(decoded == values)
                }
            }
        }
    }

    @Test(arguments: [
        "?\r\n", ":\r\n", ":1x\r\n", ":99999999999999999999\r\n", "$-2\r\n", "$999999999\r\n", "*-2\r\n",
        "*99999999\r\n",
        "#x\r\n", ",abc\r\n", "$1\r\nabc", "+a\n", "\r\n", "*1\r\n>1\r\n:1\r\n", "%2000000\r\n", "$+1\r\na\r\n",
    ])
    func `What is not the protocol is an error`(text: String) {
        #expect(throws: RESPDamage.self) { _ = try decode([ByteBuffer(string: text)]) }
    }

    @Test func `Depth, elements and lines are bounded`() {
        var bounds = RESPBounds()
        bounds.elements = 10
        bounds.lineBytes = 20
        let deep = String(repeating: "*1\r\n", count: 9)
        let many = String(repeating: "*3\r\n", count: 4)
        let long = String(repeating: "a", count: 40)
        for text in [deep, many, "+" + long] {
            #expect(throws: RESPDamage.self) { _ = try decode([ByteBuffer(string: text)], bounds) }
        }
    }

    @Test func `Random bytes are values or an error, never more`() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array("*$+-:>%#_,~=(0123456789\r\n\r\nab".utf8)
        var decoded = 0
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 1...60, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count)]
            }
            decoded += (try? decode([ByteBuffer(bytes: bytes)]))?.count ?? 0
        }
        #expect(decoded > 0)
    }
}
