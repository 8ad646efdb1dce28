import MartletCore
import NIOCore
import Testing

@testable import MartletRedis

@Suite struct TopicSubscriptionsTests {
    private let one = ConversationID.group(GroupID(unchecked: 1))
    private let two = ConversationID.group(GroupID(unchecked: 2))

    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64((100 + seconds) * 1_000_000_000)) }

    /// Of servers that are up, and were told nothing yet.
    private func connected(servers: Int = 1, atOnce: Int = 100) -> TopicSubscriptions {
        var topics = TopicSubscriptions(servers: servers, atOnce: atOnce)
        for server in 0..<servers {
            _ = topics.up(server)
            _ = topics.confirmed([], by: server)
        }
        return topics
    }

    /// Follows both topics on server 0, confirmed.
    private func confirmed() -> TopicSubscriptions {
        var topics = connected(servers: 2)
        for topic in [one, two] { _ = topics.follow(topic) { 0 } }
        let changes = topics.changes(for: 0)
        _ = topics.confirmed(changes.subscribe, by: 0)
        return topics
    }

    @Test func `A topic is told once, however many follow it`() {
        var topics = connected()
        let first = topics.follow(one) { 0 }
        let second = topics.follow(one) { 0 }
        let changes = topics.changes(for: 0)
        _ = topics.confirmed(changes.subscribe, by: 0)
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
        let (missed, _) = topics.confirmed(all.subscribe, by: 0)
        #expect(Set(all.subscribe) == [one, two])
        #expect(Set(missed) == [one, two])
    }

    @Test func `Who waits is done with the last topic, and who gave up is told later`() {
        var topics = connected()
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
        var topics = connected()
        _ = topics.follow(one) { 0 }
        _ = topics.changes(for: 0)
        let waits = topics.wait(1, for: [one]) { _ in true }
        let (missed, _) = topics.confirmed([one], by: 0)
        #expect(!waits)
        #expect(missed == [one])
    }

    /// Ten topics that a server which came back is to be told of, three at once.
    private func manyAgain() -> (TopicSubscriptions, all: Set<ConversationID>, first: [ConversationID]) {
        let all = (1...10).map { ConversationID.group(GroupID(unchecked: $0 + 100)) }
        var topics = connected(atOnce: 3)
        for topic in all { _ = topics.follow(topic) { 0 } }
        topics.down(0)
        let first = topics.up(0)
        return (topics, Set(all), first.subscribe)
    }

    /// Tells and confirms all that is left.
    private func rest(_ topics: inout TopicSubscriptions) -> [TopicSubscriptions.Changes] {
        var told: [TopicSubscriptions.Changes] = []
        while true {
            let changes = topics.changes(for: 0)
            guard !changes.isEmpty else { return told }
            _ = topics.confirmed(changes.subscribe, by: 0)
            told.append(changes)
        }
    }

    @Test func `Many topics are told in parts, each once the one before is confirmed`() {
        var (topics, all, first) = manyAgain()
        let early = topics.changes(for: 0)
        let mayTell = topics.isFirstToTell(0)
        let (missed, _) = topics.confirmed(first, by: 0)
        let parts = [first] + rest(&topics).map(\.subscribe)
        #expect(early.isEmpty && !mayTell)
        #expect(missed == first)
        #expect(parts.map(\.count) == [3, 3, 3, 1])
        #expect(Set(parts.joined()) == all)
    }

    @Test func `Who follows meanwhile comes before what was there`() {
        var (topics, _, first) = manyAgain()
        let server = topics.follow(one) { 0 }
        _ = topics.confirmed(first, by: 0)
        let next = topics.changes(for: 0)
        #expect(server == 0)
        #expect(next.subscribe.first == one && next.subscribe.count == 3)
    }

    @Test func `What goes before its part is not told at all, and what goes after is taken back`() {
        var (topics, all, first) = manyAgain()
        let (told, untold) = (first[0], all.subtracting(first).min { $0.text < $1.text } ?? one)
        for topic in [told, untold] { topics.unfollow(topic, now: at(0)) }
        _ = topics.sweep(now: at(5))
        let (missed, _) = topics.confirmed(first, by: 0)
        let parts = rest(&topics)
        #expect(Set(missed) == Set(first).subtracting([told]))
        #expect(Set(parts.flatMap(\.subscribe)) == all.subtracting(first).subtracting([untold]))
        #expect(parts.flatMap(\.unsubscribe).contains(told))
    }

    @Test func `What comes back before its part is told once`() {
        var (topics, all, first) = manyAgain()
        let topic = all.subtracting(first).first ?? one
        topics.unfollow(topic, now: at(0))
        _ = topics.sweep(now: at(5))
        _ = topics.follow(topic) { 0 }
        _ = topics.confirmed(first, by: 0)
        let parts = rest(&topics)
        #expect(parts.flatMap(\.subscribe).filter { $0 == topic }.count == 1)
        #expect(parts.flatMap(\.unsubscribe).isEmpty)
    }

    @Test func `What is gone is taken back in parts, too`() {
        var topics = connected(atOnce: 3)
        let all = (1...7).map { ConversationID.group(GroupID(unchecked: $0)) }
        for topic in all { _ = topics.follow(topic) { 0 } }
        _ = rest(&topics)
        for topic in all { topics.unfollow(topic, now: at(0)) }
        _ = topics.sweep(now: at(5))
        let parts = rest(&topics).map(\.unsubscribe)
        #expect(parts.map(\.count) == [3, 3, 1])
        #expect(Set(parts.joined()) == Set(all))
    }

    @Test func `A connection that is lost halfway is told everything again`() {
        var (topics, all, first) = manyAgain()
        _ = topics.confirmed(first, by: 0)
        _ = topics.changes(for: 0)
        topics.down(0)
        let away = topics.changes(for: 0)
        _ = topics.follow(one) { 0 }
        let again = topics.up(0).subscribe
        _ = topics.confirmed(again, by: 0)
        let parts = [again] + rest(&topics).map(\.subscribe)
        #expect(away.isEmpty)
        #expect(parts.joined().count == 11 && Set(parts.joined()) == all.union([one]))
    }
}
