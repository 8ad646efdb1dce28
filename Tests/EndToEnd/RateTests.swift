import EndToEndSupport
import MartletWire
import Testing

/// Limits of speed, where they are so low that a slow machine is above them.
@Suite(
    .server(
        environment: [
            "MARTLET_GATEWAY_SENDS_PER_SECOND": "0.01", "MARTLET_GATEWAY_COMMANDS_PER_SECOND": "5",
            "MARTLET_API_USER_REQUESTS": "0.05", "MARTLET_API_ADDRESS_REQUESTS": "1000",
            "MARTLET_ACCOUNTS_SIGN_IN_RATE": "0.01", "MARTLET_ACCOUNTS_SIGN_IN_BURST": "20",
        ], rateLimited: true))
struct RateTests {
    @Test func `Sends over the limit are refused and say when to try again`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let client = try await TestServer.connect(ada)
        var answers: [WireAnswer] = []
        for number in 0..<4 {
            answers.append(try await client.request("send", textMessage("\(number)", in: ada.direct(ben))))
        }
        let refused = try #require(answers.first { $0.code != 200 })
        #expect(refused.code == 429)
        #expect(refused.reason == "rate_limited")
        #expect((refused.data["retryAfterMs"]?.integer ?? 0) > 0)
        // The user's other device shares the limit; another user has one of their own.
        let phone = try await TestServer.connect(ada, device: "ios")
        #expect(try await phone.request("send", textMessage("again", in: ada.direct(ben))).code == 429)
        let other = try await TestServer.connect(ben)
        #expect(try await other.request("send", textMessage("hello", in: ada.direct(ben))).code == 200)
    }

    @Test func `Commands over the limit are refused without ending the session`() async throws {
        let client = try await TestServer.connect(try await TestServer.user())
        let seqs = (0..<60).map { _ in client.post("heartbeat", "{}") }
        var codes: Set<Int> = []
        for seq in seqs {
            let answer = try await client.answer(to: seq)
            codes.insert(answer.code)
            if answer.code == 429 { #expect(answer.data["retryAfterMs"]?.integer == 1000) }
        }
        #expect(codes == [200, 429])
        #expect(!client.isClosed)
    }

    @Test func `Requests over the limit are refused with Retry-After`() async throws {
        let user = try await TestServer.user()
        var refused: RestAnswer?
        for _ in 0..<10 where refused == nil {
            let answer = try await TestServer.rest.call("GET", "/api/user/profile", token: user.token)
            if answer.status != 200 { refused = answer }
        }
        #expect(refused?.status == 429)
        #expect(refused?.reason == "rate_limited")
        #expect(refused?.json?["code"]?.integer == 429)
        #expect(refused?.header("Retry-After").flatMap { Int($0) } ?? 0 > 0)
    }

    @Test func `Passwords can't be guessed at speed`() async throws {
        let user = try await TestServer.user()
        var refused: RestAnswer?
        for number in 0..<40 where refused == nil {
            let answer = try await TestServer.rest.call(
                "POST", "/api/user/login", json: #"{"username":"\#(user.name)","password":"wrong horse \#(number)"}"#)
            if answer.status != 401 { refused = answer }
        }
        #expect(refused?.status == 429)
        #expect(refused?.header("Retry-After") != nil)
    }
}
