import Foundation
import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

@Suite struct BodyTests {
    @Test(arguments: [
        ("{", "malformed_json"), ("[]", "malformed_json"), (#"{"text":"a"} x"#, "malformed_json"),
        (#"{"text":"a","text":"b"}"#, "repeated_key"), (#"{"count":1}"#, "missing_field"),
        (#"{"text":5}"#, "invalid_field"),
        (#"{"text":"a","count":10}"#, "invalid_field"), (#"{"text":"a","count":"3"}"#, "invalid_field"),
        (#"{"x":"# + String(repeating: "[", count: 17) + String(repeating: "]", count: 17) + "}", "too_deep"),
    ])
    func refusesWhatIsWrong(body: String, reason: String) async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.post("/api/note", body, token: "good")
            #expect(answer.status == 400)
            #expect(answer.reason == reason)
        }
    }

    @Test func refusesWhatIsNotUTF8() async throws {
        try await APIHouse().open { visitor in
            let body = Array(#"{"text":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
            let answer = try await visitor.send(
                "POST", "/api/note", ["Content-Type: application/json"], body: body, token: "good")
            #expect(answer.reason == "malformed_json")
        }
    }

    @Test(arguments: [
        "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonp",
    ])
    func refusesOtherContentTypes(type: String) async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.send(
                "POST", "/api/note", ["Content-Type: \(type)"], body: Array(#"{"text":"a"}"#.utf8), token: "good")
            #expect(answer.status == 400)
            #expect(answer.reason == "malformed_json")
        }
    }

    @Test func takesJSONWithItsCharset() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.send(
                "POST", "/api/note", ["Content-Type: Application/JSON; Charset=UTF-8"],
                body: Array(#"{"text":"a"}"#.utf8),
                token: "good")
            #expect(answer.status == 200)
        }
    }

    @Test func takesNoBodyAsAnEmptyObject() async throws {
        try await APIHouse().open { (visitor) async throws in
            #expect(try await visitor.send("POST", "/api/note", token: "good").reason == "missing_field")
        }
    }

    @Test func takesABodyOfTheLargestSize() async throws {
        try await APIHouse().open { visitor in
            let space = String(repeating: " ", count: Limits.requestBytes - #"{"text":"a"}"#.utf8.count)
            #expect(try await visitor.post("/api/note", #"{"text":"a"}"# + space, token: "good").status == 200)
            let answer = try await visitor.post("/api/note", #"{"text":"a"}"# + space + " ", token: "good")
            #expect(answer.status == 413)
            #expect(answer.reason == "too_large")
            #expect(answer["connection"] == "close")
        }
    }

    @Test func countsABodyWithoutALength() async throws {
        try await APIHouse().open { visitor in
            let piece = "8000\r\n" + String(repeating: "x", count: 0x8000) + "\r\n"
            let head = "POST /api/note HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            let answer = try await visitor.raw(Array((head + piece + piece + piece + "0\r\n\r\n").utf8))
            #expect(answer.status == 413)
        }
    }

    @Test func saysThatABodyMayCome() async throws {
        try await APIHouse().open { visitor in
            let head = "POST /api/note HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nContent-Type: application/json\r\n"
            let rest = "Expect: 100-continue\r\nConnection: close\r\nAuthorization: Bearer good\r\n\r\n"
            let all = try await visitor.exchange(Array((head + rest + #"{"text":"a"}"#).utf8))
            let text = String(decoding: all, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"))
        }
    }

    @Test func refusesAHeadThatIsTooLarge() async throws {
        try await APIHouse().open { (visitor) async throws in
            let many = (0..<101).map { "X-Field-\($0): a" }
            #expect(try await visitor.get("/api/open", many).status == 400)
            let long = ["X-Long: " + String(repeating: "a", count: 17_000)]
            #expect(try await visitor.get("/api/open", long).status == 400)
        }
    }

    @Test func answersSeveralRequestsOfOneConnectionInOrder() async throws {
        try await APIHouse().open { visitor in
            let first = "GET /api/open HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\n\r\n"
            let second = "GET /api/open HTTP/1.1\r\nHost: a\r\nX-Request-Id: two\r\nConnection: close\r\n\r\n"
            let text = String(decoding: try await visitor.exchange(Array((first + second).utf8)), as: UTF8.self)
            let parts = text.components(separatedBy: "HTTP/1.1 200 OK")
            #expect(parts.count == 3)
            #expect(parts[1].contains("X-Request-Id: one"))
            #expect(parts[2].contains("X-Request-Id: two"))
        }
    }
}
