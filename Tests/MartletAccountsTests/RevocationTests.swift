import MartletBus
import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct RevocationTests {
    @Test func aBanEndsEverySignInAtOnce() async throws {
        let house = try await House()
        let admin = try await house.administrator()
        let (one, other) = (try await house.register("alice"), try await house.signIn("alice"))
        try await house.accounts.ban(one.account.id, until: nil, by: admin)
        #expect(await !house.isValid(one.tokens))
        #expect(await !house.isValid(other.tokens))
        #expect(await reason { () throws(Fault) in try await house.signIn("alice") } == .banned)
        // Only who knows the password learns of the ban.
        #expect(
            await reason { () throws(Fault) in try await house.signIn("alice", "wrong horse") } == .wrongCredentials)
        let refreshed = await reason { () throws(Fault) in
            _ = try await house.accounts.refresh(one.tokens.refreshToken, address: "")
        }
        #expect(refreshed == .banned)
        #expect(house.broker.revoked(.banned).contains(try await other.family(house)))
    }

    @Test func aBanEndsByItself() async throws {
        let house = try await House()
        let admin = try await house.administrator()
        let alice = try await house.register("alice").account.id
        try await house.accounts.ban(alice, until: house.clock.now + .seconds(60), by: admin)
        house.clock.advance(.seconds(59))
        #expect(await reason { () throws(Fault) in try await house.signIn("alice") } == .banned)
        house.clock.advance(.seconds(1))
        try await house.signIn("alice")
    }

    @Test func aLiftedBanLetsTheUserIn() async throws {
        let house = try await House()
        let admin = try await house.administrator()
        let alice = try await house.register("alice").account.id
        try await house.accounts.ban(alice, until: nil, by: admin)
        try await house.accounts.unban(alice, by: admin)
        // In the same second: what was made before the ban is dead, what is made now is not.
        #expect(await house.isValid(try await house.signIn("alice").tokens))
    }

    @Test func onlyAdministratorsBanAndOnlyInTheirApp() async throws {
        let house = try await House()
        let admin = try await house.administrator()
        let alice = try await house.register("alice")
        let stranger = try await house.register("bob", app: House.otherApp)
        let caller = try await house.caller(alice)
        func ban(_ user: UserID, _ caller: Caller, until: Instant? = nil) async -> Fault.Reason? {
            await reason { () throws(Fault) in try await house.accounts.ban(user, until: until, by: caller) }
        }
        #expect(await ban(admin.user, caller) == .notAllowed)
        #expect(await ban(stranger.account.id, admin) == .unknownUser)
        #expect(await ban(UserID(unchecked: 999), admin) == .unknownUser)
        #expect(await ban(admin.user, admin) == .notAllowed)
        #expect(await ban(alice.account.id, admin, until: house.clock.now) == .invalidField)
        let lift = await reason { () throws(Fault) in try await house.accounts.unban(stranger.account.id, by: admin) }
        #expect(lift == .unknownUser)
    }

    @Test func aPasswordChangeEndsEveryOtherSignIn() async throws {
        let house = try await House()
        let (mine, other) = (try await house.register("alice"), try await house.signIn("alice"))
        let caller = try await house.caller(mine)
        let otherFamily = try await other.family(house)
        let new = try await house.accounts.changePassword(from: House.password, to: "battery staple", by: caller)
        #expect(await house.isValid(new))
        #expect(await !house.isValid(other.tokens))
        #expect(house.broker.revoked(.passwordChanged) == [otherFamily, Revocation.withoutFamily])
        #expect(await reason { () throws(Fault) in try await house.signIn("alice") } == .wrongCredentials)
        // In the same second.
        #expect(await house.isValid(try await house.signIn("alice", "battery staple").tokens))
        _ = try await house.accounts.refresh(new.refreshToken, address: "")
        let old = await reason { () throws(Fault) in
            _ = try await house.accounts.refresh(mine.tokens.refreshToken, address: "")
        }
        #expect(old == .tokenReused)
    }

    @Test func aPasswordChangeNeedsTheOldOne() async throws {
        let house = try await House()
        let signedIn = try await house.register("alice")
        let caller = try await house.caller(signedIn)
        func change(_ old: String, _ new: String) async -> Fault.Reason? {
            await reason { () throws(Fault) in
                _ = try await house.accounts.changePassword(from: old, to: new, by: caller)
            }
        }
        #expect(await change("wrong horse", "battery staple") == .wrongCredentials)
        #expect(await change(House.password, "short") == .invalidField)
        #expect(await house.isValid(signedIn.tokens))
        for _ in 0..<9 { #expect(await change("wrong horse", "battery staple") == .wrongCredentials) }
        #expect(await change(House.password, "battery staple") == .rateLimited)
    }

    @Test func whatAnotherProcessEndsReachesThisOne() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        let family = try await alice.family(house)
        let watcher = house.watcher(house.revocations)
        try await watcher.load()
        try await house.administration.ban(alice.account.id)
        #expect(await house.isValid(alice.tokens))
        try await watcher.poll()
        #expect(await !house.isValid(alice.tokens))
        #expect(house.broker.revoked(.banned) == [family, 0])
        try await watcher.poll()
        #expect(house.broker.revoked(.banned) == [family, 0])
    }

    @Test func whatThisProcessEndedIsNotAnnouncedTwice() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        let watcher = house.watcher(house.revocations)
        try await house.accounts.signOut(try await house.caller(alice), all: false)
        let announced = house.broker.signals.count
        try await watcher.poll()
        #expect(house.broker.signals.count == announced)
    }

    @Test func aStartRemembersWhatEndedLately() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        try await house.administration.setPassword(alice.account.id, to: "battery staple")
        let revocations = Revocations()
        let tokens = try await AccessTokens(.init(keys: House.keys), revocations: revocations, clock: house.clock)
        _ = try await tokens.identity(from: alice.tokens.accessToken)
        try await house.watcher(revocations).load()
        let refused = await reason { () throws(Fault) in _ = try await tokens.identity(from: alice.tokens.accessToken) }
        #expect(refused == .invalidToken)
        // It was told to sessions when it happened; a start has none.
        #expect(house.broker.signals.isEmpty)
    }

    @Test func whatEndedLongAgoIsForgotten() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        try await house.accounts.signOut(try await house.caller(alice), all: false)
        #expect(house.revocations.count == 1)
        house.clock.advance(.seconds(901))
        house.revocations.forget(before: house.clock.now - house.tokens.lifetime)
        #expect(house.revocations.count == 0)
        let fresh = Revocations()
        house.clock.advance(.seconds(120))
        try await house.watcher(fresh).load()
        #expect(fresh.count == 0 && fresh.lastSeen == 1)
    }

    @Test func aBanEndsOperatorsTokensToo() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        let token = try await house.tokens.make(alice.account, device: .bot, family: 0)
        _ = try await house.tokens.identity(from: token)
        let watcher = house.watcher(house.revocations)
        try await watcher.load()
        try await house.administration.ban(alice.account.id)
        try await watcher.poll()
        let refused = await reason { () throws(Fault) in _ = try await house.tokens.identity(from: token) }
        #expect(refused == .invalidToken)
    }

    // MARK: Sessions without a sign-in

    /// A session that came in at a time, by number and password, or as a guest.
    private func isEnded(_ user: UserID, since: Instant, _ revocations: Revocations) -> Bool {
        revocations.isRevoked(user, family: 0, issuedAt: since)
    }

    @Test func aPasswordChangeEndsWhatBelongsToNoSignIn() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        let token = try await house.tokens.make(alice.account, device: .bot, family: 0)
        let since = house.clock.now
        house.clock.advance(.milliseconds(1))
        let new = try await house.accounts.changePassword(
            from: House.password, to: "battery staple", by: try await house.caller(alice))
        #expect(isEnded(alice.account.id, since: since, house.revocations))
        #expect(await house.accounts.verify(token) == nil)
        #expect(house.broker.revoked(.passwordChanged) == [Revocation.withoutFamily])
        // The changing device's own goes on.
        #expect(await house.isValid(new))
        #expect(await house.isValid(alice.tokens))
    }

    @Test func whoComesInWithTheNewPasswordInTheSameSecondStays() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        _ = try await house.accounts.changePassword(
            from: House.password, to: "battery staple", by: try await house.caller(alice))
        house.clock.advance(.milliseconds(1))
        #expect(!isEnded(alice.account.id, since: house.clock.now, house.revocations))
    }

    @Test func theOperatorsPasswordChangeReachesThemFromAnotherProcess() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        let family = try await alice.family(house)
        let watcher = house.watcher(house.revocations)
        try await watcher.load()
        try await house.administration.setPassword(alice.account.id, to: "battery staple")
        try await watcher.poll()
        #expect(isEnded(alice.account.id, since: house.clock.now, house.revocations))
        #expect(house.broker.revoked(.passwordChanged) == [family, Revocation.withoutFamily])
        try await watcher.poll()
        #expect(house.broker.revoked(.passwordChanged).count == 2)
    }

    @Test func aSignOutOfAllDevicesEndsThem() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        try await house.accounts.signOut(try await house.caller(alice), all: true)
        #expect(isEnded(alice.account.id, since: house.clock.now, house.revocations))
        #expect(house.broker.revoked(.passwordChanged) == [Revocation.withoutFamily])
    }

    @Test func aSignOutOfOneDeviceLeavesThem() async throws {
        let house = try await House()
        let alice = try await house.register("alice")
        try await house.accounts.signOut(try await house.caller(alice), all: false)
        #expect(!isEnded(alice.account.id, since: house.clock.now, house.revocations))
    }

    @Test func aBanEndsThem() async throws {
        let house = try await House()
        let admin = try await house.administrator()
        let alice = try await house.register("alice").account.id
        try await house.accounts.ban(alice, until: nil, by: admin)
        #expect(isEnded(alice, since: house.clock.now, house.revocations))
        #expect(house.broker.revoked(.banned).last == 0)
    }

    @Test func aPasswordChangedDuringACheckIsSeenBehindIt() async throws {
        let house = try await House()
        let (alice, bob) = (try await house.register("alice"), try await house.register("bob").account.id)
        let store = house.accounts.tokenStore
        try await house.administration.setPassword(alice.account.id, to: House.password)
        let newest = try await store.newestRevocation()
        #expect(try await !store.hasEnded(alice.account.id, since: newest))
        let again = try await house.signIn("alice")
        try await house.accounts.signOut(try await house.caller(again), all: false)
        #expect(try await !store.hasEnded(alice.account.id, since: newest))
        try await house.administration.setPassword(alice.account.id, to: "battery staple")
        #expect(try await store.hasEnded(alice.account.id, since: newest))
        #expect(try await !store.hasEnded(bob, since: newest))
        try await house.administration.ban(bob)
        #expect(try await store.hasEnded(bob, since: newest))
    }

    @Test func aLaterEndCountsThoughItsNodesClockIsBehind() async throws {
        let revocations = Revocations()
        let (alice, time) = (UserID(unchecked: 1), Instant(milliseconds: 1_700_000_000_000))
        func revocation(_ id: Int64, _ family: Int64, at: Instant) -> Revocation {
            Revocation(id: id, user: alice, family: family, reason: "banned", at: at)
        }
        let first = revocations.apply(revocation(1, Revocation.withoutFamily, at: time))
        let later = revocations.apply(revocation(2, 0, at: time - .seconds(1)))
        let repeated = revocations.apply(revocation(2, 0, at: time - .seconds(1)))
        #expect(first && later && !repeated)
        #expect(isEnded(alice, since: time, revocations))
    }

    @Test func aGuestsBanIsTheUsers() async throws {
        let house = try await House { $0.allowsGuests = true }
        let guest = try await house.accounts.guest(name: "Zoe", address: "")
        try await house.watcher(house.revocations).load()
        try await house.administration.ban(guest.id)
        try await house.watcher(house.revocations).poll()
        #expect(house.broker.revoked(.banned) == [0])
    }

    @Test func aRoleTakenAwayEndsTheSignIns() async throws {
        let house = try await House()
        let admin = try await house.administrator()
        let watcher = house.watcher(house.revocations)
        try await house.administration.setRole(admin.user, to: .user)
        try await watcher.poll()
        #expect(house.broker.revoked(.signedOut) == [admin.family, 0])
    }
}

extension SignedIn {
    fileprivate func family(_ house: House) async throws(Fault) -> Int64 {
        try await house.accounts.tokenStore.database.read { connection throws(Fault) in
            try connection.integer(
                """
                SELECT family FROM refresh_tokens WHERE hash = \(Accounts.hash(tokens.refreshToken))
                """) ?? 0
        }
    }
}
