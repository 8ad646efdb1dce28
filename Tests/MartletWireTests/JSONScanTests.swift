import MartletCore
import MartletWire
import Testing

@Suite struct JSONScanTests {
    /// Skips one value; the position behind it, or the reason why not.
    private func skip(_ text: String, depth: Int = Limits.jsonDepth) -> Result<Int, Fault> {
        var position = 0
        let bytes = utf8(text)
        do {
            try JSONScan.skipValue(bytes.span, &position, depth: depth)
            return .success(position)
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "12", "-1.5", "1e5", "1E-5", "0.25e+10", "\"\"", "\"a\"",
        "\"\\u00e9\\n\\/\"",
        "\"\\ud83d\\ude00\"", "[]", "[ ]", "[1]", "[1, 2 ,\n3]", "{}", "{ }", "{\"a\":1}",
        "{\"a\" : {\"b\" : [ ] } , \"c\":null}",
        "\"語👍\"", "\"\u{7F}\"",
    ])
    func movesOverAValue(_ text: String) throws {
        #expect(try skip(text).get() == text.utf8.count)
        #expect(try skip(" \t\r\n" + text + " x").get() == text.utf8.count + 4)
    }

    @Test(arguments: [
        "", " ", "nul", "nulL", "tru", "fals", "True", "+1", "01", "-", "-a", "1.", ".5", "1e", "1e+", "0x1", "\"",
        "\"a",
        "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\ud83d\"", "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"", "\"\\ude00\"",
        "\"\n\"", "\"\u{0}\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,", "{\"a\":1,}",
        "{,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "'a'", "NaN", "Infinity", "-Infinity", "]", "}", ",",
        ":",
        "/**/1", "\u{FEFF}1",
    ])
    func refusesWhatIsNoValue(_ text: String) {
        guard case .failure(let fault) = skip(text) else {
            // A number's beginning is a number: what follows is the caller's to refuse.
            #expect(["01", "0x1"].contains(text))
            return
        }
        #expect(fault.reason == .malformedJSON)
    }

    @Test func countsLevels() throws {
        let nested = { (levels: Int) in String(repeating: "[", count: levels) + String(repeating: "]", count: levels) }
        #expect(try skip(nested(16)).get() == 32)
        #expect(throws: Fault.self) { try skip(nested(17)).get() }
        guard case .failure(let fault) = skip("{\"a\":{\"b\":{}}}", depth: 2) else {
            Issue.record("not refused")
            return
        }
        #expect(fault.reason == .tooDeep)
        #expect(try skip("{\"a\":{\"b\":1}}", depth: 2).get() == 13)
    }

    @Test func standsFarTooDeepNesting() {
        guard case .failure(let fault) = skip(String(repeating: "[", count: 1_000_000)) else {
            Issue.record("not refused")
            return
        }
        #expect(fault.reason == .tooDeep)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("42", 42), ("-42", -42), ("9007199254740991", 9_007_199_254_740_991),
            ("-9007199254740991", -9_007_199_254_740_991), ("9007199254740992", nil), ("99999999999999999", nil),
            ("100000000000000000000000000", nil), ("1.0", nil), ("1e3", nil), ("-1.5", nil),
        ] as [(String, Int64?)])
    func readsIntegers(_ text: String, _ value: Int64?) throws {
        var position = 0
        let bytes = utf8(text + ",")
        #expect(try JSONScan.integer(bytes.span, &position) == value)
        #expect(position == text.utf8.count)
    }

    @Test(arguments: [
        ("abc", "abc"), ("", ""), ("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\u{8}\u{C}\n\r\t"),
        ("\\u0041\\u00e9\\u8a9e", "Aé語"),
        ("\\uD83D\\uDE00", "😀"), ("a\\u0000b", "a\u{0}b"), ("語\\n👍", "語\n👍"),
    ])
    func readsStrings(_ inside: String, _ expected: String) throws {
        var position = 0
        let bytes = utf8("\"" + inside + "\"")
        let token = try JSONScan.string(bytes.span, &position)
        #expect(position == bytes.count)
        #expect(JSONScan.text(token, bytes.span) == expected)
    }

    @Test func readsBackEveryStringThatIsWritten() throws {
        var random = SplitMix64(seed: 1)
        for _ in 0..<3_000 {
            let text = random.text(20)
            let bytes = utf8(string(text))
            var position = 0
            let token = try JSONScan.string(bytes.span, &position)
            #expect(position == bytes.count)
            #expect(Array(JSONScan.text(token, bytes.span).utf8) == Array(text.utf8))
        }
    }

    /// A string's end, an escape or a control character at each place of a machine word, behind bytes that nearly are one.
    @Test func findsTheEndAnywhere() {
        for filler: UInt8 in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
            for count in 0..<40 {
                let inside = [UInt8](repeating: filler, count: count)
                let quote = UInt8(ascii: "\"")
                for behind in [[], inside, [quote, 0x01], [0x5C]] as [[UInt8]] {
                    var position = 0
                    let bytes = [quote] + inside + [quote] + behind
                    let token = try? JSONScan.string(bytes.span, &position)
                    #expect(token?.range == 1..<(count + 1))
                    #expect(token?.hasEscapes == false)
                    position = 0
                    let escaped = [quote] + inside + [0x5C, quote, quote] + behind
                    let other = try? JSONScan.string(escaped.span, &position)
                    #expect(other?.range == 1..<(count + 3))
                    #expect(other?.hasEscapes == true)
                }
                for control: UInt8 in [0x00, 0x0A, 0x1F] {
                    let broken = [quote] + inside + [control] + inside + [quote]
                    var position = 0
                    let refused = fault { () throws(Fault) in _ = try JSONScan.string(broken.span, &position) }
                    #expect(refused == Refusal(.malformedJSON))
                }
            }
        }
    }

    /// At every cut there is a fault, or a value that ends within the cut.
    @Test func standsEveryCut() {
        let whole = "{\"a\": [1, -2.5e3, \"x\\ud83d\\ude00\\n\", true, null, {\"b\": {}}], \"c\": \"語\"}"
        for count in 0..<whole.utf8.count {
            var position = 0
            let cut = Array(whole.utf8.prefix(count))
            #expect(
                fault { () throws(Fault) in try JSONScan.skipValue(cut.span, &position) } == Refusal(.malformedJSON))
            #expect(position <= count)
        }
    }

    @Test func agreesWithTheParserOnMutatedTexts() {
        var random = SplitMix64(seed: 2)
        for _ in 0..<5_000 {
            let text = random.mutated(utf8(random.json(4)))
            guard UTF8Validator.isValid(text.span) else { continue }
            var position = 0
            var scanned = fault { () throws(Fault) in
                try JSONScan.skipValue(text.span, &position)
                JSONScan.skipSpace(text.span, &position)
                if position < text.count { throw JSONScan.malformed(position) }
            }
            let parsed = fault { () throws(Fault) in _ = try JSONValue(parsing: text) }
            // Repeated keys and numbers beyond a Double are the parser's own to refuse.
            if parsed?.reason == .repeatedKey || (parsed != nil && text.contains(UInt8(ascii: "e"))) {
                scanned = parsed
            }
            #expect(scanned?.reason == parsed?.reason, "\(String(decoding: text, as: UTF8.self))")
        }
    }
}
