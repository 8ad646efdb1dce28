import MartletWire
import NIOCore
import Testing

@Suite struct WebSocketEncoderTests {
    private let allocator = ByteBufferAllocator()

    private func read(_ buffer: ByteBuffer, role: WebSocketDecoder.Role = .client) -> [Decoded] {
        decode(Array(buffer.readableBytesView), role: role, maximum: 1 << 20)
    }

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536, 100_000])
    func writesTheShortestHeader(_ count: Int) {
        let text = WebSocketEncoder.text([UInt8](repeating: 0x61, count: count), allocator: allocator)
        let header = count <= 125 ? 2 : count <= 65_535 ? 4 : 10
        #expect(text.readableBytes == header + count)
        #expect(WebSocketEncoder.headerSize(payload: count, masked: false) == header)
        #expect(WebSocketEncoder.headerSize(payload: count, masked: true) == header + 4)
        #expect(read(text) == [.text(String(repeating: "a", count: count))])
    }

    @Test func writesTheExamplesOfTheStandard() {
        #expect(
            Array(WebSocketEncoder.text(utf8("Hello"), allocator: allocator).readableBytesView) == [0x81, 0x05]
                + utf8("Hello"))
        var masked = ByteBuffer()
        WebSocketEncoder.maskedText(utf8("Hello"), mask: 0x37FA_213D, into: &masked)
        #expect(
            Array(masked.readableBytesView) == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    }

    @Test func writesControlFrames() {
        let payload = ByteBuffer(string: "data")
        #expect(read(WebSocketEncoder.ping(payload, allocator: allocator)) == [.ping(utf8("data"))])
        #expect(read(WebSocketEncoder.pong(payload, allocator: allocator)) == [.pong(utf8("data"))])
        #expect(read(WebSocketEncoder.close(.banned, allocator: allocator)) == [.close(4101, "banned")])
        #expect(read(WebSocketEncoder.close(.normal, reason: "", allocator: allocator)) == [.close(1000, "")])
    }

    @Test func cutsACloseReasonBetweenCharacters() {
        let reason = String(repeating: "語", count: 50)
        let cut = String(repeating: "語", count: 41)
        #expect(read(WebSocketEncoder.close(.normal, reason: reason, allocator: allocator)) == [.close(1000, cut)])
    }

    @Test func appendsToWhatIsThere() {
        var buffer = ByteBuffer()
        for text in ["one", "two", ""] { WebSocketEncoder.maskedText(utf8(text), mask: 0xA1B2_C3D4, into: &buffer) }
        #expect(read(buffer, role: .server) == [.text("one"), .text("two"), .text("")])
    }

    @Test func isReadBackByTheDecoder() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<500 {
            let text = random.text(200)
            var buffer = ByteBuffer()
            WebSocketEncoder.maskedText(utf8(text), mask: UInt32.random(in: 0 ... .max, using: &random), into: &buffer)
            #expect(read(buffer, role: .server) == [.text(text)])
            #expect(read(WebSocketEncoder.text(utf8(text), allocator: allocator)) == [.text(text)])
        }
    }
}
