import MartletCore
import MartletWire
import Testing

@Suite struct JSONValueTests {
    @Test func readsEveryKind() throws {
        let value = try parse(#" {"a": [null, true, false, -7, 1.5, "x\u0041"], "b": {}, "c": []} "#)
        #expect(value["a"]?[0] == .null)
        #expect(value["a"]?[1]?.bool == true)
        #expect(value["a"]?[2]?.bool == false)
        #expect(value["a"]?[3]?.integer == -7)
        #expect(value["a"]?[4] == .number(1.5))
        #expect(value["a"]?[5]?.string == "xA")
        #expect(value["b"] == .object([]))
        #expect(value["c"]?.array?.isEmpty == true)
        #expect(value["d"] == nil)
        #expect(value["a"]?[6] == nil)
        #expect(value[0] == nil)
    }

    @Test func keepsWhereAMemberStands() throws {
        let text = utf8(#"{"a" : {"b": 1 } , "c":[2]}"#)
        guard case .object(let members) = try JSONValue(parsing: text) else {
            Issue.record("not an object")
            return
        }
        #expect(members.map { String(decoding: text[$0.range], as: UTF8.self) } == [#"{"b": 1 }"#, "[2]"])
    }

    @Test func tellsIntegersFromOtherNumbers() throws {
        #expect(try parse("9007199254740991") == .integer(9_007_199_254_740_991))
        #expect(try parse("9007199254740992") == .number(9_007_199_254_740_992))
        #expect(try parse("1.0") == .number(1))
        #expect(try parse("1e2") == .number(100))
        #expect(try parse("-0") == .integer(0))
    }

    @Test(arguments: [
        ("{\"a\":1,\"a\":2}", "a"), ("{\"a\":1,\"\\u0061\":2}", "a"), ("[{\"b\":{\"x\":1,\"y\":2,\"x\":3}}]", "x"),
    ])
    func refusesARepeatedKey(_ text: String, _ key: String) {
        #expect(fault { () throws(Fault) in _ = try JSONValue(parsing: utf8(text)) } == Refusal(.repeatedKey, key))
    }

    @Test(arguments: ["1 2", "{} x", "", "  ", "1e999", "[1,2", "{\"a\":1}}"])
    func refusesWhatIsNotOneText(_ text: String) {
        #expect(fault { () throws(Fault) in _ = try JSONValue(parsing: utf8(text)) } == Refusal(.malformedJSON))
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(
            fault { () throws(Fault) in _ = try JSONValue(parsing: [0x22, 0xFF, 0x22]) } == Refusal(.malformedJSON))
    }

    @Test func boundsTheDepth() {
        let nested = { (levels: Int) in
            utf8(String(repeating: "{\"a\":", count: levels) + "1" + String(repeating: "}", count: levels))
        }
        #expect(fault { () throws(Fault) in _ = try JSONValue(parsing: nested(16)) } == nil)
        #expect(fault { () throws(Fault) in _ = try JSONValue(parsing: nested(17)) } == Refusal(.tooDeep))
        #expect(fault { () throws(Fault) in _ = try JSONValue(parsing: nested(3), depth: 2) } == Refusal(.tooDeep))
        #expect(fault { () throws(Fault) in _ = try JSONValue(parsing: nested(100_000)) } == Refusal(.tooDeep))
    }

    @Test func standsMutatedTexts() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<5_000 {
            let text = random.mutated(utf8(random.json(5)))
            _ = try? JSONValue(parsing: text)
        }
        for _ in 0..<5_000 { _ = try? JSONValue(parsing: random.bytes(random.below(30))) }
    }
}
