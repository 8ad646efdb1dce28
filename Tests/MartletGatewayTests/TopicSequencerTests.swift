import MartletCore
import Testing

@testable import MartletGateway

private let topic = ConversationID.group(GroupID(unchecked: 1))

@Suite struct TopicSequencerTests {
    @Test func theFirstEventIsTakenAsItComes() {
        var sequencer = TopicSequencer()
        #expect(sequencer.accept(topic, 17) == .deliver)
        #expect(sequencer.accept(topic, 18) == .deliver)
    }

    @Test func repeatedAndOlderOnesAreDropped() {
        var sequencer = TopicSequencer()
        _ = sequencer.accept(topic, 5)
        #expect(sequencer.accept(topic, 5) == .drop)
        #expect(sequencer.accept(topic, 4) == .drop)
    }

    @Test func aGapIsFilledBeforeAnythingElseIsDelivered() {
        var sequencer = TopicSequencer()
        _ = sequencer.accept(topic, 5)
        #expect(sequencer.accept(topic, 8) == .fill(.range(6...7)))
        #expect(sequencer.accept(topic, 9) == .wait)
        #expect(
            sequencer.accept(topic, 6) == .wait, "a late one waits with the others and is dropped as a repeat there")
        sequencer.filled(topic, through: 9)
        #expect(sequencer.accept(topic, 9) == .drop)
        #expect(sequencer.accept(topic, 10) == .deliver)
    }

    @Test func memoryIsBounded() {
        var sequencer = TopicSequencer(capacity: 2)
        for id in 1...5 { #expect(sequencer.accept(.group(GroupID(unchecked: Int64(id))), 1) == .deliver) }
    }
}

@Suite struct TimerWheelTests {
    @Test func anEntryComesUpAtItsDeadlineAndOnce() {
        var wheel = TimerWheel<String>(slots: 8)
        wheel.insert("a", at: 3)
        var seen: [UInt64] = []
        for _ in 0..<20 { if wheel.advance() == ["a"] { seen.append(wheel.now) } }
        #expect(seen == [3])
    }

    @Test func adeadlineInThePastComesUpNext() {
        var wheel = TimerWheel<String>(slots: 8)
        _ = wheel.advance()
        wheel.insert("a", at: 0)
        #expect(wheel.advance() == ["a"])
    }

    @Test func adeadlineBeyondTheRingComesUpEarlyToGoInAgain() {
        var wheel = TimerWheel<String>(slots: 8)
        wheel.insert("a", at: 100)
        for _ in 0..<6 { #expect(wheel.advance().isEmpty) }
        #expect(wheel.advance() == ["a"])
    }
}

@Suite struct InterestTableTests {
    private let low = UserID(unchecked: 1)
    private let high = UserID(unchecked: 2)

    @Test func aDirectConversationGoesWhereEitherSideIs() {
        let table = InterestTable()
        table.set(.inbox(low), loop: 0, true)
        table.set(.inbox(high), loop: 3, true)
        #expect(table.interest(in: .direct(low, high)).loops == 0b1001)
        table.set(.inbox(low), loop: 0, false)
        #expect(table.interest(in: .direct(low, high)).loops == 0b1000)
    }

    @Test func nobodyInterestedIsNoLoop() {
        let table = InterestTable()
        table.set(topic, loop: 1, true)
        table.set(topic, loop: 1, false)
        #expect(table.interest(in: topic).loops == 0)
    }
}

/// A bus that may lose events, and somebody who is interested from the 100th millisecond on.
@Suite struct LossyTopicSequencerTests {
    private var sequencer = TopicSequencer(isLossy: true)

    @Test mutating func theFirstEventOfAllNeedsNoLookingBack() {
        #expect(sequencer.accept(topic, 1, since: 100, now: 110) == .deliver)
        #expect(sequencer.accept(topic, 2, since: 100, now: 120) == .deliver)
    }

