import MartletBus
import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct NumberSignInTests {
    private let address = "192.0.2.1"

    private func refusal(
        _ house: House, _ number: UserID, _ password: String = House.password, app: AppID? = nil
    ) async -> Fault.Reason? {
        await reason { () throws(Fault) in
            _ = try await house.accounts.signIn(number: number, password: password, app: app, address: address)
        }
    }

    private func register(
        _ name: String, _ password: String, app: AppID? = nil, _ house: House
    ) async throws(Fault) -> Account {
        try await house.accounts.register(plainly: name, password: password, app: app, address: address)
    }

    // MARK: Signing in

    @Test func aNumberSignsInWithoutAFamily() async throws {
        let house = try await House()
        let alice = try await house.administration.create(
            username: "alice", password: House.password, app: House.app)
        let account = try await house.accounts.signIn(
            number: alice.id, password: House.password, app: nil, address: address)
        #expect(account == alice)
        let families = try await house.database.read { connection throws(Fault) in
            try connection.integer("SELECT count(*) FROM token_families")
        }
        #expect(families == 0)
    }

    @Test func whatIsWrongIsOneAnswer() async throws {
        let house = try await House { $0.allowsGuests = true }
        let alice = try await house.register("alice").account.id
        let guest = try await house.accounts.namedGuest("zoe", app: House.app).id
        #expect(await refusal(house, alice, "wrong horse") == .wrongCredentials)
        #expect(await refusal(house, alice, "") == .wrongCredentials)
        #expect(await refusal(house, alice, String(repeating: "x", count: 10_000)) == .wrongCredentials)
        #expect(await refusal(house, UserID(unchecked: 999)) == .wrongCredentials)
        #expect(await refusal(house, .system) == .wrongCredentials)
        #expect(await refusal(house, guest, "") == .wrongCredentials)
        #expect(await refusal(house, alice, app: House.otherApp) == .wrongCredentials)
        #expect(await refusal(house, alice, app: AppID(unchecked: 9)) == .invalidField)
        #expect(await refusal(house, alice) == nil)
    }

    @Test func numberAndNameShareTheTries() async throws {
        let house = try await House()
        let alice = try await house.register("Alice").account.id
        for _ in 0..<5 {
            #expect(await refusal(house, alice, "wrong horse") == .wrongCredentials)
            #expect(
                await reason { () throws(Fault) in try await house.signIn("ALICE", "wrong horse") } == .wrongCredentials
            )
        }
        #expect(await refusal(house, alice) == .rateLimited)
        #expect(await reason { () throws(Fault) in try await house.signIn("alice") } == .rateLimited)
        house.clock.advance(.seconds(6))
        #expect(await refusal(house, alice) == nil)
    }

    @Test func triesOfANumberOfNobodyAreLimitedToo() async throws {
        let house = try await House()
        for _ in 0..<10 { #expect(await refusal(house, UserID(unchecked: 999)) == .wrongCredentials) }
        #expect(await refusal(house, UserID(unchecked: 999)) == .rateLimited)
        #expect(await refusal(house, UserID(unchecked: 998)) == .wrongCredentials)
    }

    @Test func oneAddressIsLimited() async throws {
        let house = try await House { $0.addressRate = .init(perSecond: 1, burst: 2) }
        let alice = try await house.register("alice").account.id
        #expect(await refusal(house, alice) == nil)
        #expect(await refusal(house, alice) == .rateLimited)
    }

    @Test func onlyWhoKnowsThePasswordLearnsOfABan() async throws {
        let house = try await House()
        let alice = try await house.register("alice").account.id
        try await house.administration.ban(alice)
        #expect(await refusal(house, alice) == .banned)
        #expect(await refusal(house, alice, "wrong horse") == .wrongCredentials)
    }

    // MARK: Registering

    @Test func anyPasswordRegistersPlainlyAndSignsInEverywhere() async throws {
        let house = try await House()
        for (name, password) in [("ada", "1"), ("bob", "123"), ("eva", String(repeating: "é", count: 128))] {
            let account = try await register(name, password, house)
            #expect(account.username == name && account.role == .user && account.app == House.app)
            #expect(await refusal(house, account.id, password) == nil)
            try await house.signIn(name, password)
        }
    }

    @Test func aPasswordMayBeNeitherEmptyNorEndless() async throws {
        let house = try await House()
        for password in ["", String(repeating: "x", count: 129)] {
            let refused = await reason { () throws(Fault) in _ = try await register("alice", password, house) }
            #expect(refused == .invalidField)
        }
    }

    @Test func aPlainNameFollowsTheRulesAndIsTakenOnce() async throws {
        let house = try await House()
        let wrong = await reason { () throws(Fault) in _ = try await register("a b", "123", house) }
        #expect(wrong == .invalidField)
        _ = try await register("alice", "123", house)
        let taken = await reason { () throws(Fault) in _ = try await register("ALICE", "456", house) }
        #expect(taken == .usernameTaken)
        _ = try await register("alice", "123", app: House.otherApp, house)
        let nowhere = await reason { () throws(Fault) in
            _ = try await register("bob", "123", app: AppID(unchecked: 9), house)
        }
        #expect(nowhere == .invalidField)
    }

    @Test func closedRegistrationRefusesPlainNamesToo() async throws {
        let house = try await House { $0.isOpen = false }
        let refused = await reason { () throws(Fault) in _ = try await register("alice", "123", house) }
        #expect(refused == .notAllowed)
    }

    @Test func registeringTakesFromTheAddressRate() async throws {
        let house = try await House { $0.addressRate = .init(perSecond: 0.001, burst: 1) }
        _ = try await register("alice", "123", house)
        let limited = await reason { () throws(Fault) in _ = try await register("bob", "123", house) }
        #expect(limited == .rateLimited)
    }

    @Test func aShortPasswordIsTheOldOneOfAChange() async throws {
        let house = try await House()
        _ = try await register("alice", "1", house)
        let caller = try await house.caller(try await house.signIn("alice", "1"))
        _ = try await house.accounts.changePassword(from: "1", to: "battery staple", by: caller)
        try await house.signIn("alice", "battery staple")
    }
}
