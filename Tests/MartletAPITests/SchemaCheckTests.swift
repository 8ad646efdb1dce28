import MartletTestSupport
import MartletWire
import Testing

@Suite struct SchemaCheckTests {
    private func problems(_ value: String, _ schema: String, document: String = "{}") throws -> [String] {
        let check = SchemaCheck(document: try JSONValue(parsing: Array(document.utf8)))
        return check.problems(try JSONValue(parsing: Array(value.utf8)), try JSONValue(parsing: Array(schema.utf8)))
    }

    @Test(arguments: [
        (#""a""#, #"{"type":"string"}"#), ("3", #"{"type":"integer"}"#), ("3", #"{"type":"number"}"#),
        ("3.5", #"{"type":"number"}"#), ("true", #"{"type":"boolean"}"#), ("{}", #"{"type":"object"}"#),
        (#"{"any":1}"#, #"{"type":"object"}"#), ("[1,2]", #"{"type":"array","items":{"type":"integer"}}"#),
        (#"{"a":1}"#, #"{"type":"object","additionalProperties":{"type":"integer"}}"#),
        (#""b""#, #"{"enum":["a","b"]}"#),
        ("200", #"{"const":200}"#), (#""d:1:2""#, #"{"type":"string","pattern":"^d:[0-9]+:[0-9]+$"}"#),
    ])
    func takesWhatFits(value: String, schema: String) throws { #expect(try problems(value, schema) == []) }

    @Test(arguments: [
        ("3", #"{"type":"string"}"#), ("3.5", #"{"type":"integer"}"#), ("null", #"{"type":"object"}"#),
        (#""c""#, #"{"enum":["a","b"]}"#), ("201", #"{"const":200}"#),
        ("[1,\"a\"]", #"{"type":"array","items":{"type":"integer"}}"#),
        ("[]", #"{"type":"array","minItems":1}"#), ("[1,2]", #"{"type":"array","maxItems":1}"#),
        ("0", #"{"type":"integer","minimum":1}"#), ("9", #"{"type":"integer","maximum":8}"#),
        (#""""#, #"{"type":"string","minLength":1}"#), (#""abc""#, #"{"type":"string","maxLength":2}"#),
        (#""x""#, #"{"type":"string","pattern":"^d:"}"#),
        ("{}", #"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}"#),
        (#"{"a":"x"}"#, #"{"type":"object","properties":{"a":{"type":"integer"}}}"#),
        (#"{"b":1}"#, #"{"type":"object","properties":{"a":{"type":"integer"}}}"#),
        (#"{"a":"x"}"#, #"{"type":"object","additionalProperties":{"type":"integer"}}"#),
    ])
    func findsWhatDoesNotFit(value: String, schema: String) throws { #expect(try problems(value, schema).count == 1) }

    @Test func followsReferences() throws {
        let document = #"{"components":{"schemas":{"N":{"type":"integer"}}}}"#
        let schema = ##"{"$ref":"#/components/schemas/N"}"##
        #expect(try problems("1", schema, document: document) == [])
        #expect(try problems("\"x\"", schema, document: document) == ["$: not of type integer"])
        #expect(try problems("1", ##"{"$ref":"#/nowhere"}"##, document: document).count == 1)
    }

    @Test func saysWhereAProblemIs() throws {
        let schema = #"{"type":"object","properties":{"items":{"type":"array","items":{"type":"integer"}}}}"#
        #expect(try problems(#"{"items":[1,"x"]}"#, schema) == ["$.items[1]: not of type integer"])
    }
}
