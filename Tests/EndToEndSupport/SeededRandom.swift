import Foundation

/// The same numbers for the same seed.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// Of a run that is to be the same each time; `MARTLET_TEST_SEED` asks for another one.
    package static func seed(_ standard: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment["MARTLET_TEST_SEED"].flatMap { UInt64($0) } ?? standard
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
