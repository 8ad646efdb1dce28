import MartletCore
import MartletWire
import Testing

@Suite struct JSONWriterTests {
    @Test func escapesWhatMustBe() {
        #expect(
            string("a\"b\\c\n\r\t\u{8}\u{1F}\u{0}/é👍\u{7F}") == #""a\"b\\c\n\r\t\u0008\u001f\u0000/é👍"# + "\u{7F}\"")
    }

    @Test(arguments: [0, 7, -7, Int64.max, Int64.min, maximumIdentifier])
    func writesIntegers(_ value: Int64) {
        var writer = JSONWriter()
        writer.integer(value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == String(value))
    }

    @Test func putsCommasBetweenMembersOnly() {
        let bytes = JSONWriter.object { object in
            object.optional("none", Int64?.none)
            object.field("a", 1)
            object.field("b", [true, false])
            object.optional("c", "x")
            object.field("d", RawJSON(utf8("[ 1 ]")))
        }
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"a":1,"b":[true,false],"c":"x","d":[ 1 ]}"#)
        #expect(JSONWriter.object { _ in } == Array("{}".utf8))
    }

    @Test func writesTheWordsOfTheHouse() {
        let bytes = JSONWriter.object { object in
            object.field("u", UserID(unchecked: 5))
            object.field("g", GroupID(unchecked: 6))
            object.field("c", ConversationID.room(AppID(unchecked: 1), "lobby"))
            object.field("t", Instant(milliseconds: 7))
            object.field("k", EventKind.friendRequest)
        }
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"u":5,"g":6,"c":"r:1:lobby","t":7,"k":"friend_request"}"#)
    }

    @Test func writesNestedObjectsInPlace() {
        var writer = JSONWriter()
        writer.raw("[")
        writer.object { $0.field("a", [EmptyOutput.example, EmptyOutput.example]) }
        writer.raw("]")
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"[{"a":[{},{}]}]"#)
    }

    @Test func isReadBackByTheParser() throws {
        var random = SplitMix64(seed: 4)
        for _ in 0..<1_000 {
            let texts = (0..<random.below(5)).map { _ in random.text(10) }
            let number = random.integer()
            let bytes = JSONWriter.object { object in
                object.field("texts", texts)
                object.field("number", number)
            }
            let value = try JSONValue(parsing: bytes)
            #expect(value["texts"]?.array?.compactMap(\.string) == texts)
            #expect(value["number"]?.integer == number)
        }
    }
}
