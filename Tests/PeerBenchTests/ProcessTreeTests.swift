import Testing

@testable import PeerBench

@Suite struct ProcessTreeTests {
    @Test func countsEverythingBelowTheServer() {
        let found = ProcessTree.descendants(of: 10, [10: 1, 11: 10, 12: 11, 13: 12, 20: 1, 21: 20])
        #expect(found.sorted() == [11, 12, 13])
    }

    @Test func endsWhereNumbersGoRound() {
        let found = ProcessTree.descendants(of: 10, [10: 11, 11: 10])
        #expect(found == [11])
    }

    @Test func readsTheParentBehindAnyName() {
        let parent = ProcessTree.parent(stat: "12 (a) S 3 (b) S 77 12 12 0")
        #expect(parent == 77)
        let none = ProcessTree.parent(stat: "12")
        #expect(none == nil)
    }

    @Test func measuresAProcessAndKnowsWhereThereIsNone() throws {
        let tree = try #require(ProcessTree(of: [1]))
        #expect(tree.processes >= 1)
        let none = ProcessTree(of: [.max])
        #expect(none == nil)
    }
}
