import MartletBus
import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

@Suite struct AccessTests {
    @Test func asksForAToken() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.post("/api/note", #"{"text":"a"}"#)
            #expect(answer.status == 401)
            #expect(answer.reason == "not_signed_in")
            #expect(answer["www-authenticate"] == "Bearer")
        }
    }

    @Test(arguments: ["Bearer", "Basic Z29vZA==", "good", "Bearer good good", "Bearer nonsense"])
    func refusesOtherTokens(field: String) async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/note?text=a", ["Authorization: \(field)"])
            #expect(answer.status == 401)
            #expect(answer.reason == "invalid_token")
        }
    }

    @Test func saysWhyATokenIsOfNoUse() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/note?text=a", token: "banned")
            #expect(answer.status == 403)
            #expect(answer.reason == "banned")
        }
    }

    // MARK: Rates

    @Test func limitsAUsersRequests() async throws {
        var house = APIHouse()
        house.isRateLimited = true
        house.configuration.userRequests = RateRule(perSecond: 0.5, burst: 2)
        let clock = house.clock
        try await house.open { visitor in
            for _ in 0..<2 { #expect(try await visitor.get("/api/note?text=a", token: "good").status == 200) }
            let answer = try await visitor.get("/api/note?text=a", token: "good")
            #expect(answer.status == 429)
            #expect(answer.reason == "rate_limited")
            #expect(answer["retry-after"] == "3")
            #expect(try await visitor.get("/api/note?text=a", token: "other").status == 200)
            clock.advance(.seconds(2))
            #expect(try await visitor.get("/api/note?text=a", token: "good").status == 200)
        }
    }

    @Test(arguments: ["/api/open", "/api/note?text=a", "/nowhere"])
    func limitsAnAddressWithoutALogin(target: String) async throws {
        var house = APIHouse()
        house.isRateLimited = true
        house.configuration.addressRequests = RateRule(perSecond: 1, burst: 1)
        try await house.open { (visitor) async throws in
            #expect(try await visitor.get(target).status != 429)
            #expect(try await visitor.get(target).status == 429)
            #expect(try await visitor.get("/healthz").status == 200)
        }
    }

    // MARK: Addresses

    @Test func doesNotBelieveAStrangersForwarding() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/open", ["X-Forwarded-For: 203.0.113.5"])
            #expect(answer.json?["data"]?["text"]?.string == "127.0.0.1")
        }
    }

    @Test func believesATrustedProxy() async throws {
        var house = APIHouse()
        house.configuration.trustedProxies = ["127.0.0.0/8", "10.0.0.0/8"].compactMap { AddressRange($0) }
        try await house.open { visitor in
            for (field, expected) in [
                ("203.0.113.5", "203.0.113.5"), ("198.51.100.1, 203.0.113.5", "203.0.113.5"),
                ("203.0.113.5, 10.1.2.3", "203.0.113.5"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
                ("::ffff:203.0.113.5", "203.0.113.5"), ("nonsense", "127.0.0.1"),
            ] {
                let answer = try await visitor.get("/api/open", ["X-Forwarded-For: \(field)"])
                #expect(answer.json?["data"]?["text"]?.string == expected, "\(field)")
            }
        }
    }

    @Test func believesAProxysHeader() async throws {
        var house = APIHouse()
        house.configuration.trustedProxies = ["127.0.0.0/8", "10.0.0.0/8"].compactMap { AddressRange($0) }
        house.claimed = IPAddress("203.0.113.5")
        try await house.open { visitor in
            let answer = try await visitor.get("/api/open", ["X-Forwarded-For: 198.51.100.1"])
            #expect(answer.json?["data"]?["text"]?.string == "203.0.113.5")
        }
        house.claimed = IPAddress("10.1.2.3")
        try await house.open { visitor in
            let answer = try await visitor.get("/api/open", ["X-Forwarded-For: 198.51.100.1"])
            #expect(answer.json?["data"]?["text"]?.string == "198.51.100.1")
        }
    }

    // MARK: Origins

    @Test func keepsOtherOriginsOutByDefault() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/api/open", ["Origin: https://app.example.org"])
            #expect(answer["access-control-allow-origin"] == nil)
        }
    }

    @Test func letsNamedOriginsIn() async throws {
        var house = APIHouse()
        house.configuration.corsOrigins = ["https://app.example.org"]
        try await house.open { visitor in
            let named = try await visitor.get("/api/open", ["Origin: https://app.example.org"])
            #expect(named["access-control-allow-origin"] == "https://app.example.org")
            #expect(named["vary"] == "Origin")
            let other = try await visitor.get("/api/open", ["Origin: https://evil.example.org"])
            #expect(other["access-control-allow-origin"] == nil)
            let asked = try await visitor.send(
                "OPTIONS", "/api/note", ["Origin: https://app.example.org", "Access-Control-Request-Method: POST"])
            #expect(asked.status == 204)
            #expect(asked["access-control-allow-methods"] == "GET, HEAD, POST")
            #expect(asked["access-control-allow-headers"]?.contains("Authorization") == true)
        }
    }
}
