import MartletBus
import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct SignInTests {
    @Test func whoRegistersIsSignedIn() async throws {
        let house = try await House()
        let signedIn = try await house.register("Alice")
        #expect(signedIn.account.username == "Alice" && signedIn.account.role == .user)
        #expect(try await house.caller(signedIn).user == signedIn.account.id)
    }

    @Test func aNameIsTakenInWhateverCaseWithinItsApp() async throws {
        let house = try await House()
        try await house.register("Alice")
        #expect(await reason { () throws(Fault) in try await house.register("aLICE") } == .usernameTaken)
        let other = try await house.register("alice", app: House.otherApp)
        #expect(other.account.app == House.otherApp)
    }

    @Test func anUnknownAppIsRefused() async throws {
        let house = try await House()
        let app = AppID(unchecked: 9)
        #expect(await reason { () throws(Fault) in try await house.register("alice", app: app) } == .invalidField)
    }

    @Test func closedRegistrationRefuses() async throws {
        let house = try await House { $0.isOpen = false }
        #expect(await reason { () throws(Fault) in try await house.register("alice") } == .notAllowed)
        try await house.administration.create(username: "alice", password: House.password, app: House.app)
        try await house.signIn("alice")
    }

    @Test func wrongPasswordAndUnknownNameAreOneAnswer() async throws {
        let house = try await House()
        try await house.register("alice")
        #expect(
            await reason { () throws(Fault) in try await house.signIn("alice", "wrong horse") } == .wrongCredentials)
        #expect(await reason { () throws(Fault) in try await house.signIn("nobody") } == .wrongCredentials)
        let elsewhere = await reason { () throws(Fault) in try await house.signIn("alice", app: House.otherApp) }
        #expect(elsewhere == .wrongCredentials)
    }

    @Test func aPasswordIsOneHoweverItsLettersWereComposed() async throws {
        let house = try await House()
        _ = try await house.accounts.register(.init(username: "zoe", password: "cafe\u{0301} noir"), address: "")
        try await house.signIn("zoe", "caf\u{00E9} noir")
    }

    @Test func aRaisedCostIsTakenUpAtTheNextSignIn() async throws {
        let house = try await House()
        let dearer = PasswordHasher(cost: .init(logN: 5, blockSize: 1, parallelism: 1))
        let administration = AccountAdministration(database: house.database, hasher: dearer, clock: house.clock)
        let account = try await administration.create(username: "alice", password: House.password, app: House.app)
        try await house.signIn("alice")
        let hash = try await house.accounts.store.withPassword(.id(account.id), app: House.app)?.passwordHash
        #expect(hash?.hasPrefix("$scrypt$ln=4,") == true)
        try await house.signIn("alice")
    }

    @Test func triesOfOnePasswordAreLimitedButNeverForGood() async throws {
        let house = try await House()
        try await house.register("alice")
        for _ in 0..<10 {
            #expect(
                await reason { () throws(Fault) in try await house.signIn("ALICE", "wrong horse") } == .wrongCredentials
            )
        }
        #expect(await reason { () throws(Fault) in try await house.signIn("alice") } == .rateLimited)
        house.clock.advance(.seconds(6))
        try await house.signIn("alice")
    }

    @Test func oneAddressIsLimited() async throws {
        let house = try await House { $0.addressRate = .init(perSecond: 1, burst: 3) }
        try await house.register("alice")
        try await house.signIn("alice")
        let tokens = try await house.signIn("alice").tokens
        let limited = await reason { () throws(Fault) in
            _ = try await house.accounts.refresh(tokens.refreshToken, address: "192.0.2.1")
        }
        #expect(limited == .rateLimited)
        _ = try await house.accounts.refresh(tokens.refreshToken, address: "192.0.2.2")
    }

    @Test func guestsComeOnlyWhereTheyAreAdmitted() async throws {
        let closed = try await House()
        let refused = await reason { () throws(Fault) in _ = try await closed.accounts.guest(name: "Zoe", address: "") }
        #expect(refused == .guestsRefused)
        let open = try await House { $0.allowsGuests = true }
        let one = try await open.accounts.guest(name: "Zoe", address: "")
        let other = try await open.accounts.guest(name: "Zoe", address: "")
        #expect(one.role == .guest && one.name == "Zoe" && one.username != other.username)
        #expect(try await open.directory.find(username: one.username, app: House.app) == nil)
        // A guest has no password: nothing signs in as one.
        #expect(await reason { () throws(Fault) in try await open.signIn(one.username, "") } == .wrongCredentials)
    }
}
