import HTTPTypes
import HummingbirdCore
import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

@Suite struct EnvelopeTests {
    @Test func wrapsAnAnswer() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.post("/api/note", #"{"text":"hi"}"#, token: "good")
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "application/json")
            #expect(answer.json?["code"]?.integer == 200)
            #expect(answer.json?["message"]?.string == "success")
            #expect(answer.json?["data"]?["text"]?.string == "hi")
            #expect(answer.json?["timestamp"]?.integer == 1_700_000_000)
        }
    }

    @Test func guardsEveryAnswer() async throws {
        try await APIHouse().open { visitor in
            for target in ["/api/open", "/", "/nowhere", "/healthz"] {
                let answer = try await visitor.get(target)
                #expect(answer["x-content-type-options"] == "nosniff")
                #expect(answer["referrer-policy"] == "no-referrer")
                #expect(answer["date"] == "Tue, 14 Nov 2023 22:13:20 GMT")
            }
            #expect(try await visitor.get("/api/open")["cache-control"] == "no-store")
            #expect(try await visitor.get("/")["content-security-policy"] == "default-src 'self'")
        }
    }

    @Test(arguments: Fault.Reason.allCases)
    func mapsEveryReasonToItsStatus(reason: Fault.Reason) {
        let response = Envelope.failure(Fault(reason, "said"), now: Instant(milliseconds: 5000))
        #expect(response.status.code == reason.code.rawValue)
        #expect((response.headers[.retryAfter] != nil) == (reason.code == .tooMany || reason.code == .unavailable))
    }

    @Test func roundsTheWaitUpToSeconds() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.post("/api/busy", "", token: "good")
            #expect(answer.status == 503)
            #expect(answer.reason == "overloaded")
            #expect(answer["retry-after"] == "3")
        }
    }

    @Test func saysNothingOfItsInside() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.post("/api/break", "", token: "good")
            #expect(answer.status == 500)
            #expect(answer.reason == "internal")
            #expect(!answer.text.contains("Broken"))
        }
    }

    @Test func answersHeadWithoutABody() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.send("HEAD", "/")
            #expect(answer.status == 200)
            #expect(answer["content-length"] == "5")
            #expect(answer.body.isEmpty)
        }
    }

    @Test func takesAHarmlessTraceAndMakesOneOtherwise() async throws {
        try await APIHouse().open { visitor in
            let given = try await visitor.get("/api/open", ["X-Request-Id: run-1.a_B"])
            #expect(given["x-request-id"] == "run-1.a_B")
            #expect(given.json?["data"]?["trace"]?.string == "run-1.a_B")
            for bad in ["two words", String(repeating: "x", count: 65), "<script>"] {
                let answer = try await visitor.get("/api/open", ["X-Request-Id: \(bad)"])
                #expect(answer["x-request-id"]?.utf8.count == 16)
                #expect(answer["x-request-id"] == answer.json?["data"]?["trace"]?.string)
            }
        }
    }
}
