import NIOCore
import Testing

@testable import MartletGateway

@Suite struct JointTests {
    private let allocator = ByteBufferAllocator()

    @Test func holdsBothBehindOneAnother() {
        let joint = Joint(ByteBuffer(string: "one"), ByteBuffer(string: "two"), allocator)
        #expect(String(buffer: joint.both) == "onetwo")
    }

    @Test func knowsTheBuffersThatItWasMadeOf() {
        let (first, second) = (ByteBuffer(string: "one"), ByteBuffer(string: "two"))
        let joint = Joint(first, second, allocator)
        #expect(joint.isOf(first, second))
        #expect(!joint.isOf(second, first))
        #expect(!joint.isOf(ByteBuffer(string: "one"), second), "the same bytes elsewhere are another buffer")
    }

    @Test func isNotOfABufferThatChangedSince() {
        var first = ByteBuffer(string: "one")
        let second = ByteBuffer(string: "two")
        let joint = Joint(first, second, allocator)
        first.setString("ONE", at: 0)
        #expect(!joint.isOf(first, second))
        first = ByteBuffer(string: "one")
        let shorter = second.getSlice(at: second.readerIndex, length: 2) ?? ByteBuffer()
        #expect(!joint.isOf(first, shorter))
    }
}
