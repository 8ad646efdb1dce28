import MartletCore
import Testing

@testable import MartletSocial

@Suite struct FriendRulesTests {
    private typealias Facts = FriendRules.RequestFacts

    private func refusal(_ facts: Facts) async -> Fault.Reason? {
        await reason { () throws(Fault) in _ = try FriendRules.request(facts) }
    }

    @Test func aFirstRequestIsMade() throws {
        #expect(try FriendRules.request(Facts()) == .create)
    }

    @Test func aRequestThatWaitsIsKept() throws {
        #expect(try FriendRules.request(Facts(mine: 4)) == .keep(4))
    }

    @Test func whoWasAskedAndAsksAccepts() throws {
        #expect(try FriendRules.request(Facts(mine: 4, theirs: 5)) == .accept(5))
    }

    @Test func friendsDoNotAskAgain() async {
        #expect(await refusal(Facts(ties: .init(isFriend: true), theirs: 5)) == .alreadyFriends)
    }

    @Test func aBlockOnEitherSideForbids() async {
        #expect(await refusal(Facts(ties: .init(blockedByMe: true), theirs: 5)) == .blocked)
        #expect(await refusal(Facts(ties: .init(blockedByThem: true), mine: 4)) == .blocked)
    }

    @Test func friendsAreLimitedOnBothSides() async throws {
        #expect(await refusal(Facts(myFriends: Limits.friends)) == .limitReached)
        #expect(await refusal(Facts(theirs: 5, theirFriends: Limits.friends)) == .limitReached)
        #expect(try FriendRules.request(Facts(myFriends: Limits.friends - 1)) == .create)
        // Whether the other side has room is their matter when they answer.
        #expect(try FriendRules.request(Facts(theirFriends: Limits.friends)) == .create)
    }

    @Test(arguments: [
        (FriendRules.Ties(), true, Relation.stranger),
        (.init(), false, .strangerRefused),
        (.init(isFriend: true), false, .friend),
        (.init(isFriend: true, blockedByThem: true), true, .blockedByThem),
        (.init(isFriend: true, blockedByMe: true), true, .blockedByMe),
        (.init(blockedByMe: true, blockedByThem: true), true, .blockedByMe),
    ])
    func relations(_ ties: FriendRules.Ties, _ strangersMayWrite: Bool, _ expected: Relation) {
        #expect(FriendRules.relation(ties, strangersMayWrite: strangersMayWrite) == expected)
    }
}
