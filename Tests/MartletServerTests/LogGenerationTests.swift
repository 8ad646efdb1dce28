import MartletCore
import Testing

@testable import MartletServer

@Suite struct LogGenerationTests {
    private let users = (1...6).map { UserID(unchecked: $0) }

    private func texts(_ count: Int) -> [String] {
        LogGeneration.conversations(count, between: users).map(\.text)
    }

    @Test func `The load generator's pairs come first, then their neighbours`() {
        #expect(texts(6) == ["d:1:2", "d:3:4", "d:5:6", "d:2:3", "d:4:5", "d:1:3"])
    }

    @Test func `No two are the same, and there are no more than there can be`() {
        #expect(texts(15).count == 15)
        #expect(Set(texts(100)).count == 15)
        #expect(LogGeneration.conversations(3, between: [UserID(unchecked: 1)]) == [])
    }
}
