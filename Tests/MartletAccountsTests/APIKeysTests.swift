import MartletCore
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct APIKeysTests {
    private func refusal(_ text: String, _ house: House) async -> Fault.Reason? {
        await reason { () throws(Fault) in _ = try await house.keys.check(text) }
    }

    @Test func aKeyIsKnownByItsText() async throws {
        let house = try await House()
        let (key, text) = try await house.keys.create(name: " shop backend ", app: House.app)
        #expect(key.name == "shop backend" && key.app == House.app && key.createdAt == house.clock.now)
        #expect(text.count == 67 && APIKeys.canBeKey(text))
        #expect(try await house.keys.check(text) == key)
        #expect(key.isFor(House.app) && !key.isFor(House.otherApp))
    }

    @Test func aKeyWithoutAnAppIsForEvery() async throws {
        let house = try await House()
        let text = try await house.keys.create(name: "all", app: nil).text
        let key = try await house.keys.check(text)
        #expect(key.app == nil && key.isFor(House.app) && key.isFor(House.otherApp))
    }

    @Test func keysDiffer() async throws {
        let house = try await House()
        let (one, other) = (
            try await house.keys.create(name: "a", app: nil), try await house.keys.create(name: "a", app: nil)
        )
        #expect(one.text != other.text && one.key.id != other.key.id)
    }

    @Test func theTextIsNotKept() async throws {
        let house = try await House()
        let text = try await house.keys.create(name: "a", app: nil).text
        let hash = try await house.database.read { connection throws(Fault) in
            try connection.row("SELECT hash FROM api_keys")?.text("hash")
        }
        #expect(hash == Accounts.hash(text))
    }

    @Test func anyOtherTextIsRefused() async throws {
        let house = try await House()
        let text = try await house.keys.create(name: "a", app: nil).text
        let digits = String(text.dropFirst(3))
        let wrong = [
            "", "mk_", digits, "mk_" + String(repeating: "0", count: 64), text.uppercased(), text + "0", text + "\0",
            " " + text, "mk_" + String(repeating: "é", count: 32), String(repeating: "x", count: 100_000),
        ]
        for other in wrong { #expect(await refusal(other, house) == .invalidToken) }
    }

    @Test func aRevokedKeyIsWorthless() async throws {
        let house = try await House()
        let (key, text) = try await house.keys.create(name: "a", app: nil)
        let other = try await house.keys.create(name: "b", app: nil)
        let revoked = try await house.keys.revoke(key.id)
        #expect(revoked.revokedAt == house.clock.now)
        #expect(await refusal(text, house) == .invalidToken)
        #expect(try await house.keys.check(other.text) == other.key)
        house.clock.advance(.seconds(1))
        // Once is for good: the time stays.
        #expect(try await house.keys.revoke(key.id) == revoked)
    }

    @Test func aKeyThatIsNotThereCannotBeRevoked() async throws {
        let house = try await House()
        let refused = await reason { () throws(Fault) in try await house.keys.revoke(7) }
        #expect(refused == .notFound)
    }

    @Test func keysAreListedInOrder() async throws {
        let house = try await House()
        for name in ["a", "b", "c"] { _ = try await house.keys.create(name: name, app: nil) }
        let first = try await house.keys.list(limit: 2)
        #expect(first.map(\.name) == ["a", "b"])
        try await house.keys.revoke(first[0].id)
        #expect(try await house.keys.list(after: first[1].id).map(\.name) == ["c"])
        #expect(try await house.keys.list().map { $0.revokedAt == nil } == [false, true, true])
    }

    @Test func aNameHasToBeShown() async throws {
        let house = try await House()
        for name in ["", "  ", "a\nb", String(repeating: "x", count: 65)] {
            let refused = await reason { () throws(Fault) in _ = try await house.keys.create(name: name, app: nil) }
            #expect(refused == .invalidField)
        }
        #expect(try await house.keys.list().isEmpty)
    }

    @Test func thereIsABoundOnGoodKeys() async throws {
        let house = try await House()
        let store = APIKeyStore(database: house.database)
        func make(_ hash: String) async throws(Fault) -> APIKey {
            try await store.create(hash: hash, name: "a", app: nil, maximum: 2, now: house.clock.now)
        }
        let first = try await make("1")
        _ = try await make("2")
        let refused = await reason { () throws(Fault) in _ = try await make("3") }
        #expect(refused == .limitReached)
        _ = try await store.revoke(first.id, now: house.clock.now)
        _ = try await make("3")
    }
}

extension House {
    fileprivate var keys: APIKeys { APIKeys(database: database, clock: clock) }
}
