import MartletBus
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Testing

@testable import MartletAccounts

@Suite(.everyEngine) struct ProfileTests {
    @Test func onesOwnProfileHasMoreThanAnothers() async throws {
        let house = try await House()
        let alice = try await house.caller(try await house.register("alice"))
        let bob = try await house.caller(try await house.register("bob"))
        #expect(try await house.accounts.profile(by: alice).isOwn)
        let seen = try await house.accounts.profile(of: .username("ALICE"), by: bob)
        #expect(seen.account.id == alice.user && !seen.isOwn && !seen.isOnline)
    }

    @Test func presenceShows() async throws {
        let house = try await House()
        let alice = try await house.caller(try await house.register("alice"))
        house.presence.opened(
            SessionOpening(user: alice.user, session: SessionID(7), device: "web", sameDevice: .allow, limit: 9)
        ) { _ in }
        #expect(try await house.accounts.profile(of: .id(alice.user), by: alice).isOnline)
    }

    @Test func anotherAppsUsersDoNotExist() async throws {
        let house = try await House()
        let alice = try await house.caller(try await house.register("alice"))
        let other = try await house.register("bob", app: House.otherApp).account.id
        for reference in [AccountReference.id(other), .username("bob"), .id(UserID(unchecked: 999))] {
            let refused = await reason { () throws(Fault) in
                _ = try await house.accounts.profile(of: reference, by: alice)
            }
            #expect(refused == .unknownUser)
        }
    }

    @Test func aChangeLeavesTheRestAndTellsTheInbox() async throws {
        let house = try await House()
        let alice = try await house.caller(try await house.register("alice"))
        _ = try await house.accounts.updateProfile(.init(nickname: " Alice ", bio: "two\nlines"), by: alice)
        let profile = try await house.accounts.updateProfile(
            .init(avatar: "/files/a", strangersMayWrite: false), by: alice)
        #expect(profile.account.nickname == "Alice" && profile.account.bio == "two\nlines")
        #expect(profile.account.avatar == "/files/a" && !profile.account.strangersMayWrite)
        let page = try await house.log.read(.inbox(alice.user), 1...100, limit: 10, newest: false)
        #expect(page.events.map(\.kind) == [.profileChanged, .profileChanged])
        #expect(page.events.allSatisfy { $0.sender == .system })
        // Sessions take the name that they send under from here.
        let contents = page.events.map { String(decoding: $0.body ?? [], as: UTF8.self) }
        #expect(contents == [#"{"nickname":"Alice"}"#, #"{"nickname":"Alice"}"#])
    }

    @Test func anEmptyTextClearsAField() async throws {
        let house = try await House()
        let alice = try await house.caller(try await house.register("alice"))
        _ = try await house.accounts.updateProfile(.init(bio: "x", email: "a@b.example"), by: alice)
        let profile = try await house.accounts.updateProfile(.init(bio: "", email: ""), by: alice)
        #expect(profile.account.bio.isEmpty && profile.account.email.isEmpty)
    }

    @Test func guestsHaveNoProfileToChange() async throws {
        let house = try await House()
        let guest = Caller(user: UserID(unchecked: 1), app: House.app, role: .guest, device: .web, name: "g")
        let refused = await reason { () throws(Fault) in
            _ = try await house.accounts.updateProfile(.init(bio: "x"), by: guest)
        }
        #expect(refused == .guestsRefused)
    }

    @Test func theDirectoryRemembersUntilAChange() async throws {
        let house = try await House()
        let alice = try await house.caller(try await house.register("alice"))
        #expect(try await house.directory.card(alice.user)?.name == "alice")
        _ = try await house.accounts.updateProfile(.init(nickname: "Al"), by: alice)
        #expect(try await house.directory.card(alice.user)?.name == "Al")
    }

    @Test func theDirectoryReadsAnewAfterAWhile() async throws {
        let house = try await House()
        let alice = try await house.register("alice").account.id
        _ = try await house.directory.card(alice)
        _ = try await house.database.write { connection throws(Fault) in
            try AccountStore.update(connection, alice, .init(nickname: "Al"))
        }
        #expect(try await house.directory.card(alice)?.nickname == "")
        house.clock.advance(.seconds(11))
        #expect(try await house.directory.card(alice)?.nickname == "Al")
    }

    @Test func theDirectoryIsBounded() async throws {
        let house = try await House()
        let directory = AccountDirectory(database: house.database, clock: house.clock, capacity: 4)
        var ids: [UserID] = []
        for number in 0..<10 { ids.append(try await house.register("user\(number)").account.id) }
        let cards = try await directory.cards(ids + [UserID(unchecked: 999)])
        #expect(cards.count == 10)
        #expect(directory.remembered <= 4)
        #expect(try await directory.cards(ids).count == 10)
    }

    @Test func theOperatorListsAccounts() async throws {
        let house = try await House()
        for name in ["alice", "bob", "carol"] { try await house.register(name) }
        let first = try await house.administration.list(limit: 2)
        #expect(first.map(\.username) == ["alice", "bob"])
        let rest = try await house.administration.list(app: House.app, after: first.last?.id, limit: 2)
        #expect(rest.map(\.username) == ["carol"])
        #expect(try await house.administration.find(username: "BOB", app: House.app)?.id == first.last?.id)
        let unknown = await reason { () throws(Fault) in
            try await house.administration.setPassword(UserID(unchecked: 999), to: House.password)
        }
        #expect(unknown == .unknownUser)
    }
}
