import MartletBus
import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct RefreshTests {
    private func refresh(_ house: House, _ tokens: TokenPair) async throws(Fault) -> TokenPair {
        try await house.accounts.refresh(tokens.refreshToken, address: "192.0.2.1")
    }

    @Test func aTokenIsExchangedForANewPair() async throws {
        let house = try await House()
        let first = try await house.register("alice")
        let second = try await refresh(house, first.tokens)
        #expect(second.refreshToken != first.tokens.refreshToken)
        let third = try await refresh(house, second)
        #expect(await house.isValid(third))
        #expect(try await house.caller(first).family == house.tokens.identity(from: third.accessToken).family)
    }

    @Test func theStoreHoldsHashesOnly() async throws {
        let house = try await House()
        let token = try await house.register("alice").tokens.refreshToken
        let hashes = try await house.database.read { connection throws(Fault) in
            try connection.rows("SELECT hash FROM refresh_tokens").map { row throws(Fault) in try row.text("hash") }
        }
        #expect(hashes == [Accounts.hash(token)])
        #expect(!hashes.contains(token))
    }

    @Test func usingATokenTwiceEndsTheFamily() async throws {
        let house = try await House()
        let (first, other) = (try await house.register("alice"), try await house.signIn("alice"))
        let family = try await house.caller(first).family
        let second = try await refresh(house, first.tokens)
        #expect(await reason { () throws(Fault) in _ = try await refresh(house, first.tokens) } == .tokenReused)
        #expect(await reason { () throws(Fault) in _ = try await refresh(house, second) } == .invalidToken)
        #expect(await !house.isValid(second))
        #expect(house.broker.revoked(.signedOut) == [family])
        // The account's other sign-in is another matter.
        #expect(await house.isValid(other.tokens))
        _ = try await refresh(house, other.tokens)
    }

    @Test func oneOfManyAtOnceGetsThePairAndTheFamilyEnds() async throws {
        let house = try await House()
        let first = try await house.register("alice")
        let pairs = await withTaskGroup(of: TokenPair?.self) { group in
            for _ in 0..<8 { group.addTask { try? await refresh(house, first.tokens) } }
            return await group.reduce(into: [TokenPair]()) { pairs, pair in if let pair { pairs.append(pair) } }
        }
        #expect(pairs.count == 1)
        #expect(await !house.isValid(first.tokens))
        for pair in pairs { #expect(await !house.isValid(pair)) }
    }

    @Test func anUnusedTokenExpires() async throws {
        let house = try await House { $0.refreshTokenLifetime = .seconds(3600) }
        let tokens = try await house.register("alice").tokens
        house.clock.advance(.seconds(3599))
        let next = try await refresh(house, tokens)
        house.clock.advance(.seconds(3600))
        #expect(await reason { () throws(Fault) in _ = try await refresh(house, next) } == .invalidToken)
    }

    @Test func anUnknownTokenIsRefused() async throws {
        let house = try await House()
        let made = TokenPair(accessToken: "", refreshToken: "0123", lifetime: .zero)
        #expect(await reason { () throws(Fault) in _ = try await refresh(house, made) } == .invalidToken)
    }

    @Test func refreshingTakesUpANewRoleAndName() async throws {
        let house = try await House()
        let first = try await house.register("alice")
        try await house.administration.setRole(first.account.id, to: .admin)
        let identity = try await house.tokens.identity(from: try await refresh(house, first.tokens).accessToken)
        #expect(identity.role == .admin)
    }

    @Test func oneSignInTooManyEndsTheOldest() async throws {
        let house = try await House { $0.maximumFamilies = 2 }
        let first = try await house.register("alice")
        let second = try await house.signIn("alice")
        let third = try await house.signIn("alice")
        #expect(await !house.isValid(first.tokens))
        #expect(await house.isValid(second.tokens))
        #expect(await house.isValid(third.tokens))
        #expect(await reason { () throws(Fault) in _ = try await refresh(house, first.tokens) } == .invalidToken)
    }

    @Test func signingOutEndsOneSignIn() async throws {
        let house = try await House()
        let (one, other) = (try await house.register("alice"), try await house.signIn("alice"))
        let caller = try await house.caller(one)
        try await house.accounts.signOut(caller, all: false)
        #expect(await !house.isValid(one.tokens))
        #expect(await house.isValid(other.tokens))
        #expect(house.broker.revoked(.signedOut) == [caller.family])
        #expect(await reason { () throws(Fault) in _ = try await refresh(house, one.tokens) } == .invalidToken)
    }

    @Test func signingOutEverywhereEndsAllOfTheUserAlone() async throws {
        let house = try await House()
        let (one, other) = (try await house.register("alice"), try await house.signIn("alice"))
        let bob = try await house.register("bob")
        try await house.accounts.signOut(try await house.caller(one), all: true)
        #expect(await !house.isValid(one.tokens))
        #expect(await !house.isValid(other.tokens))
        #expect(await house.isValid(bob.tokens))
    }

    @Test func nobodyEndsAnothersSignIn() async throws {
        let house = try await House()
        let (alice, bob) = (try await house.register("alice"), try await house.register("bob"))
        let family = try await house.caller(bob).family
        let forged = Caller(
            user: alice.account.id, app: House.app, role: .user, device: .web, family: family, name: "alice")
        try await house.accounts.signOut(forged, all: false)
        #expect(await house.isValid(bob.tokens))
    }

    @Test func whatHasExpiredIsRemoved() async throws {
        let house = try await House { $0.refreshTokenLifetime = .seconds(7200) }
        let gone = try await house.register("alice")
        try await house.accounts.signOut(try await house.caller(gone), all: false)
        house.clock.advance(.seconds(7200))
        let kept = try await house.signIn("alice")
        #expect(try await house.accounts.removeExpired() == 1)
        let families = try await house.database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM token_families")
        }
        #expect(families == 1)
        _ = try await refresh(house, kept.tokens)
    }
}
