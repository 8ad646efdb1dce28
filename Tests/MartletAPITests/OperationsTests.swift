import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

@Suite struct OperationsTests {
    @Test func isAliveAndReady() async throws {
        try await APIHouse().open { visitor in
            #expect(try await visitor.get("/healthz").status == 200)
            let answer = try await visitor.get("/readyz")
            #expect(answer.status == 200)
            #expect(answer.json?["data"]?["ready"]?.bool == true)
        }
    }

    @Test func saysWhyItIsNotReady() async throws {
        var house = APIHouse()
        house.checks.append(ReadinessCheck(name: "log", isPassed: false, detail: "the disk is full"))
        try await house.open { visitor in
            let answer = try await visitor.get("/readyz")
            #expect(answer.status == 503)
            #expect(answer["retry-after"] == "1")
            #expect(answer.reason == "unavailable")
            #expect(answer.json?["data"]?["checks"]?[1]?["detail"]?.string == "the disk is full")
            #expect(try await visitor.get("/healthz").status == 200)
        }
    }

    @Test func isNotReadyOnceItLeaves() async throws {
        var house = APIHouse()
        house.isLeaving = true
        try await house.open { visitor in
            let answer = try await visitor.get("/readyz")
            #expect(answer.status == 503)
            #expect(answer.reason == "shutting_down")
            #expect(try await visitor.get("/healthz").status == 200)
        }
    }

    /// Reads until the server closes, which an idle connection would make it do after a minute.
    @Test func endsConnectionsOnceItLeaves() async throws {
        var house = APIHouse()
        house.isLeaving = true
        try await house.open { visitor in
            let start = ContinuousClock.now
            let answer = try await visitor.raw(Array("GET /api/open HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
            #expect(answer.status == 200)
            #expect(answer["connection"] == "close")
            #expect(answer.json?["data"]?["text"]?.string == "127.0.0.1")
            #expect(start.duration(to: .now) < .seconds(30))
        }
    }

    @Test func showsMetricsToThisMachine() async throws {
        try await APIHouse().open { visitor in
            _ = try await visitor.get("/api/open")
            let answer = try await visitor.get("/metrics")
            #expect(answer.status == 200)
            #expect(answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.text.contains(#"martlet_http_answers_total{class="2xx"} 1"#))
        }
    }

    @Test(arguments: [
        "X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "Via: 1.1 proxy",
    ])
    func hidesMetricsFromWhoComesThroughAProxy(field: String) async throws {
        try await APIHouse().open { (visitor) async throws in
            #expect(try await visitor.get("/metrics", [field]).status == 403)
            #expect(try await visitor.get("/metrics", [field], token: "metrics-token-for-testt").status == 403)
            #expect(try await visitor.get("/metrics", [field], token: "metrics-token-for-tests").status == 200)
        }
    }

    @Test func hidesMetricsFromWhomAProxysHeaderNames() async throws {
        var house = APIHouse()
        house.claimed = IPAddress("127.0.0.1")
        try await house.open { (visitor) async throws in
            #expect(try await visitor.get("/metrics").status == 403)
        }
    }

    @Test func namesTheGateway() async throws {
        try await APIHouse().open { visitor in
            let data = try await visitor.get("/api/route").json?["data"]
            #expect(data?["host"]?.string == "127.0.0.1")
            #expect(data?["port"]?.integer == 8080)
            #expect(data?["wsUrl"]?.string == "ws://127.0.0.1:8080/ws")
        }
    }

    @Test(arguments: [
        (GatewayAddress(host: "chat.example.org", port: 443, isSecure: true), "wss://chat.example.org/ws"),
        (GatewayAddress(host: "chat.example.org", port: 8443, isSecure: true), "wss://chat.example.org:8443/ws"),
        (GatewayAddress(host: "::1", port: 80, isSecure: false), "ws://[::1]/ws"),
    ])
    func writesAGatewaysURL(address: GatewayAddress, url: String) { #expect(address.wsUrl == url) }

    // MARK: The page

    @Test func servesThePageAndItsVersion() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/")
            #expect(answer.status == 200)
            #expect(answer.text == "<p>hi")
            #expect(answer["etag"] == "\"v1\"")
            for tag in ["\"v1\"", "W/\"v1\"", "\"v0\", \"v1\"", "*"] {
                let again = try await visitor.get("/", ["If-None-Match: \(tag)"])
                #expect(again.status == 304, "\(tag)")
                #expect(again.body.isEmpty)
                #expect(again["etag"] == "\"v1\"")
            }
            #expect(try await visitor.get("/", ["If-None-Match: \"v0\""]).status == 200)
        }
    }
}
