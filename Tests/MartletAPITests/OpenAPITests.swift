import MartletCore
import MartletTestSupport
import MartletWire
import Testing

@testable import MartletAPI

@Suite struct OpenAPITests {
    private func document() async throws -> APIDocument {
        try APIDocument(parsing: OpenAPI(endpoints: TestEndpoints.all).document())
    }

    @Test func holdsEveryEndpointOnce() async throws {
        let document = try await document()
        #expect(
            document.operations.sorted()
                == TestEndpoints.all.map { "\($0.method.rawValue.uppercased()) \($0.path)" }.sorted())
        let ids = Set(TestEndpoints.all.map(\.operationId))
        #expect(ids.count == TestEndpoints.all.count)
    }

    @Test func isServed() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/openapi.json")
            #expect(answer.status == 200)
            #expect(answer.json?["openapi"]?.string == "3.1.0")
            #expect(answer.json?["paths"]?["/api/route"]?["get"] != nil)
        }
    }

    @Test func putsFieldsWhereTheyAreSent() async throws {
        let document = try await document()
        let change = try #require(document.operation("PUT", "/api/thing/{id}"))
        #expect(change["operationId"]?.string == "putThingById")
        #expect(change["parameters"]?[0]?["name"]?.string == "id")
        #expect(change["parameters"]?[0]?["in"]?.string == "path")
        let body = change["requestBody"]?["content"]?["application/json"]?["schema"]
        #expect(body?["properties"]?["name"] != nil)
        #expect(body?["properties"]?["id"] == nil)
        let find = try #require(document.operation("GET", "/api/note"))
        #expect(find["parameters"]?.array?.map { $0["name"]?.string } == ["text", "count"])
        #expect(find["parameters"]?[0]?["required"]?.bool == true)
        #expect(find["parameters"]?[1]?["required"]?.bool == false)
        #expect(find["requestBody"] == nil)
    }

    @Test func saysWhoNeedsAToken() async throws {
        let document = try await document()
        #expect(document.operation("GET", "/api/note")?["security"]?[0]?["bearer"] != nil)
        #expect(document.operation("GET", "/api/open")?["security"] == nil)
        #expect(document.json["components"]?["securitySchemes"]?["bearer"]?["scheme"]?.string == "bearer")
    }

    @Test func fitsItsOwnExamples() async throws {
        let document = try await document()
        for endpoint in TestEndpoints.all {
            let method = endpoint.method.rawValue
            let operation = try #require(document.operation(method, endpoint.path))
            let example = try #require(operation["responses"]?["200"]?["content"]?["application/json"]?["example"])
            #expect(document.problems(answer: example, method, endpoint.path, status: 200) == [])
        }
    }

    @Test func fitsWhatIsAnswered() async throws {
        let document = try await document()
        try await APIHouse().open { visitor in
            let good = try await visitor.post("/api/note", #"{"text":"a"}"#, token: "good")
            let bad = try await visitor.post("/api/note", #"{"text":""}"#, token: "good")
            let stranger = try await visitor.post("/api/note", #"{"text":"a"}"#)
            let busy = try await visitor.post("/api/busy", "", token: "good")
            for (answer, path) in [
                (good, "/api/note"), (bad, "/api/note"), (stranger, "/api/note"), (busy, "/api/busy"),
            ] {
                let json = try #require(answer.json)
                #expect(document.problems(answer: json, "POST", path, status: answer.status) == [])
            }
        }
    }

    @Test func namesEveryReasonUnderItsCode() async throws {
        let document = try await document()
        for reason in Fault.Reason.allCases {
            let schema = document.json["components"]?["responses"]?[reason.code.componentName]?["content"]?[
                "application/json"]?["schema"]
            let names = schema?["properties"]?["data"]?["properties"]?["reason"]?["enum"]?.array ?? []
            #expect(names.contains(.string(reason.rawValue)))
        }
    }
}
