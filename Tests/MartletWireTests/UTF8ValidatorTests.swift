import MartletWire
import Testing

@Suite struct UTF8ValidatorTests {
    private static func expected(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    private static func isValid(_ bytes: [UInt8]) -> Bool { UTF8Validator.isValid(bytes.span) }

    /// Validates the two sides of every split, and byte by byte.
    private static func agree(_ bytes: [UInt8]) -> Bool {
        let expected = expected(bytes)
        guard UTF8Validator.isValid(bytes.span) == expected else { return false }
        for split in 0...bytes.count {
            var validator = UTF8Validator()
            let isValid =
                validator.accept(bytes.span.extracting(..<split))
                && validator.accept(bytes.span.extracting(split...)) && validator.isComplete
            guard isValid == expected else { return false }
        }
        var validator = UTF8Validator()
        let isValid = bytes.indices.allSatisfy { validator.accept(bytes.span.extracting($0..<($0 + 1))) }
        return (isValid && validator.isComplete) == expected
    }

    @Test func judgesEverySequenceOfOneAndTwoBytes() {
        for first in UInt8.min ... .max {
            #expect(Self.agree([first]))
            for second in UInt8.min ... .max where !Self.agree([first, second]) {
                Issue.record("\(first) \(second)")
            }
        }
    }

    /// All first pairs of bytes that begin something long, with continuations at the edges of their ranges.
    @Test func judgesLongSequencesAtTheirEdges() {
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        for first in UInt8(0xE0)...0xFF {
            for second in edges {
                for third in edges {
                    #expect(Self.agree([first, second, third]))
                    for fourth in edges where !Self.agree([first, second, third, fourth]) {
                        Issue.record("\(first) \(second) \(third) \(fourth)")
                    }
                }
            }
        }
    }

    @Test func judgesEveryCharacter() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value), !UTF8Validator.isValid(Array(String(scalar).utf8).span) else {
                continue
            }
            Issue.record("U+\(String(value, radix: 16))")
        }
    }

    @Test func agreesWithTheStandardLibraryOnRandomSequences() {
        var random = SplitMix64(seed: 8)
        for _ in 0..<20_000 {
            var bytes = random.bytes(random.below(4))
            let text = Array(random.text(8).utf8)
            bytes = random.chance(2) ? text + bytes : random.mutated(text) + text
            if !Self.agree(bytes) { Issue.record("\(bytes)") }
        }
    }

    /// Runs of ASCII longer than a machine word, with something wrong at each place.
    @Test func findsABadByteAnywhere() {
        for count in 1...40 {
            for place in 0..<count {
                var bytes = [UInt8](repeating: 0x61, count: count)
                #expect(Self.isValid(bytes))
                bytes[place] = 0xFF
                #expect(!Self.isValid(bytes))
                bytes[place] = 0xC3
                #expect(!Self.isValid(bytes))
            }
        }
    }

    @Test func failsAtTheFirstByteThatCannotBeMended() {
        for bad: [UInt8] in [[0xE0, 0x80], [0xED, 0xA0], [0xF0, 0x8F], [0xF4, 0x90], [0xC0], [0xF5], [0xC3, 0x28]] {
            var validator = UTF8Validator()
            let isAccepted = validator.accept(bad.span)
            #expect(!isAccepted, "\(bad)")
        }
    }

    @Test func knowsThatACharacterIsCut() {
        var validator = UTF8Validator()
        var states: [Bool] = [validator.isComplete]
        for byte in utf8("語") {
            let isAccepted = validator.accept([byte].span)
            states.append(isAccepted && validator.isComplete)
        }
        #expect(states == [true, false, false, true])
    }
}
