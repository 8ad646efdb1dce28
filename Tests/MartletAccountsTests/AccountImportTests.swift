import MartletAccounts
import MartletBus
import MartletCore
import MartletTestServices
import Testing

@Suite(.everyEngine) struct AccountImportTests {
    private typealias NewUser = AccountAdministration.NewUser
    private typealias Outcome = Result<Account, Fault>

    private func user(_ name: String, _ number: Int64? = nil, password: String = "") -> NewUser {
        NewUser(username: name, password: password, number: number.map { UserID(unchecked: $0) })
    }

    private func numbers(_ results: [Outcome]) -> [Int64?] { results.map { (try? $0.get())?.id.value } }

    private func reasons(_ results: [Outcome]) -> [Fault.Reason?] {
        results.map { result in
            guard case .failure(let fault) = result else { return nil }
            return fault.reason
        }
    }

    // MARK: Numbers

    @Test func numbersAreKeptAndLaterOnesAreBehindThem() async throws {
        let house = try await House()
        let results = try await house.administration.add([user("ada", 7), user("bob", 3)], app: House.app)
        #expect(numbers(results) == [7, 3])
        let next = try await house.register("carol").account.id
        #expect(next.value == 8)
    }

    @Test func aLowNumberLeavesTheCounterWhereItIs() async throws {
        let house = try await House()
        _ = try await house.administration.add([user("ada", 50), user("bob", 3)], app: House.app)
        _ = try await house.administration.add([user("eva", 4)], app: House.app)
        let next = try await house.register("carol").account.id
        #expect(next.value == 51)
    }

    @Test func whoHasNoNumberGetsNoneOfThoseBroughtAlong() async throws {
        let house = try await House()
        let results = try await house.administration.add(
            [user("zoe"), user("ada", 1), user("bob", 2)], app: House.app)
        #expect(numbers(results) == [3, 1, 2])
    }

    @Test func aTakenNumberKeepsOnlyItsRowOut() async throws {
        let house = try await House()
        let alice = try await house.register("alice").account.id
        let other = try await house.register("berta", app: House.otherApp).account.id
        let results = try await house.administration.add(
            [user("ada", alice.value), user("eva", other.value), user("bob", 20), user("ben", 20)], app: House.app)
        #expect(numbers(results) == [nil, nil, 20, nil])
        #expect(reasons(results) == [.invalidField, .invalidField, nil, .invalidField])
    }

    @Test func aGuestsNumberIsTakenToo() async throws {
        let house = try await House { $0.allowsGuests = true }
        let guest = try await house.accounts.namedGuest("ada", app: House.app, address: "192.0.2.1").id
        let results = try await house.administration.add([user("ada", guest.value)], app: House.app)
        #expect(reasons(results) == [.invalidField])
    }

    @Test func aNameUnderAnotherNumberIsNotTheSameUser() async throws {
        let house = try await House()
        _ = try await house.administration.add([user("ada", 5)], app: House.app)
        let results = try await house.administration.add(
            [user("ADA", 5), user("ada", 6), user("ada")], app: House.app)
        #expect(reasons(results) == [.usernameTaken, .invalidField, .usernameTaken])
        // What was refused took no number with it.
        let next = try await house.register("carol").account.id
        #expect(next.value < 8)
    }

    @Test(arguments: [Int64(-1), 0, 1 << 31]) func aNumberOfMoreThan32BitsOrNoneIsRefused(number: Int64) async throws {
        let house = try await House()
        let results = try await house.administration.add([user("ada", number)], app: House.app)
        #expect(reasons(results) == [.invalidField])
    }

    @Test func theHighestNumberIsTaken() async throws {
        let house = try await House()
        let results = try await house.administration.add([user("ada", 2_000_000_000)], app: House.app)
        #expect(numbers(results) == [2_000_000_000])
    }

    @Test func nobodyWhoRegistersMeanwhileGetsTheSameNumber() async throws {
        let house = try await House { $0.addressRate = .init(perSecond: 1000, burst: 1000) }
        let administration = house.administration
        let count = 30
        let made = try await withThrowingTaskGroup(of: [Int64?].self) { group in
            for index in 0..<count {
                group.addTask { [try await house.register("registered\(index)").account.id.value] }
                group.addTask {
                    let number = Int64(index + 5)
                    return numbers(try await administration.add([user("brought\(index)", number)], app: House.app))
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }.compactMap { $0 }
        }
        #expect(made.count >= count)
        #expect(Set(made).count == made.count)
        let next = try await house.register("last").account.id.value
        #expect(made.allSatisfy { $0 < next })
    }

    // MARK: Passwords

    @Test func aBroughtNumberSignsIn() async throws {
        let house = try await House()
        _ = try await house.administration.add([user("ada", 7, password: House.password)], app: House.app)
        let account = try await house.accounts.signIn(
            number: UserID(unchecked: 7), password: House.password, app: nil, address: "192.0.2.1")
        #expect(account.username == "ada")
    }

    @Test func shortPasswordsAreTakenWhereAskedFor() async throws {
        let house = try await House()
        let users = [user("ada", password: "1"), user("bob", password: String(repeating: "x", count: 129))]
        let usual = try await house.administration.add(users, app: House.app)
        #expect(reasons(usual) == [.invalidField, .invalidField])
        let results = try await house.administration.add(users, app: House.app, takesShortPasswords: true)
        #expect(reasons(results) == [nil, .invalidField])
        try await house.signIn("ada", "1")
    }
}
