import MartletWire
import NIOCore
import Testing

/// What RFC 6455 forbids, and the code that the connection is failed with.
@Suite struct WebSocketViolationTests {
    /// The code of the violation, which must be the same at every split; nil where there is none.
    private func violation(
        _ bytes: [UInt8], role: WebSocketDecoder.Role = .server, maximum: Int = 65_536
    ) -> WebSocketCloseCode? {
        let whole = decode(bytes, role: role, maximum: maximum)
        #expect(decode(bytes.indices.map { bytes[$0...$0] }, role: role, maximum: maximum) == whole)
        for split in 0...bytes.count {
            #expect(decode([bytes[..<split], bytes[split...]], role: role, maximum: maximum) == whole)
        }
        guard case .violation(let code, _) = whole.last else { return nil }
        return WebSocketCloseCode(rawValue: code)
    }

    @Test(arguments: [0x10, 0x20, 0x40, 0x70] as [UInt8])
    func reservedBits(_ bits: UInt8) {
        for opcode: UInt8 in [0, 1, 2, 8, 9, 10] { #expect(violation(frame(opcode, bits: bits)) == .protocolError) }
    }

    @Test(arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
    func reservedOpcodes(_ opcode: UInt8) {
        #expect(violation(frame(opcode)) == .protocolError)
    }

    @Test func masks() {
        #expect(violation(frame(1, utf8("a"), mask: nil), role: .server) == .protocolError)
        #expect(violation(frame(1, utf8("a")), role: .client) == .protocolError)
        #expect(violation(frame(9, mask: nil), role: .server) == .protocolError)
    }

    @Test(arguments: [8, 9, 10] as [UInt8])
    func controlFrames(_ opcode: UInt8) {
        #expect(violation(frame(opcode, fin: false)) == .protocolError)
        #expect(violation(frame(opcode, [UInt8](repeating: 0x61, count: 126))) == .protocolError)
        #expect(violation(frame(9, [UInt8](repeating: 0x61, count: 125))) == nil)
    }

    @Test func fragments() {
        #expect(violation(frame(0, utf8("a"))) == .protocolError)
        #expect(violation(frame(0, fin: false)) == .protocolError)
        #expect(violation(frame(1, fin: false) + frame(1)) == .protocolError)
        #expect(violation(frame(2, fin: false) + frame(1, fin: false)) == .protocolError)
        #expect(violation(frame(1, fin: false) + frame(0) + frame(0)) == .protocolError)
    }

    @Test func lengthsThatAreNotInTheirShortestForm() {
        for length: UInt8 in [0, 1, 125] { #expect(violation([0x82, 0xFE, 0, length]) == .protocolError) }
        #expect(violation([0x82, 0xFE, 0, 126]) == nil)
        #expect(violation([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], maximum: .max) == .protocolError)
        #expect(violation([0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], maximum: .max) == nil)
    }

    @Test func lengthsWithTheirTopBit() {
        #expect(violation([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]) == .protocolError)
        #expect(violation([0x82, 0xFF, 0xFF]) == .protocolError)
    }

    // MARK: Size

    @Test func refusesASizeByItsHeader() {
        #expect(violation([0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == .tooBig)
        #expect(violation([0x81, 0xFE, 0x01, 0x01], maximum: 256) == .tooBig)
        #expect(violation([0x81, 0x80 | 11], maximum: 10) == .tooBig)
        #expect(decode(frame(1, utf8("0123456789")), maximum: 10) == [.text("0123456789")])
    }

    @Test func addsUpFragments() {
        let half = frame(1, utf8("01234"), fin: false)
        #expect(violation(half + [0x80, 0x80 | 6], maximum: 10) == .tooBig)
        #expect(decode(half + frame(0, utf8("56789")), maximum: 10) == [.text("0123456789")])
        #expect(
            violation(half + frame(0, utf8("56789"), fin: false) + frame(0, [1], fin: false), maximum: 10) == .tooBig)
    }

    @Test func doesNotCountControlFrames() {
        let ping = [UInt8](repeating: 0x61, count: 125)
        #expect(
            decode(frame(1, fin: false) + frame(9, ping) + frame(0, [0x62]), maximum: 1) == [.ping(ping), .text("b")])
    }

    /// Memory follows what arrived: a header that declares much takes none.
    @Test func allocatesNothingForADeclaration() throws {
        var decoder = WebSocketDecoder(role: .server, maximumMessage: .max)
        var buffer = ByteBuffer(bytes: [0x81, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5])
        let capacity = buffer.capacity
        #expect(try decoder.next(&buffer) == nil)
        #expect(buffer.capacity == capacity)
        #expect(buffer.readableBytes == 15)
    }

    /// A hundred thousand empty fragments are a hundred thousand steps, and no memory.
    @Test func standsEndlessEmptyFragments() {
        let empty = frame(0, fin: false)
        let flood = frame(1, utf8("a"), fin: false) + (0..<100_000).flatMap { _ in empty } + frame(0, utf8("b"))
        #expect(decode(flood) == [.text("ab")])
    }

    // MARK: UTF-8

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE8, 0xAA], [0x61, 0x80],
        ] as [[UInt8]])
    func textThatIsNotUTF8(_ payload: [UInt8]) {
        #expect(violation(frame(1, payload)) == .notUTF8)
        #expect(violation(frame(1, payload, fin: false) + frame(0)) == .notUTF8)
        #expect(violation(frame(2, payload)) == nil)
        for split in 0...payload.count {
            let input = frame(1, Array(payload[..<split]), fin: false) + frame(0, Array(payload[split...]))
            #expect(violation(input) == .notUTF8)
        }
    }

    @Test func failsInTheFragmentThatIsWrong() {
        #expect(violation(frame(1, [0x61, 0xFF], fin: false)) == .notUTF8)
        #expect(violation(frame(1, [0xE8], fin: false) + frame(0, [0x61], fin: false)) == .notUTF8)
    }

    // MARK: Close

    @Test func closeFrames() {
        #expect(decode(frame(8)) == [.close(nil, "")])
        #expect(decode(frame(8, [0x10, 0x04] + utf8("語"))) == [.close(4100, "語")])
        #expect(violation(frame(8, [0x03])) == .protocolError)
        #expect(violation(frame(8, [0x03, 0xE8, 0xFF])) == .notUTF8)
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
    func closeCodesThatMayNotBeSent(_ code: UInt16) {
        #expect(violation(frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)])) == .protocolError)
    }

    @Test(
        arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
            as [UInt16])
    func closeCodesThatMayBeSent(_ code: UInt16) {
        #expect(decode(frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)])) == [.close(code, "")])
    }
}