    @Test mutating func behindAnEventOutOfTheBlueTheLogIsAsked() {
        #expect(sequencer.accept(topic, 17, since: 100, now: 110) == .fill(.recent(through: 16)))
        #expect(sequencer.accept(topic, 18, since: 100, now: 111) == .wait)
        sequencer.filled(topic, through: 18, now: 112)
        #expect(sequencer.accept(topic, 19, since: 100, now: 113) == .deliver)
    }

    @Test mutating func aRepeatOfWhatWasBeforeAnybodyCameIsNotForThem() {
        #expect(sequencer.accept(topic, 17, since: 100, now: 110, isNews: false) == .drop)
        #expect(sequencer.accept(topic, 1, since: 100, now: 110, isNews: false) == .drop)
        #expect(sequencer.count == 0)
    }

    @Test mutating func deliveryGoesOnBehindWhereTheConversationStood() {
        let missing = sequencer.start(topic, at: 16, since: 100, now: 105)
        #expect(missing == nil)
        #expect(sequencer.accept(topic, 16, since: 100, now: 110) == .drop)
        #expect(sequencer.accept(topic, 18, since: 100, now: 110) == .fill(.range(17...17)))
    }

    @Test mutating func anEventThatCameBeforeItWasKnownWhereToBeginWaitsForThat() {
        #expect(sequencer.accept(topic, 17, since: 100, now: 101) == .fill(.recent(through: 16)))
        let missing = sequencer.start(topic, at: 15, since: 100, now: 105)
        #expect(missing == nil)
        #expect(sequencer.last(topic) == 15)
        #expect(sequencer.accept(topic, 18, since: 100, now: 106) == .wait)
    }

    @Test mutating func aPlaceOfBeforeABreakIsNotBelieved() {
        _ = sequencer.start(topic, at: 5, since: 100, now: 105)
        #expect(sequencer.accept(topic, 6, since: 100, now: 110) == .deliver)
        // They all went, others came at 200; nobody heard of 7 and 8, which are not for those who came.
        let missing = sequencer.start(topic, at: 8, since: 200, now: 210)
        #expect(missing == nil)
        #expect(sequencer.accept(topic, 9, since: 200, now: 220) == .deliver)
    }

    @Test mutating func whoComesToOthersShowsWhatTheyMissed() {
        _ = sequencer.start(topic, at: 5, since: 100, now: 105)
        let missing = sequencer.start(topic, at: 7, since: 100, now: 210)
        #expect(missing == .range(6...7))
    }

    @Test mutating func aComparisonFindsWhatWasLostAtTheEnd() {
        _ = sequencer.start(topic, at: 5, since: 100, now: 105)
        let nothing = sequencer.compare(topic, 5, isRecent: true, since: 100, now: 110)
        #expect(nothing == nil)
        let missing = sequencer.compare(topic, 7, isRecent: true, since: 100, now: 120)
        #expect(missing == .range(6...7))
        let again = sequencer.compare(topic, 8, isRecent: true, since: 100, now: 121)
        #expect(again == nil, "it is being filled already")
    }

    @Test mutating func aConversationWithoutAPlaceIsLookedUpOnlyWhereItHadNews() {
        let old = sequencer.compare(topic, 9, isRecent: false, since: 100, now: 110)
        #expect(old == nil)
        let new = sequencer.compare(topic, 9, isRecent: true, since: 100, now: 110)
        #expect(new == .recent(through: 9))
    }

    @Test mutating func quietConversationsAreForgottenButNotThoseThatAreBeingFilled() {
        let other = ConversationID.group(GroupID(unchecked: 2))
        _ = sequencer.start(topic, at: 5, since: 100, now: 105)
        _ = sequencer.accept(other, 9, since: 100, now: 105)
        sequencer.forget(before: 1000)
        #expect(sequencer.count == 1)
        #expect(sequencer.accept(other, 10, since: 100, now: 1001) == .wait)
    }
}
