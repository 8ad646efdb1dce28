import MartletCore
import Testing

@Suite struct InstantTests {
    @Test func addsAndSubtractsDurations() {
        let start = Instant(milliseconds: 1_640_995_200_123)
        #expect((start + .seconds(2)).milliseconds == 1_640_995_202_123)
        #expect((start - .milliseconds(123)).milliseconds == 1_640_995_200_000)
        #expect(start + .seconds(2) - start == .seconds(2))
        #expect(start - (start + .seconds(2)) == .seconds(-2))
    }

    @Test func ordersByTime() {
        #expect(Instant.distantPast < Instant(milliseconds: 1))
        #expect(Instant(milliseconds: 1) < Instant.distantFuture)
    }

    @Test func roundsTowardsZero() {
        #expect(Instant(milliseconds: 1_999).seconds == 1)
        #expect(Duration.microseconds(1_999).milliseconds == 1)
        #expect(Duration.microseconds(-1_999).milliseconds == -1)
        #expect(Duration.seconds(3).milliseconds == 3_000)
    }

    @Test func keepsTheDistantFutureWithinWhatJSONKeeps() {
        #expect(Instant.distantFuture.milliseconds == maximumIdentifier)
    }
}
