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
        #expect(sequencer.accept(topic, 8) == .fill(6...7))
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
        #expect(table.loops(for: .direct(low, high)) == 0b1001)
        table.set(.inbox(low), loop: 0, false)
        #expect(table.loops(for: .direct(low, high)) == 0b1000)
    }

    @Test func nobodyInterestedIsNoLoop() {
        let table = InterestTable()
        table.set(topic, loop: 1, true)
        table.set(topic, loop: 1, false)
        #expect(table.loops(for: topic) == 0)
    }
}

@Suite struct SessionRegistryTests {
    private let user = UserID(unchecked: 1)

    private func entry(_ session: UInt64, _ device: DeviceKind = .web) -> SessionRegistry.Entry {
        .init(session: SessionID(session), loop: 0, device: device)
    }

    @Test func severalDevicesAreAllowed() {
        let registry = SessionRegistry()
        #expect(registry.admit(user, entry(1), .allow, limit: 3) == .admitted(replaced: []))
        #expect(registry.admit(user, entry(2), .allow, limit: 3) == .admitted(replaced: []))
    }

    @Test func theOldestMakesRoomPastTheLimit() {
        let registry = SessionRegistry()
        _ = registry.admit(user, entry(1), .allow, limit: 1)
        #expect(registry.admit(user, entry(2), .allow, limit: 1) == .admitted(replaced: [entry(1)]))
    }

    @Test func replaceEndsTheSameKindOnly() {
        let registry = SessionRegistry()
        _ = registry.admit(user, entry(1, .web), .replace, limit: 8)
        _ = registry.admit(user, entry(2, .ios), .replace, limit: 8)
        #expect(registry.admit(user, entry(3, .web), .replace, limit: 8) == .admitted(replaced: [entry(1, .web)]))
    }

    @Test func refuseKeepsTheOlder() {
        let registry = SessionRegistry()
        _ = registry.admit(user, entry(1), .refuse, limit: 8)
        #expect(registry.admit(user, entry(2), .refuse, limit: 8) == .refused)
        registry.remove(user, SessionID(1))
        #expect(registry.admit(user, entry(2), .refuse, limit: 8) == .admitted(replaced: []))
    }
}
