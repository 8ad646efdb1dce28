import Testing

@testable import MartletGateway

@Suite struct DepartureTests {
    private let now = ContinuousClock.now

    @Test func tellsNoSessionBeforeBalancersHadTheirNotice() {
        let departure = Departure()
        #expect(!departure.hasBegun)
        departure.begin()
        #expect(departure.hasBegun)
        #expect(!departure.isUnderWay)
        #expect(departure.timeLeft(now: now) == nil)
    }

    @Test func givesThoseWhoComeLateTheRestOfTheTime() {
        let departure = Departure()
        departure.tellSessions(goneBy: now + .seconds(10))
        #expect(departure.hasBegun)
        #expect(departure.isUnderWay)
        #expect(departure.timeLeft(now: now) == .seconds(10))
        #expect(departure.timeLeft(now: now + .seconds(7)) == .seconds(3))
        #expect(departure.timeLeft(now: now + .seconds(12)) == .zero)
    }
}
