/// Steele, Lea and Flood's generator: the same numbers for the same seed, everywhere.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    /// Changes bytes here and there: some flipped, some gone, some new, a part twice, the end cut off.
    mutating func mutated(_ bytes: [UInt8], with words: [[UInt8]] = []) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(4) {
            let place = below(bytes.count + 1)
            switch below(8) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(below(8))
            case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2 where place < bytes.count: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
            case 3: bytes.insert(contentsOf: self.bytes(1 + below(8)), at: place)
            case 4:
                let end = min(bytes.count, place + 1 + below(32))
                if place < end { bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count + 1)) }
            case 5: bytes.removeSubrange(place...)
            case 6 where !words.isEmpty: bytes.insert(contentsOf: words[below(words.count)], at: place)
            case 7 where !words.isEmpty && place < bytes.count:
                bytes.replaceSubrange(place..<min(bytes.count, place + 1 + below(4)), with: words[below(words.count)])
            default: bytes.append(UInt8(truncatingIfNeeded: next()))
            }
        }
        return bytes
    }
}
