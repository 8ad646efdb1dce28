/// A ping's payload, written once: a mark and what fills it up.
struct Ping: Sendable {
    private(set) var bytes: [UInt8]

    init(run: UInt32, sender: Int, size: Int) {
        bytes =
            Mark(run: run, sender: sender, counter: 0, time: 0).bytes
            + Array(repeating: UInt8(ascii: "x"), count: max(0, size - Mark.length))
    }

    /// `time`: when the ping should go out, in nanoseconds of the monotonic clock.
    mutating func fill(counter: UInt32, time: UInt64) {
        Hexadecimal.write(UInt64(counter), digits: 8, to: &bytes, at: Mark.counterOffset)
        Hexadecimal.write(time, digits: 16, to: &bytes, at: Mark.timeOffset)
    }
}
