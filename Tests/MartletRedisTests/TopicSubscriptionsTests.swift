import MartletCore
import NIOCore
import Testing

@testable import MartletRedis

@Suite struct TopicSubscriptionsTests {
    private let one = ConversationID.group(GroupID(unchecked: 1))
    private let two = ConversationID.group(GroupID(unchecked: 2))

    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64((100 + seconds) * 1_000_000_000)) }

    /// Follows both topics on server 0, confirmed.
    private func confirmed() -> TopicSubscriptions {
        var topics = TopicSubscriptions(servers: 2)
        for topic in [one, two] { _ = topics.follow(topic) { 0 } }
        let changes = topics.changes(for: 0)
        _ = topics.confirmed(changes.subscribe, by: 0)
        return topics
    }

    @Test func `A topic is told once, however many follow it`() {
        var topics = TopicSubscriptions(servers: 1)
        let first = topics.follow(one) { 0 }
        let second = topics.follow(one) { 0 }
        let changes = topics.changes(for: 0)
        let again = topics.changes(for: 0)
        #expect(first == 0)
        #expect(second == nil)
        #expect(changes == TopicSubscriptions.Changes(subscribe: [one]))
        #expect(again.isEmpty)
    }

    @Test func `Who comes back within the linger costs nothing, and then it is gone`() {
        var topics = confirmed()
        topics.unfollow(one, now: at(0))
        _ = topics.follow(one) { 0 }
        let early = topics.sweep(now: at(6))
        topics.unfollow(one, now: at(7))
        let tooEarly = topics.sweep(now: at(11))
        let late = topics.sweep(now: at(12))
        let changes = topics.changes(for: 0)
        #expect(early.isEmpty)
        #expect(tooEarly.isEmpty)
        #expect(late == [0])
        #expect(changes == TopicSubscriptions.Changes(unsubscribe: [one]))
        #expect(topics.count == 1)
    }

    @Test func `A topic that moves is told to its new server, missed there, and leaves the old one later`() {
        var topics = confirmed()
        let tell = topics.move(now: at(0)) { $0.map { $0 == one ? 1 : 0 } }
        let changes = topics.changes(for: 1)
        let (missed, _) = topics.confirmed(changes.subscribe, by: 1)
        let old = topics.sweep(now: at(5))
        let leaving = topics.changes(for: 0)
        #expect(tell == [1])
        #expect(changes == TopicSubscriptions.Changes(subscribe: [one]))
        #expect(missed == [one])
        #expect(old == [0])
        #expect(leaving == TopicSubscriptions.Changes(unsubscribe: [one]))
    }

    @Test func `A topic that moved back in time stays`() {
        var topics = confirmed()
        _ = topics.move(now: at(0)) { $0.map { _ in 1 } }
        _ = topics.move(now: at(1)) { $0.map { _ in 0 } }
        _ = topics.sweep(now: at(9))
        let left = topics.changes(for: 0)
        let gone = topics.changes(for: 1)
        #expect(left.unsubscribe.isEmpty)
        #expect(Set(gone.unsubscribe) == [one, two])
    }

    @Test func `After a new connection all is told again and missed`() {
        var topics = confirmed()
        topics.down(0)
        let all = topics.up(0)
        let (missed, _) = topics.confirmed(all, by: 0)
        #expect(Set(all) == [one, two])
        #expect(Set(missed) == [one, two])
    }

    @Test func `Who waits is done with the last topic, and who gave up is told later`() {
        var topics = TopicSubscriptions(servers: 1)
        for topic in [one, two] { _ = topics.follow(topic) { 0 } }
        _ = topics.changes(for: 0)
        let waits = topics.wait(1, for: [one, two]) { _ in false }
        let alsoWaits = topics.wait(2, for: [two]) { _ in false }
        let first = topics.confirmed([one], by: 0)
        let gaveUp = topics.giveUp(2)
        let second = topics.confirmed([two], by: 0)
        let isDone = topics.giveUp(1)
        let nothing = topics.wait(3, for: [one, two]) { _ in false }
        #expect(waits && alsoWaits && gaveUp)
        #expect(first.done.isEmpty && first.missed.isEmpty)
        #expect(second.done == [1] && second.missed == [two])
        #expect(!isDone && !nothing)
    }

    @Test func `For a server that is away nobody waits`() {
        var topics = TopicSubscriptions(servers: 1)
        _ = topics.follow(one) { 0 }
        _ = topics.changes(for: 0)
        let waits = topics.wait(1, for: [one]) { _ in true }
        let (missed, _) = topics.confirmed([one], by: 0)
        #expect(!waits)
        #expect(missed == [one])
    }
}
