import MartletWire
import NIOCore
import Testing

@Suite struct WebSocketDecoderTests {
    // MARK: Whole messages

    @Test(arguments: [0, 1, 2, 7, 8, 9, 124, 125, 126, 127, 1_000, 65_535, 65_536])
    func readsTextOfEverySize(_ count: Int) {
        let text = String(repeating: "x", count: count)
        #expect(decode(frame(1, utf8(text))) == [.text(text)])
        #expect(decode(frame(1, utf8(text), mask: nil), role: .client) == [.text(text)])
    }

    @Test(arguments: [0, 0xFFFF_FFFF, 0x0102_0304, 0x8000_0001] as [UInt32])
    func unmasksWithEveryKey(_ mask: UInt32) {
        for count in 0..<40 {
            let payload = (0..<count).map { UInt8($0 * 7 & 0xFF) }
            #expect(decode(frame(2, payload, mask: mask)) == [.binary(payload)])
        }
    }

    @Test func readsTheKinds() {
        let input =
            frame(1, utf8("a")) + frame(2, [0, 255]) + frame(9, utf8("p")) + frame(10) + frame(8, [0x03, 0xE8, 0x62])
        #expect(decode(input) == [.text("a"), .binary([0, 255]), .ping(utf8("p")), .pong([]), .close(1000, "b")])
    }

    @Test func leavesAnIncompleteFrameInTheBuffer() throws {
        var decoder = WebSocketDecoder(role: .server, maximumMessage: 100)
        let whole = frame(1, utf8("hello"))
        var buffer = ByteBuffer(bytes: whole + whole.dropLast())
        let first = try decoder.next(&buffer)
        #expect(first.map(Decoded.init) == .text("hello"))
        #expect(try decoder.next(&buffer) == nil)
        #expect(buffer.readableBytes == whole.count - 1)
        buffer.writeBytes(whole.suffix(1))
        let second = try decoder.next(&buffer)
        #expect(second.map(Decoded.init) == .text("hello"))
        #expect(buffer.readableBytes == 0)
    }

    // MARK: Splits

    private static let conversation: [UInt8] =
        frame(1, utf8("hello 語👍")) + frame(1, utf8("frag語").dropLast(1), fin: false) + frame(9, utf8("ping"))
        + frame(0, [0x9E], fin: false) + frame(10) + frame(0, utf8("end")) + frame(2, [1, 2, 3], fin: false) + frame(0)
        + frame(1, [UInt8](repeating: 0x61, count: 130)) + frame(8, [0x0F, 0xA0] + utf8("bye"))

    private static let expected: [Decoded] = [
        .text("hello 語👍"), .ping(utf8("ping")), .pong([]), .text("frag語end"), .binary([1, 2, 3]),
        .text(String(repeating: "a", count: 130)), .close(4000, "bye"),
    ]

    @Test func readsTheSameAtEverySplit() {
        let bytes = Self.conversation
        #expect(decode(bytes) == Self.expected)
        for split in 0...bytes.count {
            #expect(decode([bytes[..<split], bytes[split...]]) == Self.expected, "split at \(split)")
        }
        #expect(decode(bytes.indices.map { bytes[$0...$0] }) == Self.expected)
    }

    @Test func knowsThatItIsWithinAMessage() throws {
        var decoder = WebSocketDecoder(role: .server, maximumMessage: 100)
        var buffer = ByteBuffer()
        var states = [decoder.isMidMessage]
        for frame in [frame(1, utf8("a"), fin: false), frame(9), frame(0, fin: false), frame(0), frame(1)] {
            buffer.writeBytes(frame)
            _ = try decoder.next(&buffer)
            states.append(decoder.isMidMessage)
        }
        #expect(states == [false, true, true, true, false, false])
    }

    // MARK: Sharing

    /// Where somebody else holds the buffer, the decoder must change neither their bytes nor what it gave out before.
    @Test(arguments: [3, 700])
    func leavesASharedBufferAlone(_ frames: Int) throws {
        let input = (0..<frames).flatMap { frame(1, utf8("message \($0)")) }
        let original = ByteBuffer(bytes: input)
        var buffer = original
        var decoder = WebSocketDecoder(role: .server, maximumMessage: 100)
        var kept: [WebSocketDecoder.Item] = []
        while let item = try decoder.next(&buffer) { kept.append(item) }
        #expect(kept.map(Decoded.init) == (0..<frames).map { .text("message \($0)") })
        #expect(Array(original.readableBytesView) == input)
    }

    /// Where nobody does, a payload is a slice of the buffer: unmasked in place, not copied.
    @Test func slicesABufferOfItsOwn() throws {
        var buffer = ByteBufferAllocator().buffer(capacity: 65_536)
        buffer.writeBytes(frame(1, utf8("hello")))
        let place = buffer.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        var decoder = WebSocketDecoder(role: .server, maximumMessage: 100)
        guard case .text(let payload) = try decoder.next(&buffer) else {
            Issue.record("no text")
            return
        }
        #expect(payload.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == place + 6)
    }

    // MARK: Fuzz

    /// Random conversations in random pieces come out as they went in.
    @Test func readsRandomConversations() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<400 {
            var input: [UInt8] = []
            var expected: [Decoded] = []
            for _ in 0..<random.below(6) {
                let isText = random.chance(2)
                let payload = isText ? utf8(random.text(60)) : random.bytes(random.below(300))
                var rest = payload[...]
                var opcode: UInt8 = isText ? 1 : 2
                while random.chance(2) {
                    let piece = rest.prefix(random.below(rest.count + 1))
                    rest = rest.dropFirst(piece.count)
                    input += frame(
                        opcode, Array(piece), fin: false, mask: UInt32.random(in: 0 ... .max, using: &random))
                    opcode = 0
                    guard random.chance(3) else { continue }
                    let ping = random.bytes(random.below(126))
                    input += frame(9, ping)
                    expected.append(.ping(ping))
                }
                input += frame(opcode, Array(rest), mask: UInt32.random(in: 0 ... .max, using: &random))
                expected.append(isText ? .text(String(decoding: payload, as: UTF8.self)) : .binary(payload))
            }
            var pieces: [ArraySlice<UInt8>] = []
            var rest = input[...]
            while !rest.isEmpty {
                pieces.append(rest.prefix(1 + random.below(100)))
                rest = rest.dropFirst(pieces[pieces.count - 1].count)
            }
            #expect(decode(pieces) == expected)
        }
    }

    /// Whatever comes, each split reads the same, and nothing breaks.
    @Test func readsMutatedBytesTheSameAtEverySplit() {
        var random = SplitMix64(seed: 6)
        for _ in 0..<300 {
            let input = random.chance(4) ? random.bytes(random.below(60)) : random.mutated(Self.conversation)
            let expected = decode(input, maximum: 200)
            let split = random.below(input.count + 1)
            #expect(decode([input[..<split], input[split...]], maximum: 200) == expected)
            #expect(decode(input.indices.map { input[$0...$0] }, maximum: 200) == expected)
            _ = decode(input, role: .client)
        }
    }
}
