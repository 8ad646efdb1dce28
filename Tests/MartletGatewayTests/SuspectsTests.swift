import MartletCore
import Testing

@testable import MartletGateway

@Suite struct SuspectsTests {
    private func group(_ id: Int64) -> ConversationID { .group(GroupID(unchecked: id)) }

    @Test func `What was lost comes before what is looked at in turn`() {
        var suspects = Suspects()
        suspects.add((1...5).map(group), isUrgent: false)
        suspects.add([group(3), group(9)], isUrgent: true)
        // Once is enough.
        suspects.add([group(3)], isUrgent: false)
        let first = suspects.take(10)
        let second = suspects.take(3)
        let third = suspects.take(3)
        let last = suspects.take(3)
        #expect(first.isUrgent && Set(first.topics) == [group(3), group(9)])
        #expect(!second.isUrgent && second.topics.count == 3)
        #expect(Set(second.topics + third.topics) == Set([1, 2, 4, 5].map(group)))
        #expect(last.topics.isEmpty && suspects.count == 0)
    }
}
