import MartletCore
import MartletWire
import Testing

@Suite struct JSONFieldsTests {
    private enum Color: String, CaseIterable { case red, green }

    /// The refusal of reading `body` from an object's text.
    private func refusal<Value>(_ text: String, _ body: (borrowing JSONFields) throws(Fault) -> Value) -> Refusal? {
        fault { () throws(Fault) in _ = try body(JSONFields(parsing: utf8(text))) }
    }

    private func fields(_ text: String) throws -> JSONFields { try JSONFields(parsing: utf8(text)) }

    @Test func readsTheKinds() throws {
        let fields = try fields(
            #"""
            {"t": "a\nb", "c": "green", "i": -3, "f": true, "u": 5, "g": 7, "s": 1, "us": [5, 9, 5],
             "k": "d:5:9", "id": "x-1",
             "o": {"a" : 1}, "m": {"g:1": 0, "d:5:9": 12}, "n": null}
            """#)
        #expect(try fields.text("t", 1...10, lines: true) == "a\nb")
        #expect(try fields.optionalChoice("c", of: Color.self) == .green)
        #expect(try fields.integer("i", -5...5) == -3)
        #expect(try fields.optionalFlag("f") == true)
        #expect(try fields.user("u").value == 5)
        #expect(try fields.group("g").value == 7)
        #expect(try fields.seq("s") == 1)
        #expect(try fields.users("us", 1...3).map(\.value) == [5, 9])
        #expect(try fields.conversation("k").text == "d:5:9")
        #expect(try fields.optionalClientId("id") == "x-1")
        #expect(try fields.object("o") == utf8("{\"a\" : 1}"))
        let cursors = try #require(try fields.cursors("m", 2))
        #expect(cursors.map { "\($0.0.text) \($0.1)" } == ["g:1 0", "d:5:9 12"])
        #expect(try fields.optionalText("n", 1...5) == nil)
        #expect(try fields.optionalText("absent", 1...5) == nil)
        #expect(try fields.limit() == Limits.defaultPageSize)
    }

    @Test(arguments: ["{}", "{\"x\":null}"])
    func missesWhatIsRequired(_ text: String) {
        let missing = Refusal(.missingField, "x")
        #expect(refusal(text) { fields throws(Fault) in try fields.text("x", 1...5) } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.integer("x", 1...5) } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.user("x") } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.users("x", 1...5) } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.conversation("x") } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.object("x") } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.choice("x", among: Color.allCases) } == missing)
        #expect(refusal(text) { fields throws(Fault) in try fields.clientId() } == Refusal(.missingField, "clientId"))
    }

    @Test(arguments: ["7", "\"\"", "\"123456\"", "\"a\\u0007\"", "\"a\\n\"", "[]", "{}", "true"])
    func refusesTextThatIsNone(_ value: String) {
        #expect(
            refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.text("x", 1...5) }
                == Refusal(.invalidField, "x"))
    }

    @Test func countsCharactersNotBytes() throws {
        #expect(try fields("{\"x\":\"語語👍👍👍\"}").text("x", 1...5) == "語語👍👍👍")
    }

    @Test(arguments: ["0", "6", "1.0", "\"1\"", "true", "[]", "9007199254740993", "1e0"])
    func refusesIntegersThatAreNone(_ value: String) {
        #expect(
            refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.integer("x", 1...5) }
                == Refusal(.invalidField, "x"))
    }

    @Test(arguments: ["0", "-1", "\"5\"", "9007199254740992", "1.5"])
    func refusesUsersThatAreNone(_ value: String) {
        let invalid = Refusal(.invalidField, "x")
        #expect(refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.user("x") } == invalid)
        #expect(refusal("{\"x\":[\(value)]}") { fields throws(Fault) in try fields.users("x", 1...5) } == invalid)
    }

    @Test(arguments: ["[]", "[1,2,3]", "{}", "1"])
    func boundsListsOfUsers(_ value: String) {
        #expect(
            refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.users("x", 1...2) }
                == Refusal(.invalidField, "x"))
    }

    @Test(arguments: ["\"\"", "\"é\"", "\"a\\u0000\"", "\"\(String(repeating: "x", count: 65))\"", "5", "\"\u{7F}\""])
    func refusesClientIdsThatAreNone(_ value: String) {
        #expect(
            refusal("{\"clientId\":\(value)}") { fields throws(Fault) in try fields.clientId() }
                == Refusal(.invalidField, "clientId"))
    }

    @Test(arguments: ["\"blue\"", "\"Red\"", "1"])
    func refusesOtherChoices(_ value: String) {
        #expect(
            refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.optionalChoice("x", of: Color.self) }
                == Refusal(.invalidField, "x"))
    }

    @Test(arguments: ["\"d:9:5\"", "5", "\"\""])
    func refusesConversationsThatAreNone(_ value: String) {
        #expect(
            refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.conversation("x") }
                == Refusal(.invalidField, "x"))
    }

    @Test(arguments: ["[]", "{\"g:1\":-1}", "{\"g:1\":\"1\"}", "{\"x\":1}", "{\"g:1\":1,\"g:2\":1,\"g:3\":1}"])
    func refusesCursorsThatAreNone(_ value: String) {
        #expect(
            refusal("{\"x\":\(value)}") { fields throws(Fault) in try fields.cursors("x", 2) }
                == Refusal(.invalidField, "x"))
    }

    @Test(arguments: ["[]", "1", "null", "\"{}\""])
    func wantsAnObject(_ text: String) {
        #expect(fault { () throws(Fault) in _ = try JSONFields(parsing: utf8(text)) } == Refusal(.malformedJSON))
    }

    // MARK: Queries and paths

    @Test func readsAQuery() throws {
        let fields = JSONFields(.query([("limit", "7"), ("all", "true"), ("q", "x y")]))
        #expect(try fields.limit() == 7)
        #expect(try fields.optionalFlag("all") == true)
        #expect(try fields.text("q", 1...5) == "x y")
        #expect(try fields.optionalText("none", 1...5) == nil)
    }

    @Test func refusesWhatAQueryGivesTwice() {
        let fields = JSONFields(.query([("a", "1"), ("a", "2")]))
        #expect(
            fault { () throws(Fault) in _ = try fields.optionalInteger("a", 1...5) } == Refusal(.repeatedKey, "a"))
    }

    @Test(arguments: ["", "x", "0", "101", "1.0", " 1"])
    func refusesALimitThatIsNone(_ value: String) {
        let fields = JSONFields(.query([("limit", value)]))
        #expect(fault { () throws(Fault) in _ = try fields.limit() } == Refusal(.invalidField, "limit"))
    }

    @Test func readsAPathBesideABody() throws {
        let fields = try JSONFields(parsing: utf8("{\"name\":\"n\"}"), path: [("groupId", "12")])
        #expect(try fields.group("groupId").value == 12)
        #expect(try fields.text("name", 1...5) == "n")
    }

    @Test func refusesAFieldInPathAndBody() throws {
        let fields = try JSONFields(parsing: utf8("{\"groupId\":13}"), path: [("groupId", "12")])
        #expect(fault { () throws(Fault) in _ = try fields.group("groupId") } == Refusal(.repeatedKey, "groupId"))
    }
}
