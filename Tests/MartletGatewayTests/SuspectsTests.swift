import MartletCore
import Testing

@testable import MartletGateway

@Suite struct SuspectsTests {
    private func group(_ id: Int64) -> ConversationID { .group(GroupID(unchecked: id)) }

    private func groups(_ ids: ClosedRange<Int64>) -> [ConversationID] { ids.map(group) }

    @Test func `What was lost comes before what is looked at in turn`() {
        var suspects = Suspects()
        suspects.beginRound(groups(1...5))
        suspects.add([group(3), group(9), group(3)])
        let first = suspects.take(10)
        #expect(first?.isUrgent == true)
        #expect(first?.topics == [group(3), group(9)])
        let second = suspects.take(3)
        #expect(second?.isUrgent == false)
        let third = suspects.take(3)
        let last = suspects.take(3)
        #expect(Set((second?.topics ?? []) + (third?.topics ?? [])) == Set(groups(1...5)))
        #expect(last?.topics == nil)
    }

    @Test func `A round comes to every topic, also where the next one is due before its end`() {
        var suspects = Suspects()
        var seen: Set<ConversationID> = []
        var rounds = 0
        for _ in 0..<20 {
            suspects.beginRound(groups(1...1000))
            for _ in 0..<2 {
                guard let part = suspects.take(50) else { continue }
                seen.formUnion(part.topics)
                if suspects.done(part) { rounds += 1 }
            }
        }
        #expect(seen.count == 1000)
        #expect(rounds == 2)
    }

    @Test func `What can't be compared waits behind the others, and counts as behind`() throws {
        var suspects = Suspects()
        suspects.add(groups(1...3))
        let first = suspects.take(2)
        let part = try #require(first)
        #expect(suspects.behind == 3)
        suspects.add([group(4)])
        suspects.failed(part)
        #expect(suspects.behind == 4)
        let second = suspects.take(2)
        let next = try #require(second)
        #expect(next.topics == [group(3), group(4)])
        let isRound = suspects.done(next)
        #expect(!isRound)
        #expect(suspects.behind == 2)
    }
}
