import MartletCore
import Testing

@Suite struct IdentifierTests {
    @Test(arguments: [Int64.min, -1, 0, 9_007_199_254_740_992, Int64.max])
    func refusesWhatIsNoIdentifier(_ value: Int64) {
        #expect(UserID(value) == nil)
        #expect(GroupID(value) == nil)
        #expect(AppID(value) == nil)
    }

    @Test func takesTheBounds() {
        #expect(UserID(1)?.value == 1)
        #expect(UserID(maximumIdentifier)?.value == maximumIdentifier)
        #expect(GroupID(maximumIdentifier)?.value == maximumIdentifier)
        #expect(AppID(2_147_483_647)?.value == 2_147_483_647)
        #expect(AppID(2_147_483_648) == nil)
    }

    @Test func writesASessionAsSixteenDigits() {
        #expect(SessionID(0).text == "0000000000000000")
        #expect(SessionID(0xABC).text == "0000000000000abc")
        #expect(SessionID(.max).text == "ffffffffffffffff")
    }
}
