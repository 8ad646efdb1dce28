import MartletBus
import MartletCore
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct NamedGuestTests {
    private let name = "黄帝"

    private func house(_ change: (inout Accounts.Configuration) -> Void = { _ in }) async throws -> House {
        try await House { configuration in
            configuration.allowsGuests = true
            change(&configuration)
        }
    }

    private func refusal(_ name: String, app: AppID = House.app, _ house: House) async -> Fault? {
        do throws(Fault) {
            _ = try await house.accounts.namedGuest(name, app: app, address: "192.0.2.1")
            return nil
        } catch {
            return error
        }
    }

    // MARK: Coming in

    @Test func aNameIsOneGuestOfItsApp() async throws {
        let house = try await house()
        let first = try await house.accounts.namedGuest(name, app: House.app, address: "192.0.2.1")
        let again = try await house.accounts.namedGuest(name, app: House.app, address: "192.0.2.2")
        let elsewhere = try await house.accounts.namedGuest(name, app: House.otherApp, address: "192.0.2.1")
        #expect(first == again)
        #expect(first.role == .guest && first.app == House.app)
        #expect(first.username == name && first.name == name)
        #expect(elsewhere.id != first.id && elsewhere.app == House.otherApp)
    }

    @Test func namesOfOtherCaseAreOtherGuests() async throws {
        let house = try await house()
        let one = try await house.accounts.namedGuest("Zoe", app: House.app)
        let other = try await house.accounts.namedGuest("zoe", app: House.app)
        #expect(one.id != other.id && one.username == "Zoe" && other.username == "zoe")
    }

    @Test func sessionsThatComeAtOnceAreOneGuest() async throws {
        let house = try await house()
        let ids = try await withThrowingTaskGroup(of: UserID.self) { tasks in
            for _ in 0..<8 {
                tasks.addTask { try await house.accounts.namedGuest("zoe", app: House.app).id }
            }
            return try await tasks.reduce(into: Set<UserID>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
    }

    @Test func namedGuestsComeOnlyWhereGuestsAreLetIn() async throws {
        let house = try await House()
        #expect(await refusal(name, house)?.reason == .guestsRefused)
        // Whom the operator trusts brings them all the same.
        let guest = try await house.accounts.namedGuest(name, app: House.app)
        #expect(guest.role == .guest)
    }

    @Test func aNameThatCannotBeShownIsRefused() async throws {
        let house = try await house()
        let names = [
            "", "12345678901234567890", "一二三四五六七", "a\nb", "\nab", "a\u{202E}b", " ", "\u{200B}", "a\0b",
        ]
        for name in names {
            let fault = await refusal(name, house)
            #expect(fault?.reason == .invalidField, "\(name.debugDescription)")
            #expect(fault?.field == "userId")
        }
    }

    @Test func aNameIsKeptAsItWasGiven() async throws {
        let house = try await house()
        for name in ["a", "1234567890123456789", "一二三四五六", " a b "] {
            let guest = try await house.accounts.namedGuest(name, app: House.app, address: "")
            #expect(guest.username == name && guest.name == name)
        }
    }

    @Test func anAppThatIsNotThereIsRefused() async throws {
        let house = try await house()
        #expect(await refusal(name, app: AppID(unchecked: 9), house)?.field == "appId")
        let reason = await reason { () throws(Fault) in
            _ = try await house.accounts.person(named: name, app: AppID(unchecked: 9))
        }
        #expect(reason == .invalidField)
    }

    @Test func onlyMakingAGuestTakesFromTheAddressRate() async throws {
        let house = try await house { $0.addressRate = .init(perSecond: 0.001, burst: 2) }
        for _ in 0..<5 { #expect(await refusal("zoe", house) == nil) }
        #expect(await refusal("max", house) == nil)
        #expect(await refusal("eva", house)?.reason == .rateLimited)
        #expect(await refusal("zoe", house) == nil)
        _ = try await house.accounts.namedGuest("eva", app: House.app)
    }

    @Test func aBannedGuestStaysOutUntilTheBanEnds() async throws {
        let house = try await house()
        let guest = try await house.accounts.namedGuest(name, app: House.app)
        try await house.administration.ban(guest.id, until: house.clock.now + .seconds(60))
        #expect(await refusal(name, house)?.reason == .banned)
        let trusted = await reason { () throws(Fault) in
            _ = try await house.accounts.namedGuest(name, app: House.app)
        }
        #expect(trusted == .banned)
        house.clock.advance(.seconds(60))
        #expect(await refusal(name, house) == nil)
    }

    // MARK: Beside accounts

    @Test func anAccountsNameIsNoGuests() async throws {
        let house = try await house()
        try await house.register("Alice")
        let hidden = ["al\u{200B}ice", "alice\u{FE0F}", "ali\u{34F}ce", "alice\u{3164}", "\u{FF41}lice"]
        for name in ["alice", "ALICE", " alice "] + hidden {
            #expect(await refusal(name, house)?.reason == .notAllowed, "\(name.debugDescription)")
            #expect(await refusal(name, app: House.otherApp, house) == nil)
        }
    }

    @Test func anAccountMayTakeAGuestsName() async throws {
        let house = try await house()
        let guest = try await house.accounts.namedGuest("alice", app: House.app)
        let account = try await house.register("alice").account
        #expect(account.id != guest.id)
        #expect(await refusal("alice", house)?.reason == .notAllowed)
        #expect(try await house.accounts.person(named: "alice", app: House.app)?.id == account.id)
    }

    @Test func aGuestIsNoAccount() async throws {
        let house = try await house()
        let guest = try await house.accounts.namedGuest("zoe", app: House.app)
        for name in ["zoe", "~acc:zoe"] {
            #expect(await reason { () throws(Fault) in try await house.signIn(name, "") } == .wrongCredentials)
            #expect(try await house.directory.find(username: name, app: House.app) == nil)
        }
        #expect(try await house.directory.card(guest.id) == guest)
    }

    // MARK: Speaking without a session

    @Test func whoIsBannedIsNotSpokenFor() async throws {
        let house = try await house()
        let people = [
            "zoe": try await house.accounts.namedGuest("zoe", app: House.app).id,
            "alice": try await house.register("alice").account.id,
        ]
        for (name, id) in people {
            #expect(try await house.accounts.spokenFor(named: name, app: House.app).id == id)
            try await house.administration.ban(id, until: house.clock.now + .seconds(600))
            // What is remembered of a name is some seconds old at most.
            house.clock.advance(.seconds(11))
            let refused = await reason { () throws(Fault) in
                _ = try await house.accounts.spokenFor(named: name, app: House.app)
            }
            #expect(refused == .banned, "\(name)")
        }
        let speaker = await reason { () throws(Fault) in
            _ = try await house.accounts.speaker(named: "zoe", app: House.app, address: "192.0.2.1")
        }
        #expect(speaker == .banned)
    }

    @Test func onlyGuestsAreSpokenForByAnybody() async throws {
        let house = try await house()
        _ = try await house.register("alice")
        let refused = await reason { () throws(Fault) in
            _ = try await house.accounts.speaker(named: "alice", app: House.app, address: "192.0.2.1")
        }
        #expect(refused == .notAllowed)
        let made = try await house.accounts.speaker(named: "zoe", app: House.app, address: "192.0.2.1")
        #expect(try await house.accounts.speaker(named: "zoe", app: House.app, address: "192.0.2.1") == made)
        #expect(made.role == .guest)
    }

    // MARK: Who a name means

    @Test func aPersonIsAnAccountOrElseAGuest() async throws {
        let house = try await house()
        let guest = try await house.accounts.namedGuest("Zoe", app: House.app)
        let account = try await house.register("alice").account
        func person(_ name: String) async throws -> UserCard? {
            try await house.accounts.person(named: name, app: House.app)
        }
        #expect(try await person("Zoe") == guest)
        #expect(try await person("ALICE") == account.card)
        // Guests' names are told apart by case, and nobody is made by asking.
        #expect(try await person("zoe") == nil)
        #expect(try await person("zoe") == nil)
        #expect(try await house.accounts.person(named: "Zoe", app: House.otherApp) == nil)
    }

    @Test func aNameOfNobodyIsNobody() async throws {
        let house = try await house()
        _ = try await house.accounts.guest(name: "anonymous", address: "")
        for name in ["", "\0", "a\0", String(repeating: "a", count: 10_000), "~guest-1", "guest-1"] {
            #expect(try await house.accounts.person(named: name, app: House.app) == nil)
        }
    }
}
