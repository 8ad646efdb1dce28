import MartletCore
import MartletWire
import Testing

@Suite struct SchemaTests {
    private enum Color: String, CaseIterable { case red, green }

    private struct Input: JSONInput {
        init(_ fields: borrowing JSONFields) throws(Fault) {
            _ = try fields.text("name", 2...32)
            _ = try fields.optionalChoice("color", of: Color.self)
            _ = try fields.clientId()
            _ = try fields.users("userIds", 1...100)
            _ = try fields.optionalFlag("on")
            _ = try fields.object("content")
            _ = try fields.cursors("cursors", 10)
            _ = try fields.conversation("conversationId")
            _ = try fields.integer("count", 1...5)
        }
    }

    private struct Output: JSONOutput {
        static let example = Output(name: "a", color: .red, nested: [EmptyOutput()], until: nil)
        let name: String
        let color: Color
        let nested: [EmptyOutput]
        let until: Instant?
        func write(to object: inout JSONObject) {
            object.field("name", name)
            object.choice("color", color)
            object.field("nested", nested)
            object.optional("until", until)
        }
    }

    private func shape(_ schema: Schema) throws -> JSONValue {
        try JSONValue(parsing: JSONWriter.encode(schema))
    }

    @Test func recordsAnInput() throws {
        let schema = try shape(Input.schema)
        #expect(schema["type"]?.string == "object")
        #expect(
            schema["required"]?.array?.compactMap(\.string)
                == ["name", "clientId", "userIds", "content", "conversationId", "count"])
        let properties = try #require(schema["properties"])
        #expect(properties["name"]?["minLength"]?.integer == 2)
        #expect(properties["name"]?["maxLength"]?.integer == 32)
        #expect(properties["color"]?["enum"]?.array?.compactMap(\.string) == ["red", "green"])
        #expect(properties["clientId"]?["pattern"]?.string == "^[ -~]+$")
        #expect(properties["userIds"]?["items"]?["minimum"]?.integer == 1)
        #expect(properties["userIds"]?["maxItems"]?.integer == 100)
        #expect(properties["on"]?["type"]?.string == "boolean")
        #expect(properties["content"]?["type"]?.string == "object")
        #expect(properties["cursors"]?["additionalProperties"]?["type"]?.string == "integer")
        #expect(properties["conversationId"]?["pattern"]?.string?.hasPrefix("^(d:") == true)
        #expect(properties["count"]?["maximum"]?.integer == 5)
    }

    @Test func recordsAnOutput() throws {
        let schema = try shape(Output.schema)
        #expect(schema["required"]?.array?.compactMap(\.string) == ["name", "color", "nested"])
        #expect(schema["properties"]?["color"]?["enum"]?.array?.compactMap(\.string) == ["red", "green"])
        #expect(schema["properties"]?["nested"]?["type"]?.string == "array")
        #expect(schema["properties"]?["nested"]?["items"]?["type"]?.string == "object")
        #expect(schema["properties"]?["until"]?["type"]?.string == "integer")
    }

    @Test func leavesOutBoundsThatAreNone() throws {
        let list = try shape([Int64].schema)
        #expect(list["minItems"] == nil)
        #expect(list["maxItems"] == nil)
        #expect(try shape(EmptyInput.schema)["required"] == nil)
    }

    @Test func writesWhatItsExampleSays() throws {
        #expect(JSONWriter.encode(Output.example) == utf8(#"{"name":"a","color":"red","nested":[{}]}"#))
    }
}
