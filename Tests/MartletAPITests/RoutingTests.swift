import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

@Suite struct RoutingTests {
    @Test func findsNothingWhereThereIsNothing() async throws {
        try await APIHouse().open { visitor in
            for target in [
                "/api/nothing", "/api", "/api/note/", "//api/note", "/api//note", "/API/note", "/api/../api/note",
            ] {
                let answer = try await visitor.get(target, token: "good")
                #expect(answer.status == 404, "\(target)")
                #expect(answer.reason == "not_found")
            }
        }
    }

    @Test func namesTheMethodsThatAPathTakes() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.send("PUT", "/api/note", token: "good")
            #expect(answer.status == 405)
            #expect(answer.reason == "method_not_allowed")
            #expect(answer["allow"] == "GET, HEAD, POST")
            #expect(try await visitor.send("PATCH", "/api/thing/5")["allow"] == "DELETE, PUT")
            #expect(try await visitor.send("OPTIONS", "/healthz")["allow"] == "GET, HEAD")
        }
    }

    @Test func prefersAPathWithoutParameters() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/thing/list", token: "good")
            #expect(answer.json?["data"]?["text"]?.string == "list")
        }
    }

    @Test func readsPathQueryAndBodyAsFields() async throws {
        try await APIHouse().open { visitor in
            let removed = try await visitor.send("DELETE", "/api/thing/12?name=a%20b", token: "good")
            #expect(removed.json?["data"]?["text"]?.string == "12 a b")
            let body = try await visitor.send(
                "DELETE", "/api/thing/12", ["Content-Type: application/json"], body: Array(#"{"name":"c"}"#.utf8),
                token: "good")
            #expect(body.json?["data"]?["text"]?.string == "12 c")
            let changed = try await visitor.send(
                "PUT", "/api/thing/12", ["Content-Type: application/json"], body: Array(#"{"name":"d"}"#.utf8),
                token: "good")
            #expect(changed.json?["data"]?["text"]?.string == "12 d")
        }
    }

    @Test func refusesAPathParameterGivenTwiceOrWrong() async throws {
        try await APIHouse().open { visitor in
            let twice = try await visitor.send(
                "PUT", "/api/thing/12", ["Content-Type: application/json"], body: Array(#"{"id":13}"#.utf8),
                token: "good")
            #expect(twice.reason == "repeated_key")
            let wrong = try await visitor.send("DELETE", "/api/thing/x", token: "good")
            #expect(wrong.reason == "invalid_field")
            #expect(wrong.json?["data"]?["field"]?.string == "id")
        }
    }

    @Test(arguments: [
        "/api/note?text=%", "/api/note?text=%4", "/api/note?text=%zz", "/api/note?text=%FF", "/api/note?text=%00",
        "/api/note%0A?text=a",
    ])
    func decodesStrictly(target: String) async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get(target, token: "good")
            #expect(answer.status == 400)
            #expect(answer.reason == "invalid_field")
        }
    }

    @Test func decodesUTF8AndPlus() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/note?text=%E4%BD%A0+b&count=3", token: "good")
            #expect(answer.json?["data"]?["text"]?.string == "你 b")
        }
    }

    @Test func refusesAQueryParameterGivenTwice() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/note?text=a&text=b", token: "good")
            #expect(answer.reason == "repeated_key")
        }
    }
}
