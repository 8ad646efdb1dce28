import Crypto
import Foundation
import MartletCore
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct AccessTokensTests {
    @Test func aTokenSaysWhoAsks() async throws {
        let house = try await House()
        let signedIn = try await house.accounts.register(
            .init(username: "alice", password: House.password, device: .ios), nickname: "Alice", address: "")
        let identity = try await house.tokens.identity(from: signedIn.tokens.accessToken)
        #expect(identity.user == signedIn.account.id && identity.app == House.app && identity.role == .user)
        #expect(identity.username == "alice" && identity.name == "Alice" && identity.device == .ios)
        #expect(identity.family > 0)
        #expect(identity.expiresAt - identity.issuedAt == .seconds(900))
        let caller = try await house.tokens.caller(from: signedIn.tokens.accessToken, trace: "t9")
        #expect(caller.name == "Alice" && caller.trace == "t9" && caller.family == identity.family)
    }

    @Test func aTokenEndsWithoutLeeway() async throws {
        let house = try await House()
        let tokens = try await house.register("alice").tokens
        house.clock.advance(.seconds(899))
        #expect(await house.isValid(tokens))
        house.clock.advance(.seconds(1))
        #expect(await !house.isValid(tokens))
    }

    @Test func aChangedTokenIsRefused() async throws {
        let house = try await House()
        let token = try await house.register("alice").tokens.accessToken
        let parts = token.split(separator: ".").map(String.init)
        let claims = try #require(decode(parts[1]))
        let forged = encode(claims.replacingOccurrences(of: "\"role\":\"user\"", with: "\"role\":\"admin\""))
        #expect(forged != parts[1])
        for text in [
            "\(parts[0]).\(forged).\(parts[2])", "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])", "", "a.b.c",
            token + "x", String(repeating: "a", count: 5000),
        ] {
            await #expect(refusal(house, text) == .invalidToken, "\(text.prefix(80))")
        }
    }

    @Test(arguments: ["none", "None", "HS512", "RS256"])
    func onlyOneAlgorithmIsTaken(_ algorithm: String) async throws {
        let house = try await House()
        let parts = try await house.register("alice").tokens.accessToken.split(separator: ".").map(String.init)
        let header = encode("{\"alg\":\"\(algorithm)\",\"typ\":\"JWT\",\"kid\":\"k1\"}")
        let signed = sign("\(header).\(parts[1])", House.keys[0])
        #expect(await refusal(house, "\(header).\(parts[1]).") == .invalidToken)
        #expect(await refusal(house, signed) == .invalidToken)
    }

    @Test func theForgeryAboveWouldPassWithTheRightAlgorithm() async throws {
        let house = try await House()
        let parts = try await house.register("alice").tokens.accessToken.split(separator: ".").map(String.init)
        let header = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}")
        #expect(await refusal(house, sign("\(header).\(parts[1])", House.keys[0])) == nil)
    }

    @Test func aTokenOfAnotherKeyIsRefused() async throws {
        let house = try await House()
        let parts = try await house.register("alice").tokens.accessToken.split(separator: ".").map(String.init)
        let other = AccessTokens.Key(id: "k1", secret: [UInt8](repeating: 8, count: 32))
        #expect(await refusal(house, sign("\(parts[0]).\(parts[1])", other)) == .invalidToken)
        let unnamed = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k9\"}")
        #expect(await refusal(house, sign("\(unnamed).\(parts[1])", House.keys[0])) == .invalidToken)
    }

    @Test func thePreviousKeyIsTakenWhileItIsKept() async throws {
        let house = try await House()
        let token = try await house.register("alice").tokens.accessToken
        let new = AccessTokens.Key(id: "k2", secret: [UInt8](repeating: 9, count: 32))
        let rotated = try await AccessTokens(
            .init(keys: [new] + House.keys), revocations: house.revocations, clock: house.clock)
        _ = try await rotated.identity(from: token)
        let dropped = try await AccessTokens(.init(keys: [new]), revocations: house.revocations, clock: house.clock)
        #expect(await reason { () throws(Fault) in _ = try await dropped.identity(from: token) } == .invalidToken)
    }

    @Test func aShortKeyIsNoSecret() async {
        let short = AccessTokens.Configuration(keys: [.init(id: "k", secret: [1, 2, 3])])
        let none = AccessTokens.Configuration(keys: [])
        for configuration in [short, none] {
            let refused = await reason { () throws(Fault) in
                _ = try await AccessTokens(configuration, revocations: Revocations(), clock: TestClock())
            }
            #expect(refused == .unavailable)
        }
    }

    // MARK: A forger's tools

    private func refusal(_ house: House, _ token: String) async -> Fault.Reason? {
        await reason { () throws(Fault) in _ = try await house.tokens.identity(from: token) }
    }

    private func sign(_ text: String, _ key: AccessTokens.Key) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key.secret))
        return "\(text).\(encode(Data(code)))"
    }

    private func encode(_ text: String) -> String { encode(Data(text.utf8)) }

    private func encode(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    private func decode(_ part: String) -> String? {
        let text = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        let padding = String(repeating: "=", count: (4 - text.count % 4) % 4)
        return Data(base64Encoded: text + padding).flatMap { String(data: $0, encoding: .utf8) }
    }
}
